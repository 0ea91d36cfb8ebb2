//! What a browser's parser makes of a page: its elements and the names of their attributes.

use std::collections::BTreeSet;

use html5ever::tendril::TendrilSink;
use html5ever::{ParseOpts, parse_document};
use markup5ever_rcdom::{Handle, NodeData, RcDom};

/// A page as it is parsed.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Elements with the names of their attributes, comments and ends, in order. Equal for equal structures.
    pub(crate) skeleton: String,
    /// Addresses that a browser follows, decoded.
    pub(crate) urls: Vec<String>,
}

const URLS: [&str; 8] =
    ["href", "src", "action", "formaction", "poster", "cite", "background", "data"];

impl Page {
    /// Parses with and without scripting, which differ in `<noscript>`.
    pub(crate) fn parse(html: &str, scripting: bool) -> Self {
        let mut options = ParseOpts::default();
        options.tree_builder.scripting_enabled = scripting;
        let dom = parse_document(RcDom::default(), options).one(html);
        let mut page = Self::default();
        page.walk(&dom.document);
        page
    }

    /// The different tags, without their order.
    pub(crate) fn tags(&self) -> BTreeSet<&str> {
        self.skeleton.split_inclusive('>').collect()
    }

    fn walk(&mut self, node: &Handle) {
        match &node.data {
            NodeData::Element { name, attrs, template_contents, .. } => {
                self.skeleton.push_str(&format!("<{}", name.local));
                for attribute in attrs.borrow().iter() {
                    self.skeleton.push_str(&format!(" {}", attribute.name.local));
                    if URLS.contains(&&*attribute.name.local) {
                        self.urls.push(attribute.value.to_string());
                    }
                }
                self.skeleton.push('>');
                if let Some(contents) = &*template_contents.borrow() {
                    self.children(contents);
                }
                self.children(node);
                self.skeleton.push_str("</>");
            }
            NodeData::Comment { .. } => self.skeleton.push_str("<!>"),
            NodeData::Doctype { .. } => self.skeleton.push_str("<!doctype>"),
            _ => self.children(node),
        }
    }

    fn children(&mut self, node: &Handle) {
        node.children.borrow().iter().for_each(|child| self.walk(child));
    }

    /// Whether an address runs code as a browser reads it.
    pub(crate) fn running_url(&self) -> Option<&String> {
        self.urls.iter().find(|url| {
            let read: String = url.chars().filter(|c| !matches!(c, '\t' | '\n' | '\r')).collect();
            let read = read.trim_start_matches(|c: char| c <= ' ').to_ascii_lowercase();
            ["javascript:", "data:", "vbscript:"].iter().any(|scheme| read.starts_with(scheme))
        })
    }
}
