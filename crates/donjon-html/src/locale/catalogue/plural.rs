//! Which form a number takes: the C expressions of gettext's `Plural-Forms`.
//!
//! 1. An expression is short ([`MAX_EXPRESSION`]) and shallow ([`MAX_DEPTH`]); it cannot divide by zero or overflow.

use std::sync::Arc;

use super::CatalogueError;

/// The longest expression that is read, in bytes. gettext and Python have 1000.
const MAX_EXPRESSION: usize = 1000;
/// How deep brackets, `!` and `? :` may be nested.
const MAX_DEPTH: usize = 40;

/// The rule by which a language chooses among the forms of a message.
#[derive(Clone, Debug, Default)]
pub struct PluralRule(Kind);

#[derive(Clone, Debug, Default)]
enum Kind {
    #[default]
    Germanic,
    Number,
    Expression(Arc<Expression>),
}

#[derive(Debug)]
enum Expression {
    N,
    Literal(u64),
    Not(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
    Choice(Box<[Expression; 3]>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// Operators by how loosely they bind; the longer ones of a level first.
const LEVELS: [&[(&str, Operator)]; 6] = [
    &[("||", Operator::Or)],
    &[("&&", Operator::And)],
    &[("==", Operator::Equal), ("!=", Operator::Unequal)],
    &[
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[("*", Operator::Multiply), ("/", Operator::Divide), ("%", Operator::Remainder)],
];

impl PluralRule {
    /// Form 0 for one, form 1 for everything else: English, and what counts without a rule.
    #[must_use]
    pub fn germanic() -> Self {
        Self(Kind::Germanic)
    }

    /// Each number has a form of its own.
    #[must_use]
    pub fn by_number() -> Self {
        Self(Kind::Number)
    }

    /// Reads the expression behind `plural=`: `n%10==1 && n%100!=11 ? 0 : 1`.
    ///
    /// # Errors
    ///
    /// [`CatalogueError`] if it is no such expression, or too long or too deep.
    pub fn parse(expression: &str) -> Result<Self, CatalogueError> {
        let refused =
            || CatalogueError::new(format!("plural={expression:?} is no plural expression"));
        if expression.len() > MAX_EXPRESSION {
            return Err(refused());
        }
        let mut reader = Reader { rest: expression, depth: 0 };
        let parsed =
            reader.choice().filter(|_| reader.rest.trim().is_empty()).ok_or_else(refused)?;
        Ok(Self(Kind::Expression(Arc::new(parsed))))
    }

    /// Reads the value of the header `Plural-Forms`: `nplurals=2; plural=n != 1;`. Without a rule: Germanic.
    pub(super) fn from_header(header: &str) -> Result<Self, CatalogueError> {
        let rule = header.split(';').find_map(|part| part.trim().strip_prefix("plural="));
        rule.map_or_else(|| Ok(Self::germanic()), Self::parse)
    }

    /// The index of the form for `n`.
    #[must_use]
    pub fn index(&self, n: u64) -> u64 {
        match &self.0 {
            Kind::Germanic => u64::from(n != 1),
            Kind::Number => n,
            Kind::Expression(expression) => expression.value(n),
        }
    }
}

impl Expression {
    fn value(&self, n: u64) -> u64 {
        match self {
            Self::N => n,
            Self::Literal(number) => *number,
            Self::Not(inner) => u64::from(inner.value(n) == 0),
            Self::Binary(operator, left, right) => operator.apply(left.value(n), || right.value(n)),
            Self::Choice(parts) => {
                let [condition, yes, no] = &**parts;
                if condition.value(n) != 0 { yes.value(n) } else { no.value(n) }
            }
        }
    }
}

impl Operator {
    fn apply(self, left: u64, right: impl FnOnce() -> u64) -> u64 {
        match self {
            Self::Or => u64::from(left != 0 || right() != 0),
            Self::And => u64::from(left != 0 && right() != 0),
            Self::Equal => u64::from(left == right()),
            Self::Unequal => u64::from(left != right()),
            Self::Less => u64::from(left < right()),
            Self::LessOrEqual => u64::from(left <= right()),
            Self::Greater => u64::from(left > right()),
            Self::GreaterOrEqual => u64::from(left >= right()),
            Self::Add => left.wrapping_add(right()),
            Self::Subtract => left.wrapping_sub(right()),
            Self::Multiply => left.wrapping_mul(right()),
            Self::Divide => left.checked_div(right()).unwrap_or_default(),
            Self::Remainder => left.checked_rem(right()).unwrap_or_default(),
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    fn take(&mut self, token: &str) -> Option<()> {
        self.rest = self.rest.trim_start().strip_prefix(token)?;
        Some(())
    }

    fn nested(&mut self, read: fn(&mut Self) -> Option<Expression>) -> Option<Expression> {
        self.depth += 1;
        let inner = (self.depth <= MAX_DEPTH).then(|| read(self))??;
        self.depth -= 1;
        Some(inner)
    }

    fn choice(&mut self) -> Option<Expression> {
        let condition = self.binary(0)?;
        if self.take("?").is_none() {
            return Some(condition);
        }
        let yes = self.nested(Self::choice)?;
        self.take(":")?;
        let no = self.nested(Self::choice)?;
        Some(Expression::Choice(Box::new([condition, yes, no])))
    }

    fn binary(&mut self, level: usize) -> Option<Expression> {
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.binary(level + 1)?;
        while let Some((_, operator)) =
            operators.iter().find(|(token, _)| self.take(token).is_some())
        {
            let right = self.binary(level + 1)?;
            left = Expression::Binary(*operator, Box::new(left), Box::new(right));
        }
        Some(left)
    }

    fn unary(&mut self) -> Option<Expression> {
        if self.take("!").is_some() {
            return Some(Expression::Not(Box::new(self.nested(Self::unary)?)));
        }
        if self.take("(").is_some() {
            let inner = self.nested(Self::choice)?;
            return self.take(")").map(|()| inner);
        }
        self.take("n").map(|()| Expression::N).or_else(|| self.literal())
    }

    fn literal(&mut self) -> Option<Expression> {
        let text = self.rest.trim_start();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = text.split_at_checked(digits)?;
        self.rest = rest;
        number.parse().ok().map(Expression::Literal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(rule: &str, n: u64) -> Option<u64> {
        PluralRule::parse(rule).ok().map(|rule| rule.index(n))
    }

    #[test]
    fn languages() {
        let russian =
            "(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<12 || n%100>14) ? 1 : 2)";
        let numbers =
            [(1, 0), (2, 1), (5, 2), (11, 2), (12, 2), (21, 0), (22, 1), (112, 2), (0, 2)];
        for (n, form) in numbers {
            assert_eq!(index(russian, n), Some(form), "{n}");
        }
        assert_eq!(index("n != 1", 1), Some(0));
        assert_eq!(index("0", 7), Some(0));
        assert_eq!(index("!n", 0), Some(1));
        assert_eq!(index("n-1-1", 5), Some(3));
        assert_eq!(index("1+2*3 == 7 ? 4 : 5", 0), Some(4));
    }

    #[test]
    fn rule_1_nothing_explodes() {
        assert_eq!(index("n/0 + n%0", 3), Some(0));
        assert_eq!(index("0-1", 3), Some(u64::MAX));
        for bad in ["", "n n", "x", "(n", "n ? 1", "99999999999999999999999", "n ==", "é"] {
            assert_eq!(index(bad, 1), None, "{bad:?}");
        }
        assert_eq!(index(&"(".repeat(900), 1), None);
        assert_eq!(index(&"!".repeat(900), 1), None);
        assert_eq!(index(&format!("{}n", "n?n:".repeat(200)), 1), None);
        assert_eq!(index(&format!("n{}", "+n".repeat(600)), 1), None);
        assert_eq!(index(&format!("n{}", "+n".repeat(400)), 1), Some(401));
    }
}
