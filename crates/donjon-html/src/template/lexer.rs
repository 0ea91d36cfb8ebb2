//! Cuts a template into text, holes, tags and comments.
//!
//! Stops templates whose reading takes more than linear time.
//!
//! 1. `{{ … }}`, `{% … %}` and `{# … #}` end on the line on which they begin; one that does not is plain text, as in
//!    Django.
//! 2. Between `{% verbatim name %}` and `{% endverbatim name %}` everything is text.
//! 3. Each byte is looked at a fixed number of times: the places of the next closing marks and of the end of the line
//!    are remembered.

use std::ops::Range;

/// A piece of a template, by its place in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// The whole piece, marks included.
    pub(crate) span: Range<usize>,
}

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Hole,
    Tag,
    Comment,
}

impl Token {
    /// What stands between the marks, without white space around it.
    pub(crate) fn contents<'s>(&self, source: &'s str) -> &'s str {
        let whole = source.get(self.span.clone()).unwrap_or_default();
        match self.kind {
            Kind::Text => whole,
            _ => whole.get(2..whole.len().saturating_sub(2)).unwrap_or_default().trim(),
        }
    }
}

/// Cuts `source` into tokens that cover it completely, in order.
pub(crate) fn tokens(source: &str) -> Vec<Token> {
    let next_line = memchr::memchr(b'\n', source.as_bytes()).unwrap_or(usize::MAX);
    let mut lexer = Lexer {
        source,
        tokens: Vec::new(),
        text: 0,
        next_closer: [0; 3],
        next_line,
        verbatim: None,
    };
    lexer.run();
    lexer.tokens
}

const CLOSERS: [(u8, &str, Kind); 3] =
    [(b'{', "}}", Kind::Hole), (b'%', "%}", Kind::Tag), (b'#', "#}", Kind::Comment)];

struct Lexer<'s> {
    source: &'s str,
    tokens: Vec<Token>,
    /// Where the text begins that belongs to no token yet.
    text: usize,
    /// For each kind of mark, the place of the next closing one.
    next_closer: [usize; 3],
    /// The place of the next end of a line.
    next_line: usize,
    /// The words of the `verbatim` tag that is open.
    verbatim: Option<&'s str>,
}

impl<'s> Lexer<'s> {
    fn run(&mut self) {
        let mut at = 0;
        while let Some(open) = self.find(b'{', at) {
            at = match self.marked(open) {
                Some((kind, end)) => self.take(kind, open..end),
                None => open + 1,
            };
        }
        self.flush(self.source.len());
    }

    fn find(&self, byte: u8, from: usize) -> Option<usize> {
        let rest = self.source.as_bytes().get(from..)?;
        memchr::memchr(byte, rest).map(|offset| from + offset)
    }

    fn marked(&mut self, open: usize) -> Option<(Kind, usize)> {
        let second = self.source.as_bytes().get(open + 1)?;
        let which = CLOSERS.iter().position(|(mark, ..)| mark == second)?;
        let (_, closer, kind) = CLOSERS.get(which)?;
        let next = self.next_closer.get_mut(which)?;
        if *next < open + 2 {
            let found =
                memchr::memmem::find(self.source.as_bytes().get(open + 2..)?, closer.as_bytes());
            *next = found.map_or(usize::MAX, |offset| open + 2 + offset);
        }
        let close = *next;
        (close < self.line_end(open)).then(|| (*kind, close + 2))
    }

    fn line_end(&mut self, from: usize) -> usize {
        if self.next_line < from {
            self.next_line = self.find(b'\n', from).unwrap_or(usize::MAX);
        }
        self.next_line
    }

    /// Takes a marked piece as a token, or within `verbatim` as text. Returns where to go on.
    fn take(&mut self, kind: Kind, span: Range<usize>) -> usize {
        let token = Token { kind, span: span.clone() };
        let contents = token.contents(self.source);
        if let Some(name) = self.verbatim {
            if kind != Kind::Tag || contents.strip_prefix("end") != Some(name) {
                return span.end;
            }
            self.verbatim = None;
        } else if kind == Kind::Tag && (contents == "verbatim" || contents.starts_with("verbatim "))
        {
            self.verbatim = Some(contents);
        }
        self.flush(span.start);
        self.tokens.push(token);
        self.text = span.end;
        span.end
    }

    fn flush(&mut self, end: usize) {
        if self.text < end {
            self.tokens.push(Token { kind: Kind::Text, span: self.text..end });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(source: &str) -> Vec<(Kind, &str)> {
        tokens(source)
            .iter()
            .map(|token| (token.kind, source.get(token.span.clone()).unwrap_or_default()))
            .collect()
    }

    #[test]
    fn rule_1_marks_end_on_their_line() {
        assert_eq!(
            kinds("a{{ b }}{% c %}{# d #}e"),
            [
                (Kind::Text, "a"),
                (Kind::Hole, "{{ b }}"),
                (Kind::Tag, "{% c %}"),
                (Kind::Comment, "{# d #}"),
                (Kind::Text, "e")
            ]
        );
        assert_eq!(kinds("{{ a\n}}{%\n%}"), [(Kind::Text, "{{ a\n}}{%\n%}")]);
        assert_eq!(kinds("{{{ a }}"), [(Kind::Hole, "{{{ a }}")]);
    }

    #[test]
    fn rule_2_verbatim_is_text() {
        assert_eq!(
            kinds("{% verbatim x %}{{ a }}{% endverbatim %}{% endverbatim x %}").get(1),
            Some(&(Kind::Text, "{{ a }}{% endverbatim %}"))
        );
    }

    #[test]
    fn rule_3_time_is_linear() {
        let started = std::time::Instant::now();
        for hostile in ["{{", "{%", "{#", "{% verbatim %}", "{{{%{#", "{{ }}", "{{\n"] {
            tokens(&hostile.repeat(200_000));
        }
        assert!(started.elapsed().as_secs() < 5);
    }
}
