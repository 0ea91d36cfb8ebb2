//! Renders linked templates.
//!
//! Stops pages that never end, and error texts that reach a visitor.
//!
//! 1. Everything is bounded by [`Limits`]: the depth of includes and tags, the steps of loops, the bytes of a page, and
//!    the time, which the [`Surroundings`] measure. Beyond that rendering fails.
//! 2. A page that fails is an error, never half a page, unless it is sent in pieces.
//! 3. A missing variable prints nothing; in a condition or a loop it is `None`.

mod capture;
mod flow;
mod include;
mod produce;
mod scope;

use std::fmt;

use super::autoescape::{Op, Ops, Place};
use super::engine::Templates;
use super::filter::Autoescape;
use super::print::write;
use super::tag::Producer;
use super::variables::{Surroundings, Variables};
use crate::context::Escaper;
use scope::{Missing, Scope};

/// The deepest nesting of includes in a page, where nothing else is set.
pub const MAX_INCLUDES: usize = 32;
/// The most steps that the loops of one page take together, where nothing else is set.
pub const MAX_STEPS: usize = 10_000_000;
/// The most bytes that one page has, where nothing else is set.
pub const MAX_OUTPUT: usize = 64 * 1024 * 1024;
/// The deepest nesting of tags along all includes.
const MAX_DEPTH: usize = 240;
/// A page that is sent in pieces is sent when it has this many bytes.
const PIECE: usize = 8 * 1024;
/// After how many steps of loops the time is looked at.
const STEPS_BETWEEN_LOOKS: usize = 256;

/// What one page may take at most.
#[derive(Clone, Debug)]
pub struct Limits {
    output: usize,
    steps: usize,
    includes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { output: MAX_OUTPUT, steps: MAX_STEPS, includes: MAX_INCLUDES }
    }
}

impl Limits {
    /// [`MAX_OUTPUT`], [`MAX_STEPS`], [`MAX_INCLUDES`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The most bytes of a page.
    #[must_use]
    pub fn output(self, bytes: usize) -> Self {
        Self { output: bytes, ..self }
    }

    /// The most steps that all loops of a page take together.
    #[must_use]
    pub fn steps(self, steps: usize) -> Self {
        Self { steps, ..self }
    }

    /// The deepest nesting of includes; no more than [`MAX_INCLUDES`].
    #[must_use]
    pub fn includes(self, depth: usize) -> Self {
        Self { includes: depth.min(MAX_INCLUDES), ..self }
    }
}

/// A page could not be rendered. For the log; a visitor sees none of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderError {
    template: String,
    line: usize,
    message: String,
}

impl RenderError {
    pub(super) fn new(template: &str, line: usize, message: impl Into<String>) -> Self {
        Self { template: template.into(), line, message: message.into() }
    }

    /// The name of the template.
    #[must_use]
    pub fn template(&self) -> &str {
        &self.template
    }

    /// The line, counted from 1; 0 if the error is about the template as a whole.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// What is wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.template, self.line, self.message)
    }
}

impl std::error::Error for RenderError {}

type Done = Result<(), RenderError>;

pub(crate) struct Renderer<'a> {
    templates: &'a Templates,
    /// The fragments that includes are numbered in.
    set: &'a [Ops],
    first: usize,
    scope: Scope<'a>,
    scratch: String,
    includes: usize,
    depth: usize,
    steps: usize,
    /// How many rendered bodies are being kept for a tag around them.
    captures: usize,
    sent: usize,
    /// The size at which the page is looked at.
    alarm: usize,
    send: Option<&'a mut dyn FnMut(&str) -> fmt::Result>,
}

impl<'a> Renderer<'a> {
    pub(crate) fn new(
        templates: &'a Templates,
        set: &'a [Ops],
        first: usize,
        variables: &'a Variables,
        around: &'a dyn Surroundings,
    ) -> Self {
        Self {
            templates,
            set,
            first,
            scope: Scope::new(templates, variables, around),
            scratch: String::new(),
            includes: 0,
            depth: 0,
            steps: 0,
            captures: 0,
            sent: 0,
            alarm: templates.options().rendering_limits().output,
            send: None,
        }
    }

    fn fail(&self, place: Place, message: impl Into<String>) -> RenderError {
        self.templates.render_error(place, message.into())
    }

    /// Renders the page.
    pub(crate) fn page(&mut self, out: &mut String) -> Done {
        self.ops(out, self.fragment(self.first))
    }

    fn fragment(&self, id: usize) -> &'a [Op] {
        self.set.get(id).map(|ops| &**ops).unwrap_or_default()
    }

    fn ops(&mut self, out: &mut String, ops: &'a [Op]) -> Done {
        self.depth += 1;
        for op in ops {
            match op {
                Op::Text(text) => out.push_str(text),
                op => self.op(out, op)?,
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn op(&mut self, out: &mut String, op: &'a Op) -> Done {
        match op {
            Op::Text(text) => out.push_str(text),
            Op::Print(producer, escaper, escape, place) => {
                return self.print(out, producer, *escaper, *escape, *place);
            }
            Op::Bind(target, producer, escape, place) => {
                let value = self.produced_for_name(producer, *escape);
                let value = value.map_err(|message| self.fail(*place, message))?;
                self.scope.assign(target.symbol, value);
            }
            Op::If(arms, place) => return self.branches(out, arms, *place),
            Op::For(head, body, empty, place) => {
                return self.repeat(out, head, body, empty, *place);
            }
            Op::With(bindings, body, place) => return self.with(out, bindings, body, *place),
            Op::Block(body, asked) => return self.block(out, body, asked.as_ref()),
            Op::Include(fragment, include, place) => {
                return self.include(out, *fragment, include, *place);
            }
            Op::IncludeByName(include, context, escape, place) => {
                return self.include_by_name(out, include, *context, *escape, *place);
            }
            Op::Extends(late, place) => return self.extends(out, late, *place),
            Op::Partial(fragment, place) => return self.partial(out, *fragment, *place),
            Op::Inclusion(fragment, called, escape, place) => {
                return self.inclusion(out, *fragment, called, *escape, *place);
            }
            Op::IfChanged(changed, body, otherwise, place) => {
                return self.if_changed(out, changed, body, otherwise, *place);
            }
            Op::ResetCycle(id) => self.scope.states.reset_cycle(*id),
            Op::Setting(setting, body, place) => return self.setting(out, setting, body, *place),
            Op::Super(body, filters, escaper, escape, place) => {
                return self.filtered_super(out, body, filters, *escaper, *escape, *place);
            }
            Op::Capture(capture, body, escaper, escape, place) => {
                return self.capture(out, capture, body, *escaper, *escape, *place);
            }
            Op::CsrfToken => self.csrf_token(out),
            Op::NonceAttribute => self.nonce_attribute(out, ""),
            Op::OwnNonce => self.nonce_attribute(out, " "),
            Op::Fail(message, place) => return Err(self.fail(*place, message.clone())),
        }
        Ok(())
    }

    fn print(
        &mut self,
        out: &mut String,
        producer: &'a Producer,
        escaper: Escaper,
        escape: Autoescape,
        place: Place,
    ) -> Done {
        // The value of an expression is lent; all others are made.
        if let Producer::Expression(expression) = producer {
            if let Some(value) = self.scope.lent(expression) {
                write(out, &mut self.scratch, escaper, &self.scope.env(escape), value);
                return self.guard(out, place);
            }
            match self.scope.value(expression, escape, Missing::Text) {
                Ok(value) => {
                    write(out, &mut self.scratch, escaper, &self.scope.env(escape), &value)
                }
                Err(message) => return Err(self.fail(place, message)),
            }
        } else {
            let value =
                self.produce(producer, escape).map_err(|message| self.fail(place, message))?;
            write(out, &mut self.scratch, escaper, &self.scope.env(escape), &value);
        }
        self.guard(out, place)
    }

    /// Rule 1: looks at the size of the page, and sends what is made.
    #[inline]
    fn guard(&mut self, out: &mut String, place: Place) -> Done {
        if out.len() < self.alarm { Ok(()) } else { self.full(out, place) }
    }

    fn full(&mut self, out: &mut String, place: Place) -> Done {
        let most = self.templates.options().rendering_limits().output;
        if self.sent + out.len() > most {
            return Err(self.fail(place, format!("the page has more than {most} bytes")));
        }
        if self.captures == 0 { self.flush(out, PIECE) } else { Ok(()) }
    }

    /// Rule 1: looks at the depth.
    fn deeper(&self, place: Place) -> Done {
        let most = self.templates.options().rendering_limits().includes;
        let message = match () {
            () if self.includes > most => format!("includes are nested more than {most} deep"),
            () if self.depth > MAX_DEPTH => {
                format!("tags are nested more than {MAX_DEPTH} deep along the includes")
            }
            () => return Ok(()),
        };
        Err(self.fail(place, message))
    }

    /// Rule 1: counts a step of a loop, and looks at the time now and then.
    fn step(&mut self, out: &mut String, place: Place) -> Done {
        self.steps += 1;
        let most = self.templates.options().rendering_limits().steps;
        if self.steps > most {
            return Err(
                self.fail(place, format!("the loops of the page take more than {most} steps"))
            );
        }
        if self.steps.is_multiple_of(STEPS_BETWEEN_LOOKS) && self.scope.around.expired() {
            return Err(self.fail(place, "the page takes too long"));
        }
        self.guard(out, place)
    }

    /// Has the page sent in pieces.
    pub(crate) fn send_to(&mut self, send: &'a mut dyn FnMut(&str) -> fmt::Result) {
        self.send = Some(send);
        self.alarm = PIECE;
    }

    /// Sends what is made, if it is more than `least` bytes.
    pub(crate) fn flush(&mut self, out: &mut String, least: usize) -> Done {
        let Some(send) = self.send.as_mut().filter(|_| out.len() > least) else { return Ok(()) };
        let sent = send(out);
        self.sent += out.len();
        out.clear();
        sent.map_err(|_| RenderError::new("", 0, "the page could not be sent"))
    }

    fn csrf_token(&self, out: &mut String) {
        if let Some(token) = self.scope.around.csrf_token() {
            out.push_str("<input type=\"hidden\" name=\"csrfmiddlewaretoken\" value=\"");
            crate::escape::write_html(out, &token);
            out.push_str("\">");
        }
    }

    fn nonce_attribute(&self, out: &mut String, before: &str) {
        if let Some(nonce) = self.scope.around.csp_nonce() {
            out.push_str(before);
            out.push_str("nonce=\"");
            crate::escape::write_html(out, &nonce);
            out.push('"');
        }
    }
}
