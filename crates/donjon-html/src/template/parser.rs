//! Reads a template into its tree.
//!
//! Stops templates that do not mean what they say: an unknown tag, an unclosed block, a misplaced `extends` is an error
//! with its place.
//!
//! 1. Tags nest at most [`MAX_NESTING`] deep.

use std::collections::HashMap;
use std::sync::Arc;

use super::condition::Condition;
use super::expression::{Complaint, Expression, words};
use super::filter::{Autoescape, Filters};
use super::lexer::{self, Kind as TokenKind, Token};
use super::tag::{Arm, Body, Include, Kind, Loop, Node, UrlCall, bindings};
use crate::context::Fault;

/// The deepest nesting of tags in one template.
pub const MAX_NESTING: usize = 64;

/// A template that has been read.
#[derive(Debug)]
pub(crate) struct Parsed {
    /// The parent's name, and where it is written.
    pub(crate) parent: Option<(usize, Arc<str>)>,
    pub(crate) nodes: Body,
    pub(crate) blocks: HashMap<Arc<str>, Body>,
}

pub(crate) fn parse(source: &str, filters: &Filters) -> Result<Parsed, Fault> {
    let tokens = lexer::tokens(source);
    let mut parser = Parser {
        source,
        tokens: &tokens,
        next: 0,
        filters,
        parent: None,
        blocks: HashMap::new(),
        depth: 0,
        opened_verbatim: false,
        tags: 0,
    };
    let (nodes, _) = parser.body(&[], 0)?;
    Ok(Parsed { parent: parser.parent, nodes, blocks: parser.blocks })
}

struct Parser<'s> {
    source: &'s str,
    tokens: &'s [Token],
    next: usize,
    filters: &'s Filters,
    parent: Option<(usize, Arc<str>)>,
    blocks: HashMap<Arc<str>, Body>,
    depth: usize,
    opened_verbatim: bool,
    /// How many holes and tags came before.
    tags: usize,
}

fn fault(at: usize, message: Complaint) -> Fault {
    let hint = if message.starts_with("Invalid filter") {
        "see the list of filters; a filter of the site's own is added when the templates are loaded"
    } else {
        "see the template language's reference"
    };
    Fault { at, message, hint }
}

impl<'s> Parser<'s> {
    /// Reads up to one of the tags `ends`; returns that tag's words.
    fn body(&mut self, ends: &[&str], opened: usize) -> Result<(Body, Vec<&'s str>), Fault> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return Err(Fault {
                at: opened,
                message: format!("tags are nested more than {MAX_NESTING} deep"),
                hint: "move the inner part to a template of its own and include it",
            });
        }
        let mut nodes = Vec::new();
        while let Some(token) = self.tokens.get(self.next) {
            self.next += 1;
            let at = token.span.start;
            let contents = token.contents(self.source);
            match token.kind {
                TokenKind::Comment => {}
                TokenKind::Text => nodes.push(Node { at, kind: Kind::Text(contents.into()) }),
                TokenKind::Hole => {
                    nodes.push(Node { at, kind: self.hole(contents).map_err(|c| fault(at, c))? })
                }
                TokenKind::Tag => {
                    let words = words(contents);
                    let name = words.first().copied().unwrap_or_default();
                    if ends.contains(&name) {
                        self.depth -= 1;
                        return Ok((nodes.into(), words));
                    }
                    nodes.extend(self.tag(at, name, words.get(1..).unwrap_or_default())?);
                    self.tags += 1;
                }
            }
        }
        match ends.last() {
            None => Ok((nodes.into(), Vec::new())),
            Some(end) => Err(Fault {
                at: opened,
                message: format!("Unclosed tag: looking for one of: {}", ends.join(", ")),
                hint: "",
            }
            .hinted(end)),
        }
    }

    fn hole(&mut self, contents: &str) -> Result<Kind, Complaint> {
        self.tags += 1;
        let expression = Expression::parse(contents, self.filters)?;
        if !expression.is_lookup("block", "super") {
            return Ok(Kind::Hole(Arc::new(expression)));
        }
        match expression.filters.iter().all(|applied| applied.filter.name == "safe") {
            true => Ok(Kind::Super),
            false => {
                Err("block.super takes no filter here: filter inside the block instead".into())
            }
        }
    }

    fn tag(&mut self, at: usize, name: &str, words: &[&str]) -> Result<Option<Node>, Fault> {
        let wrong = |complaint| fault(at, complaint);
        let kind = match name {
            "if" => self.condition(at, words)?,
            "for" => self.repeat(at, words)?,
            "block" => self.block(at, words)?,
            "extends" => return self.extends(at, words).map(|()| None),
            "include" => {
                Kind::Include(Arc::new(Include::parse(words, self.filters).map_err(wrong)?))
            }
            "with" if words.is_empty() => {
                return Err(wrong("'with' expected at least one variable assignment".into()));
            }
            "with" => Kind::With(
                bindings(words, self.filters, "with").map_err(wrong)?,
                self.body(&["endwith"], at)?.0,
            ),
            "autoescape" => self.autoescape(at, words)?,
            "url" => Kind::Url(Arc::new(UrlCall::parse(words, self.filters).map_err(wrong)?)),
            "static" => Kind::Static(Arc::new(
                Expression::parse(words.first().copied().unwrap_or_default(), self.filters)
                    .map_err(wrong)?,
            )),
            "csrf_token" => Kind::CsrfToken,
            "csp_nonce_attr" => Kind::NonceAttribute,
            "comment" => return self.comment(at).map(|()| None),
            "verbatim" => return self.verbatim(at).map(|()| None),
            name if name.starts_with("endverbatim") && self.opened_verbatim => {
                self.opened_verbatim = false;
                return Ok(None);
            }
            "load" => return load(words).map(|()| None).map_err(wrong),
            "" => return Err(wrong("Empty block tag".into())),
            other => return Err(unknown_tag(at, other)),
        };
        Ok(Some(Node { at, kind }))
    }

    fn condition(&mut self, at: usize, words: &[&str]) -> Result<Kind, Fault> {
        let mut arms = Vec::new();
        let mut condition = Some(self.parse_condition(at, words)?);
        loop {
            let ends: &[&str] =
                if condition.is_some() { &["elif", "else", "endif"] } else { &["endif"] };
            let (body, end) = self.body(ends, at)?;
            arms.push(Arm { condition, body });
            condition = match end.as_slice() {
                ["elif", words @ ..] => Some(self.parse_condition(at, words)?),
                ["else"] => None,
                ["else", ..] => {
                    let message = format!("Malformed template tag: '{}'", end.join(" "));
                    return Err(Fault { at, message, hint: "write elif, or nothing behind else" });
                }
                _ => return Ok(Kind::If(arms)),
            };
        }
    }

    fn parse_condition(&self, at: usize, words: &[&str]) -> Result<Arc<Condition>, Fault> {
        Condition::parse(words, self.filters)
            .map(Arc::new)
            .map_err(|complaint| fault(at, complaint))
    }

    fn repeat(&mut self, at: usize, words: &[&str]) -> Result<Kind, Fault> {
        let head = Loop::parse(words, self.filters).map_err(|complaint| fault(at, complaint))?;
        let (body, end) = self.body(&["empty", "endfor"], at)?;
        let empty = if end.first() == Some(&"empty") {
            self.body(&["endfor"], at)?.0
        } else {
            Body::default()
        };
        Ok(Kind::For(Arc::new(head), body, empty))
    }

    fn block(&mut self, at: usize, words: &[&str]) -> Result<Kind, Fault> {
        let [name] = words else {
            return Err(fault(at, "'block' tag takes only one argument".into()));
        };
        let (body, end) = self.body(&["endblock"], at)?;
        if end.get(1).is_some_and(|end| end != name) {
            return Err(fault(
                at,
                format!("'endblock' does not name the block '{name}' that it ends"),
            ));
        }
        let name: Arc<str> = Arc::from(*name);
        match self.blocks.insert(name.clone(), body.clone()) {
            Some(_) => {
                Err(fault(at, format!("'block' tag with name '{name}' appears more than once")))
            }
            None => Ok(Kind::Block(name, body)),
        }
    }

    fn extends(&mut self, at: usize, words: &[&str]) -> Result<(), Fault> {
        let [word] = words else { return Err(fault(at, "'extends' takes one argument".into())) };
        let expression =
            Expression::parse(word, self.filters).map_err(|complaint| fault(at, complaint))?;
        let Some(name) = expression.literal_text() else {
            return Err(Fault {
                at,
                message: "the parent of a template must be literal".into(),
                hint: "name it in quotes: how a page is escaped is decided before it is rendered",
            });
        };
        if self.parent.is_some() || self.tags > 0 || self.depth > 1 {
            return Err(Fault {
                at,
                message: "{% extends %} must be the first tag in the template".into(),
                hint: "move it to the top",
            });
        }
        self.parent = Some((at, name.into()));
        Ok(())
    }

    fn autoescape(&mut self, at: usize, words: &[&str]) -> Result<Kind, Fault> {
        let mode = match words {
            ["on"] => Autoescape::On,
            ["off"] => Autoescape::Off,
            _ => return Err(fault(at, "'autoescape' argument should be 'on' or 'off'".into())),
        };
        Ok(Kind::Autoescape(mode, self.body(&["endautoescape"], at)?.0))
    }

    fn comment(&mut self, at: usize) -> Result<(), Fault> {
        while let Some(token) = self.tokens.get(self.next) {
            self.next += 1;
            if token.kind == TokenKind::Tag
                && token.contents(self.source).split_whitespace().next() == Some("endcomment")
            {
                return Ok(());
            }
        }
        Err(fault(at, "Unclosed tag 'comment'. Looking for one of: endcomment.".into()))
    }

    /// The lexer has made text of what is inside; the tags around it are left.
    fn verbatim(&mut self, at: usize) -> Result<(), Fault> {
        let rest = self.tokens.get(self.next..).unwrap_or_default();
        let ends = |token: &Token| {
            token.kind == TokenKind::Tag && token.contents(self.source).starts_with("endverbatim")
        };
        self.opened_verbatim = rest.iter().take(2).any(ends);
        match self.opened_verbatim {
            true => Ok(()),
            false => {
                Err(fault(at, "Unclosed tag 'verbatim'. Looking for one of: endverbatim.".into()))
            }
        }
    }
}

impl Fault {
    fn hinted(self, _end: &str) -> Self {
        Self { hint: "add the end tag, or remove the tag that opens here", ..self }
    }
}

fn load(words: &[&str]) -> Result<(), Complaint> {
    const KNOWN: [&str; 4] = ["static", "i18n", "l10n", "tz"];
    match words.iter().find(|word| !KNOWN.contains(word)) {
        Some(word) => Err(format!(
            "'{word}' is not a registered tag library. Must be one of: {}",
            KNOWN.join(" ")
        )),
        None => Ok(()),
    }
}

fn unknown_tag(at: usize, name: &str) -> Fault {
    let message =
        format!("Invalid block tag: '{name}'. Did you forget to register or load this tag?");
    Fault {
        at,
        message,
        hint: "the tags are: autoescape block comment csp_nonce_attr csrf_token extends for if include load static url verbatim with",
    }
}
