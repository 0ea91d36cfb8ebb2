//! Columns that a request may choose.

use std::fmt;

use sea_orm::sea_query::Order;
use sea_orm::{EntityTrait, IdenStatic, Iterable, PrimaryKeyToColumn, QueryOrder};

/// How many columns a request may sort by.
pub const MAX_ORDER_KEYS: usize = 8;

/// How many characters of an unknown name an error repeats.
const SHOWN: usize = 40;

/// The columns of an entity that a request may name: to sort by, or to filter by.
///
/// A request's text is never a column's name. It is looked up here, and what comes back is the
/// entity's own column.
///
/// ```
/// use donjon_db::{Columns, OrderBy};
/// # mod item {
/// #     use sea_orm::entity::prelude::*;
/// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
/// #     #[sea_orm(table_name = "item")]
/// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub name: String, pub secret: String }
/// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
/// #     pub enum Relation {}
/// #     impl ActiveModelBehavior for ActiveModel {}
/// # }
/// use sea_orm::EntityTrait;
///
/// let columns = Columns::<item::Entity>::of([item::Column::Name]).named("number", item::Column::Id);
/// let order = columns.order_by("-name,number")?;
/// let newest = order.apply(item::Entity::find());
/// assert!(columns.order_by("secret").is_err());
/// # Ok::<(), donjon_db::ColumnError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Columns<E: EntityTrait>(Vec<(&'static str, E::Column)>);

impl<E: EntityTrait> Columns<E> {
    /// These columns, by their names in the table.
    #[must_use]
    pub fn of(columns: impl IntoIterator<Item = E::Column>) -> Self {
        Self(columns.into_iter().map(|column| (column.as_str(), column)).collect())
    }

    /// And this one, by a name of one's own.
    #[must_use]
    pub fn named(mut self, name: &'static str, column: E::Column) -> Self {
        self.0.push((name, column));
        self
    }

    /// Reads Django's words for an order, `-made_at,name`: a minus sorts downwards. At most
    /// [`MAX_ORDER_KEYS`]; Django's `?`, any order, is refused, for it sorts the whole table.
    ///
    /// # Errors
    /// A [`ColumnError`], if a name is none of these, comes twice, or there are too many.
    pub fn order_by(&self, text: &str) -> Result<OrderBy<E>, ColumnError> {
        let mut keys = Vec::new();
        for word in text.split(',').map(str::trim) {
            if keys.len() == MAX_ORDER_KEYS {
                return Err(ColumnError(Problem::TooMany));
            }
            let (name, order) = match word.strip_prefix('-') {
                Some(name) => (name, Order::Desc),
                None => (word, Order::Asc),
            };
            keys.push((self.index(name)?, order));
        }
        self.sorted(keys)
    }

    /// The column of this name.
    ///
    /// # Errors
    /// A [`ColumnError`] if it is none of these.
    pub fn key(&self, name: &str) -> Result<FilterKey<E>, ColumnError> {
        self.index(name).map(|index| FilterKey(self.0[index].1))
    }

    /// The names, in their order: for a page that offers them.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(name, _)| *name)
    }

    fn index(&self, name: &str) -> Result<usize, ColumnError> {
        let index = self.0.iter().position(|(known, _)| *known == name);
        index.ok_or_else(|| ColumnError(Problem::Unknown(self.unknown(name))))
    }

    fn unknown(&self, name: &str) -> Unknown {
        Unknown { name: name.chars().take(SHOWN).collect(), known: self.names().collect() }
    }

    fn sorted(&self, keys: Vec<(usize, Order)>) -> Result<OrderBy<E>, ColumnError> {
        for (place, (index, _)) in keys.iter().enumerate() {
            if keys[..place]
                .iter()
                .any(|(before, _)| self.0[*before].1.as_str() == self.0[*index].1.as_str())
            {
                return Err(ColumnError(Problem::Twice(self.0[*index].0)));
            }
        }
        Ok(OrderBy(keys.into_iter().map(|(index, order)| (self.0[index].1, order)).collect()))
    }
}

/// An order that a request chose among [`Columns`].
#[derive(Clone, Debug)]
pub struct OrderBy<E: EntityTrait>(Vec<(E::Column, Order)>);

impl<E: EntityTrait> OrderBy<E> {
    /// An order that the site chose.
    #[must_use]
    pub fn of(keys: impl IntoIterator<Item = (E::Column, Order)>) -> Self {
        Self(keys.into_iter().collect())
    }

    /// The query in this order. Rows that are equal in it come in the order of their primary key, so
    /// that no row stands on two pages.
    #[must_use]
    pub fn apply<Q: QueryOrder>(&self, query: Q) -> Q {
        let chosen = self.0.iter().cloned();
        let ties = E::PrimaryKey::iter()
            .map(PrimaryKeyToColumn::into_column)
            .filter(|key| self.0.iter().all(|(column, _)| column.as_str() != key.as_str()))
            .map(|key| (key, self.0.first().map_or(Order::Asc, |(_, order)| order.clone())));
        chosen.chain(ties).fold(query, |query, (column, order)| query.order_by(column, order))
    }
}

/// A column that a request chose among [`Columns`].
#[derive(Clone, Copy, Debug)]
pub struct FilterKey<E: EntityTrait>(E::Column);

impl<E: EntityTrait> FilterKey<E> {
    /// The column, to filter by: `key.column().eq(value)`.
    #[must_use]
    pub fn column(&self) -> E::Column {
        self.0
    }
}

/// Why a request may not choose that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnError(Problem);

/// What kind of mistake it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColumnErrorKind {
    /// No column of this name may be chosen.
    Unknown,
    /// A column comes twice.
    Twice,
    /// More than [`MAX_ORDER_KEYS`].
    TooMany,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    Unknown(Unknown),
    Twice(&'static str),
    TooMany,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Unknown {
    name: String,
    known: Vec<&'static str>,
}

impl ColumnError {
    /// What kind of mistake it is.
    #[must_use]
    pub fn kind(&self) -> ColumnErrorKind {
        match self.0 {
            Problem::Unknown(_) => ColumnErrorKind::Unknown,
            Problem::Twice(_) => ColumnErrorKind::Twice,
            Problem::TooMany => ColumnErrorKind::TooMany,
        }
    }
}

impl fmt::Display for ColumnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Problem::Unknown(Unknown { name, known }) => {
                write!(f, "no column {name:?} may be chosen here; choose of {}", known.join(", "))
            }
            Problem::Twice(name) => write!(f, "the column {name} comes twice; name it once"),
            Problem::TooMany => {
                write!(f, "more than {MAX_ORDER_KEYS} columns to sort by; name fewer")
            }
        }
    }
}

impl std::error::Error for ColumnError {}
