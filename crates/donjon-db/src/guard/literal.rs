//! SQL as text: written in the source, its values bound.

use std::marker::PhantomData;

use sea_orm::{DbBackend, FromQueryResult, Statement, Value, Values};

/// How many arguments one [`sql!`](crate::sql) takes.
pub const MAX_ARGUMENTS: usize = 32;

/// How many values a [`list`] may have: SQLite's own limit of parameters is the lowest.
pub const MAX_LIST: usize = 32_000;

/// SQL that stands in the source, with its values beside it: what [`sql!`](crate::sql) makes, and
/// nothing else does.
#[derive(Clone, Debug)]
#[must_use = "SQL does nothing until a `Db` runs it"]
pub struct SafeSql {
    sql: &'static str,
    names: &'static [&'static str],
    parameters: Vec<Parameter>,
}

/// What [`sql!`](crate::sql) writes: text that the compiler has seen. A string made at run time can't
/// become a constant, leaked or not.
#[doc(hidden)]
pub trait Literal {
    /// The text.
    const SQL: &'static str;
    /// The names of its arguments.
    const NAMES: &'static [&'static str];
    /// Fails to compile if they don't fit together.
    const CHECKED: () = check(Self::SQL, Self::NAMES);
}

/// What stands for a `{name}`: one value, or those of a [`list`].
#[derive(Clone, Debug)]
#[doc(hidden)]
pub enum Parameter {
    /// One.
    One(Value),
    /// As many as there are.
    Many(Vec<Value>),
}

/// What can be bound.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be bound to a parameter of `sql!`",
    note = "bind numbers, text, bytes, times, or an `Option` of these; for `in (…)` write `ids = list(ids)`"
)]
pub trait IntoParameter {
    /// The parameter.
    fn into_parameter(self) -> Parameter;
}

impl<V: Into<Value>> IntoParameter for V {
    fn into_parameter(self) -> Parameter {
        Parameter::One(self.into())
    }
}

/// Values for `in (…)`, from [`list`].
#[derive(Clone, Debug)]
pub struct List(Vec<Value>);

impl IntoParameter for List {
    fn into_parameter(self) -> Parameter {
        Parameter::Many(self.0)
    }
}

/// Values for `in ({name})`, at most [`MAX_LIST`]; the rest is left out.
///
/// An empty list is `in (NULL)`, and neither that nor `not in (NULL)` finds a row.
#[must_use]
pub fn list<V: Into<Value>>(values: impl IntoIterator<Item = V>) -> List {
    List(values.into_iter().take(MAX_LIST).map(Into::into).collect())
}

/// SQL with bound values: `sql!("select name from item where owner = {owner}", owner)`.
///
/// The text is a literal. A `{name}` in it is a value that is bound, never text that is put in; it
/// stands without quotes, on every database alike. Each name follows as an argument: `owner`, or
/// `owner = request.user`, or `ids = list(ids)` for `in ({ids})`. A brace that is meant is `{{` or `}}`.
///
/// What does not fit does not compile: text that is no literal, a placeholder without an argument, an
/// argument without a placeholder, a placeholder in quotes.
///
/// ```
/// use donjon_db::{Db, DbError, sql};
/// use sea_orm::FromQueryResult;
///
/// #[derive(FromQueryResult)]
/// struct Total {
///     owner: String,
///     total: i64,
/// }
///
/// async fn totals(db: &Db, least: i64) -> Result<Vec<Total>, DbError> {
///     let totals = sql!(
///         "select owner, count(*) as total from item group by owner having count(*) >= {least}",
///         least
///     );
///     db.all(totals.rows::<Total>()).await
/// }
/// ```
#[macro_export]
macro_rules! sql {
    ($sql:literal $(, $name:ident $(= $value:expr)?)* $(,)?) => {{
        struct Written;
        impl $crate::guard::Literal for Written {
            const SQL: &'static str = $sql;
            const NAMES: &'static [&'static str] = &[$(::core::stringify!($name)),*];
        }
        const _: () = <Written as $crate::guard::Literal>::CHECKED;
        $crate::SafeSql::written::<Written>(::std::vec![$(
            $crate::guard::IntoParameter::into_parameter($crate::argument!($name $(= $value)?))
        ),*])
    }};
    ($($text:tt)*) => {
        ::core::compile_error!(
            "SQL is a literal: write sql!(\"select … where name = {name}\", name), and the value is bound; \
             for parts that change use SeaORM's query builder, and for a column chosen at run time `Columns`"
        )
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! argument {
    ($name:ident = $value:expr) => {
        $value
    };
    ($name:ident) => {
        $name
    };
}

impl SafeSql {
    /// What [`sql!`](crate::sql) expands to.
    #[doc(hidden)]
    pub fn written<L: Literal>(parameters: Vec<Parameter>) -> Self {
        // For who writes a `Literal` without the macro, which looks earlier.
        let () = L::CHECKED;
        Self { sql: L::SQL, names: L::NAMES, parameters }
    }

    /// The same, for its rows.
    pub fn rows<M: FromQueryResult>(self) -> SafeRows<M> {
        SafeRows { sql: self, row: PhantomData }
    }

    /// Does it only read? Then it may run where reading is cheap.
    pub(super) fn reads(&self) -> bool {
        let verb = self.sql.trim_start().as_bytes();
        verb.get(..6).is_some_and(|verb| verb.eq_ignore_ascii_case(b"select"))
    }

    pub(super) fn statement(self, backend: DbBackend) -> Statement {
        let mut written = Written { backend, sql: String::new(), values: Vec::new() };
        let mut scan = Scan::new(self.sql);
        while let Some((piece, next)) = scan.next() {
            match piece {
                Piece::Text { from, to } => written.sql.push_str(&self.sql[from..to]),
                Piece::Name { from, to, .. } => written.bind(self.parameter(&self.sql[from..to])),
                // The check has refused it.
                Piece::Wrong => {}
            }
            scan = next;
        }
        written.finish()
    }

    fn parameter(&self, name: &str) -> Option<&Parameter> {
        let index = self.names.iter().position(|known| *known == name)?;
        self.parameters.get(index)
    }
}

/// SQL whose rows are read as `M`.
#[derive(Clone, Debug)]
#[must_use = "SQL does nothing until a `Db` runs it"]
pub struct SafeRows<M> {
    pub(super) sql: SafeSql,
    row: PhantomData<fn() -> M>,
}

struct Written {
    backend: DbBackend,
    sql: String,
    values: Vec<Value>,
}

impl Written {
    fn bind(&mut self, parameter: Option<&Parameter>) {
        match parameter {
            Some(Parameter::One(value)) => self.place(value),
            Some(Parameter::Many(values)) if !values.is_empty() => self.place_all(values),
            _ => self.sql.push_str("NULL"),
        }
    }

    fn place_all(&mut self, values: &[Value]) {
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.sql.push_str(", ");
            }
            self.place(value);
        }
    }

    fn place(&mut self, value: &Value) {
        self.values.push(value.clone());
        match self.backend {
            DbBackend::Postgres => self.sql.push_str(&format!("${}", self.values.len())),
            _ => self.sql.push('?'),
        }
    }

    fn finish(self) -> Statement {
        Statement { sql: self.sql, values: Some(Values(self.values)), db_backend: self.backend }
    }
}

/// Walks through the text, at compile time and at run time.
#[derive(Clone, Copy)]
struct Scan {
    sql: &'static str,
    at: usize,
    /// The quote that is open, or 0.
    quote: u8,
}

enum Piece {
    /// Text as it stands, without the second of two braces.
    Text { from: usize, to: usize },
    /// The name in braces.
    Name { from: usize, to: usize, quoted: bool },
    /// A brace without its partner.
    Wrong,
}

impl Scan {
    const fn new(sql: &'static str) -> Self {
        Self { sql, at: 0, quote: 0 }
    }

    const fn next(self) -> Option<(Piece, Self)> {
        let text = self.sql.as_bytes();
        if self.at >= text.len() {
            return None;
        }
        let brace = text[self.at];
        if brace != b'{' && brace != b'}' {
            return Some(self.text());
        }
        if self.at + 1 < text.len() && text[self.at + 1] == brace {
            let piece = Piece::Text { from: self.at, to: self.at + 1 };
            return Some((piece, Self { at: self.at + 2, ..self }));
        }
        Some(self.name(brace))
    }

    const fn text(self) -> (Piece, Self) {
        let text = self.sql.as_bytes();
        let (mut to, mut quote) = (self.at, self.quote);
        while to < text.len() && text[to] != b'{' && text[to] != b'}' {
            if quote == text[to] {
                quote = 0;
            } else if quote == 0 && matches!(text[to], b'\'' | b'"' | b'`') {
                quote = text[to];
            }
            to += 1;
        }
        (Piece::Text { from: self.at, to }, Self { at: to, quote, ..self })
    }

    const fn name(self, brace: u8) -> (Piece, Self) {
        let text = self.sql.as_bytes();
        let from = self.at + 1;
        let mut to = from;
        while to < text.len() && (text[to].is_ascii_alphanumeric() || text[to] == b'_') {
            to += 1;
        }
        let next = Self { at: to + 1, ..self };
        if brace == b'}' || to == from || to >= text.len() || text[to] != b'}' {
            return (Piece::Wrong, next);
        }
        (Piece::Name { from, to, quoted: self.quote != 0 }, next)
    }
}

const fn check(sql: &'static str, names: &'static [&'static str]) {
    assert!(names.len() <= MAX_ARGUMENTS, "sql! takes at most 32 arguments");
    let mut used = [false; MAX_ARGUMENTS];
    let mut wrong = false;
    let mut scan = Scan::new(sql);
    while let Some((piece, next)) = scan.next() {
        match piece {
            Piece::Text { .. } => {}
            Piece::Name { from, to, quoted } => {
                assert!(!quoted, "a {{name}} in quotes: write it without them, its value is bound");
                let index = position(names, sql.as_bytes(), from, to);
                assert!(
                    index < names.len(),
                    "a {{name}} without its argument: write sql!(\"… {{id}}\", id)"
                );
                used[index] = true;
            }
            Piece::Wrong => wrong = true,
        }
        scan = next;
    }
    assert!(!wrong, "a brace that is meant is written twice: {{{{ or }}}}");
    let mut index = 0;
    while index < names.len() {
        assert!(used[index], "an argument without its {{name}} in the text");
        index += 1;
    }
}

/// Where the name stands among the arguments; their number if it does not.
const fn position(names: &[&str], sql: &[u8], from: usize, to: usize) -> usize {
    let mut index = 0;
    while index < names.len() && !same(names[index].as_bytes(), sql, from, to) {
        index += 1;
    }
    index
}

const fn same(name: &[u8], sql: &[u8], from: usize, to: usize) -> bool {
    let mut at = 0;
    while at < name.len() && from + at < to && name[at] == sql[from + at] {
        at += 1;
    }
    at == name.len() && from + at == to
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(sql: SafeSql, backend: DbBackend) -> (String, usize) {
        let statement = sql.statement(backend);
        (statement.sql, statement.values.map_or(0, |values| values.0.len()))
    }

    #[test]
    fn each_database_gets_its_placeholders() {
        let (owner, ids) = ("o'); drop table item --", [1, 2]);
        let sql = crate::sql!(
            "select '{{' from item where owner = {owner} and id in ({ids}) or {owner} = ''",
            owner,
            ids = list(ids)
        );
        let (postgres, count) = built(sql.clone(), DbBackend::Postgres);
        assert_eq!(postgres, "select '{' from item where owner = $1 and id in ($2, $3) or $4 = ''");
        assert_eq!(count, 4);
        for backend in [DbBackend::Sqlite, DbBackend::MySql] {
            let question = "select '{' from item where owner = ? and id in (?, ?) or ? = ''";
            assert_eq!(built(sql.clone(), backend), (question.to_owned(), 4));
        }
    }

    #[test]
    fn an_empty_list_finds_nothing() {
        let sql = crate::sql!("select 1 where 1 in ({ids})", ids = list([0_i64; 0]));
        assert_eq!(built(sql, DbBackend::Sqlite), ("select 1 where 1 in (NULL)".to_owned(), 0));
    }

    #[test]
    fn reading_is_told_from_writing() {
        assert!(crate::sql!(" SELECT 1").reads());
        assert!(!crate::sql!("delete from item").reads());
        assert!(
            !crate::sql!("with gone as (delete from item returning id) select * from gone").reads()
        );
    }
}
