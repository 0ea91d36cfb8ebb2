//! The conditions of `{% if %}`: Django's operators with Django's precedence.
//!
//! Stops conditions that mean something else than they say.
//!
//! 1. From weakest to strongest: `or`, `and`, `not`, `in` and `not in`, then `is`, `is not`, `==`, `!=`, `<`, `<=`,
//!    `>`, `>=`. There are no parentheses.
//! 2. A comparison that Python refuses is false.
//! 3. A condition deeper than [`MAX_DEPTH`] is refused when the template is loaded.

use super::expression::{Complaint, Expression};
use super::library::Vocabulary;

/// The deepest nesting of operators in one condition.
pub(crate) const MAX_DEPTH: usize = 100;

/// A condition.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    Value(Expression),
    Not(Box<Condition>),
    Binary(Operator, Box<(Condition, Condition)>),
}

/// An operator with two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Or,
    And,
    In,
    NotIn,
    Is,
    IsNot,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    /// The strength with which the operator binds: Django's numbers.
    fn binding(self) -> u8 {
        match self {
            Self::Or => 6,
            Self::And => 7,
            Self::In | Self::NotIn => 9,
            _ => 10,
        }
    }
}

const NOT: u8 = 8;

impl Condition {
    /// Reads the words of an `if` tag.
    pub(crate) fn parse(words: &[&str], vocabulary: &Vocabulary<'_>) -> Result<Self, Complaint> {
        let mut parser = Parser { words, at: 0, vocabulary, depth: 0 };
        let condition = parser.expression(0)?;
        match parser.peek() {
            None => Ok(condition),
            Some(word) => Err(format!("Unused '{word}' at end of if expression.")),
        }
    }
}

struct Parser<'a> {
    words: &'a [&'a str],
    at: usize,
    vocabulary: &'a Vocabulary<'a>,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.words.get(self.at).copied()
    }

    fn next(&mut self) -> Option<&'a str> {
        let word = self.peek();
        self.at += 1;
        word
    }

    fn expression(&mut self, binding: u8) -> Result<Condition, Complaint> {
        self.deeper()?;
        let mut left = self.prefix()?;
        while let Some((operator, length)) =
            self.operator().filter(|(operator, _)| operator.binding() > binding)
        {
            self.at += length;
            self.deeper()?;
            let right = self.expression(operator.binding())?;
            left = Condition::Binary(operator, Box::new((left, right)));
        }
        Ok(left)
    }

    fn deeper(&mut self) -> Result<(), Complaint> {
        self.depth += 1;
        match self.depth > MAX_DEPTH {
            true => Err(format!("more than {MAX_DEPTH} operators in one condition")),
            false => Ok(()),
        }
    }

    fn prefix(&mut self) -> Result<Condition, Complaint> {
        match self.next() {
            None => Err("Unexpected end of expression in if tag.".into()),
            Some("not") => Ok(Condition::Not(Box::new(self.expression(NOT)?))),
            Some(word) if is_operator(word) => {
                Err(format!("Not expecting '{word}' in this position in if tag."))
            }
            Some(word) => Expression::parse(word, self.vocabulary).map(Condition::Value),
        }
    }

    fn operator(&self) -> Option<(Operator, usize)> {
        let second = self.words.get(self.at + 1).copied();
        Some(match (self.peek()?, second) {
            ("not", Some("in")) => (Operator::NotIn, 2),
            ("is", Some("not")) => (Operator::IsNot, 2),
            ("or", _) => (Operator::Or, 1),
            ("and", _) => (Operator::And, 1),
            ("in", _) => (Operator::In, 1),
            ("is", _) => (Operator::Is, 1),
            ("==", _) => (Operator::Equal, 1),
            ("!=", _) => (Operator::NotEqual, 1),
            ("<", _) => (Operator::Less, 1),
            ("<=", _) => (Operator::LessOrEqual, 1),
            (">", _) => (Operator::Greater, 1),
            (">=", _) => (Operator::GreaterOrEqual, 1),
            _ => return None,
        })
    }
}

fn is_operator(word: &str) -> bool {
    matches!(word, "or" | "and" | "in" | "is" | "==" | "!=" | "<" | "<=" | ">" | ">=")
}

impl Condition {
    /// Shows every expression of the condition.
    pub(crate) fn expressions(&self, see: &mut dyn FnMut(&Expression)) {
        match self {
            Self::Value(expression) => see(expression),
            Self::Not(inner) => inner.expressions(see),
            Self::Binary(_, sides) => {
                sides.0.expressions(see);
                sides.1.expressions(see);
            }
        }
    }
}
