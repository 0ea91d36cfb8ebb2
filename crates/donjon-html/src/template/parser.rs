//! Reads a template into its tree.
//!
//! Stops templates that do not mean what they say: an unknown tag, an unclosed block, a misplaced `extends` is an error
//! with its place.
//!
//! 1. Tags nest at most [`MAX_NESTING`] deep.

mod control;
mod i18n;
mod produce;

use std::collections::HashMap;
use std::sync::Arc;

use super::expression::{Complaint, Expression, words};
use super::lexer::{self, Kind as TokenKind, Token};
use super::library::{Libraries, Vocabulary};
use super::names::{Names, Symbol};
use super::tag::{Body, Cycle, Kind, Node, Producer, TagId};
use crate::context::Fault;

/// The deepest nesting of tags in one template.
pub const MAX_NESTING: usize = 64;

/// A template that has been read.
#[derive(Debug)]
pub(crate) struct Parsed {
    /// The parent, and where it is named.
    pub(crate) parent: Option<(usize, Arc<Expression>)>,
    pub(crate) nodes: Body,
    pub(crate) blocks: HashMap<Arc<str>, Body>,
    pub(crate) partials: HashMap<Arc<str>, Body>,
}

/// What all templates of a set are read with.
pub(crate) struct Setup<'a> {
    pub(crate) libraries: &'a Libraries,
    pub(crate) names: &'a Names,
    /// The number of the next tag that remembers something.
    pub(crate) next_id: u32,
}

pub(crate) fn parse(source: &str, setup: &mut Setup<'_>) -> Result<Parsed, Fault> {
    let tokens = lexer::tokens(source);
    let mut parser = Parser {
        source,
        tokens: &tokens,
        next: 0,
        words: Vocabulary::new(setup.libraries, setup.names),
        next_id: setup.next_id,
        parent: None,
        blocks: HashMap::new(),
        partials: HashMap::new(),
        named_cycles: HashMap::new(),
        last_cycle: None,
        depth: 0,
        opened_verbatim: false,
        tags: 0,
    };
    let result = parser.body(&[], 0);
    setup.next_id = parser.next_id;
    let (nodes, _) = result?;
    Ok(Parsed { parent: parser.parent, nodes, blocks: parser.blocks, partials: parser.partials })
}

struct Parser<'s, 'a> {
    source: &'s str,
    tokens: &'s [Token],
    next: usize,
    words: Vocabulary<'a>,
    next_id: u32,
    parent: Option<(usize, Arc<Expression>)>,
    blocks: HashMap<Arc<str>, Body>,
    partials: HashMap<Arc<str>, Body>,
    named_cycles: HashMap<String, Cycle>,
    last_cycle: Option<TagId>,
    depth: usize,
    opened_verbatim: bool,
    /// How many holes and tags came before.
    tags: usize,
}

type Made = Result<Kind, Fault>;

fn fault(at: usize, message: impl Into<String>) -> Fault {
    let message = message.into();
    let hint = if message.starts_with("Invalid filter") {
        "see the list of filters; a site's own filter needs {% load %} of its library"
    } else {
        "see the template language's reference"
    };
    Fault { at, message, hint }
}

/// The end of a tag's body: the end tag's place and words.
struct End<'s> {
    words: Vec<&'s str>,
}

impl<'s> Parser<'s, '_> {
    /// Reads up to one of the tags `ends`; returns that tag's words.
    fn body(&mut self, ends: &[&str], opened: usize) -> Result<(Body, End<'s>), Fault> {
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
                    nodes.push(Node { at, kind: self.hole(contents).map_err(|c| fault(at, c))? });
                }
                TokenKind::Tag => {
                    let words = words(contents);
                    let name = words.first().copied().unwrap_or_default();
                    if ends.contains(&name) {
                        self.depth -= 1;
                        return Ok((nodes.into(), End { words }));
                    }
                    nodes.extend(self.tag(at, name, words.get(1..).unwrap_or_default())?);
                    self.tags += 1;
                }
            }
        }
        match ends {
            [] => Ok((nodes.into(), End { words: Vec::new() })),
            ends => Err(unclosed(opened, ends)),
        }
    }

    /// Reads the body of a tag that one other tag ends.
    fn body_to(&mut self, end: &str, opened: usize) -> Result<Body, Fault> {
        self.body(&[end], opened).map(|(body, _)| body)
    }

    fn expression(&self, at: usize, text: &str) -> Result<Expression, Fault> {
        Expression::parse(text, &self.words).map_err(|complaint| fault(at, complaint))
    }

    fn expressions(&self, at: usize, texts: &[&str]) -> Result<Box<[Expression]>, Fault> {
        texts.iter().map(|text| self.expression(at, text)).collect()
    }

    fn id(&mut self) -> TagId {
        self.next_id = self.next_id.saturating_add(1);
        TagId(self.next_id)
    }

    fn hole(&mut self, contents: &str) -> Result<Kind, Complaint> {
        self.tags += 1;
        let expression = Expression::parse(contents, &self.words)?;
        Ok(match expression.is_lookup(Symbol::BLOCK, "super") {
            true => Kind::Super(expression.filters.into()),
            false => Kind::Print(Arc::new(Producer::Expression(expression))),
        })
    }

    fn tag(&mut self, at: usize, name: &str, rest: &[&str]) -> Result<Option<Node>, Fault> {
        if let Some(tag) = self.words.custom_tag(name) {
            return self.custom(at, name, rest, tag).map(|kind| Some(Node { at, kind }));
        }
        let kind = match name {
            "comment" => return self.comment(at).map(|()| None),
            "verbatim" => return self.verbatim(at).map(|()| None),
            name if name.starts_with("endverbatim") && self.opened_verbatim => {
                self.opened_verbatim = false;
                return Ok(None);
            }
            "load" => return self.words.load(rest).map(|()| None).map_err(|c| fault(at, c)),
            "extends" => return self.extends(at, rest).map(|()| None),
            "partialdef" => return self.partial_definition(at, rest),
            "" => return Err(fault(at, "Empty block tag")),
            name => self.kind(at, name, rest)?,
        };
        Ok(Some(Node { at, kind }))
    }

    fn kind(&mut self, at: usize, name: &str, rest: &[&str]) -> Made {
        match name {
            "if" => self.condition(at, rest),
            "for" => self.repeat(at, rest),
            "block" => self.block(at, rest),
            "include" => self.include(at, rest),
            "with" => self.with(at, rest),
            "autoescape" => self.autoescape(at, rest),
            "ifchanged" => self.if_changed(at, rest),
            "partial" => self.partial(at, rest),
            "filter" => self.filter_tag(at, rest),
            "spaceless" => self.spaceless(at),
            "csrf_token" => Ok(Kind::CsrfToken),
            "csp_nonce_attr" => Ok(Kind::NonceAttribute),
            "templatetag" => template_tag(at, rest),
            name if super::tag::BUILT_IN.contains(&name) => self.producer_tag(at, name, rest),
            name if self.words.has_shipped_tag(name) => self.library_tag(at, name, rest),
            other => Err(self.unknown_tag(at, other)),
        }
    }

    fn unknown_tag(&self, at: usize, name: &str) -> Fault {
        let hint = self.words.unknown_tag(name);
        let message = format!(
            "Invalid block tag: '{name}'. Did you forget to register or load this tag?{hint}"
        );
        Fault { at, message, hint: "see the list of tags in the template language's reference" }
    }

    fn extends(&mut self, at: usize, rest: &[&str]) -> Result<(), Fault> {
        let [word] = rest else { return Err(fault(at, "'extends' takes one argument")) };
        let expression = self.expression(at, word)?;
        if self.parent.is_some() || self.tags > 0 || self.depth > 1 {
            return Err(Fault {
                at,
                message: "{% extends %} must be the first tag in the template".into(),
                hint: "move it to the top",
            });
        }
        self.parent = Some((at, Arc::new(expression)));
        Ok(())
    }

    fn comment(&mut self, at: usize) -> Result<(), Fault> {
        while let Some(token) = self.tokens.get(self.next) {
            self.next += 1;
            if token.kind == TokenKind::Tag && token.contents(self.source) == "endcomment" {
                return Ok(());
            }
        }
        Err(unclosed(at, &["endcomment"]))
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
            false => Err(unclosed(at, &["endverbatim"])),
        }
    }

    fn partial_definition(&mut self, at: usize, rest: &[&str]) -> Result<Option<Node>, Fault> {
        let (name, inline) = match rest {
            [name] => (*name, false),
            [name, "inline"] => (*name, true),
            [_, _] => {
                return Err(fault(
                    at,
                    "The 'inline' argument does not have any parameters; either use 'inline' or remove it completely.",
                ));
            }
            [] => return Err(fault(at, "'partialdef' tag requires a name")),
            _ => return Err(fault(at, "'partialdef' tag takes at most 2 arguments")),
        };
        let (body, end) = self.body(&["endpartialdef"], at)?;
        if end.words.get(1..).is_some_and(|end| !end.is_empty() && end != [name]) {
            return Err(fault(
                at,
                format!("'endpartialdef' does not name the partial '{name}' that it ends"),
            ));
        }
        let name: Arc<str> = name.into();
        match self.partials.insert(name.clone(), body) {
            Some(_) => {
                Err(fault(at, format!("Partial '{name}' is already defined in this template.")))
            }
            None => Ok(inline.then_some(Node { at, kind: Kind::Partial(name) })),
        }
    }
}

fn unclosed(at: usize, ends: &[&str]) -> Fault {
    let message = format!("Unclosed tag. Looking for one of: {}.", ends.join(", "));
    Fault { at, message, hint: "add the end tag, or remove the tag that opens here" }
}

fn template_tag(at: usize, rest: &[&str]) -> Made {
    let [name] = rest else { return Err(fault(at, "'templatetag' statement takes one argument")) };
    let text = match *name {
        "openblock" => "{%",
        "closeblock" => "%}",
        "openvariable" => "{{",
        "closevariable" => "}}",
        "openbrace" => "{",
        "closebrace" => "}",
        "opencomment" => "{#",
        "closecomment" => "#}",
        other => return Err(fault(at, format!("Invalid templatetag argument: '{other}'."))),
    };
    Ok(Kind::Text(text.into()))
}
