//! Patterns for `like` whose text comes from a request.

use sea_orm::sea_query::LikeExpr;

/// Escapes the wildcards. Not a backslash: MariaDB and PostgreSQL read one in a literal differently.
const ESCAPE: char = '!';

/// A pattern for `like` in which a request's text stands for itself: `%`, `_` and `\` in it are no
/// wildcards.
///
/// SeaORM's own `contains`, `starts_with` and `ends_with` leave them, so that `%` finds every row and
/// `%_%_%_%` costs the database its time.
///
/// ```
/// use donjon_db::Pattern;
/// # mod item {
/// #     use sea_orm::entity::prelude::*;
/// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
/// #     #[sea_orm(table_name = "item")]
/// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub name: String }
/// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
/// #     pub enum Relation {}
/// #     impl ActiveModelBehavior for ActiveModel {}
/// # }
/// use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
///
/// let found = item::Entity::find().filter(item::Column::Name.like(Pattern::contains("100%")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Whatever has this text in it.
    #[must_use]
    pub fn contains(text: &str) -> Self {
        Self(format!("%{}%", escaped(text)))
    }

    /// Whatever begins with this text.
    #[must_use]
    pub fn starts_with(text: &str) -> Self {
        Self(format!("{}%", escaped(text)))
    }

    /// Whatever ends with this text.
    #[must_use]
    pub fn ends_with(text: &str) -> Self {
        Self(format!("%{}", escaped(text)))
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '%' | '_' | ESCAPE) {
            escaped.push(ESCAPE);
        }
        escaped.push(character);
    }
    escaped
}

impl From<Pattern> for LikeExpr {
    fn from(pattern: Pattern) -> Self {
        LikeExpr::new(pattern.0).escape(ESCAPE)
    }
}
