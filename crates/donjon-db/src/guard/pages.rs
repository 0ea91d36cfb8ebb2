//! A query's rows, one page at a time.

use std::fmt;

use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect, Value};

use super::Db;
use super::query::{Count, FetchAll};
use crate::DbError;

/// How many rows a page has when nothing is said.
pub const PAGE_SIZE: u64 = 25;

/// How many rows a page has at most.
pub const MAX_PAGE_SIZE: u64 = 200;

/// The highest page: the database walks over all rows before it. Beyond it, go on from a key:
/// [`Pages::after`].
pub const MAX_PAGE: u64 = 10_000;

/// How a query's rows are divided.
///
/// ```
/// use donjon_db::{Columns, Db, DbError, PageNumber, Pages};
/// # mod item {
/// #     use sea_orm::entity::prelude::*;
/// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
/// #     #[sea_orm(table_name = "item")]
/// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub name: String }
/// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
/// #     pub enum Relation {}
/// #     impl ActiveModelBehavior for ActiveModel {}
/// # }
/// use sea_orm::EntityTrait;
///
/// async fn shown(db: &Db, page: &str, sort: &str) -> Result<Vec<item::Model>, Box<dyn std::error::Error>> {
///     let order = Columns::<item::Entity>::of([item::Column::Name]).order_by(sort)?;
///     let page = Pages::of(20).page(db, order.apply(item::Entity::find()), PageNumber::parse(page)?).await?;
///     Ok(page.items)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pages {
    size: u64,
}

impl Default for Pages {
    fn default() -> Self {
        Self { size: PAGE_SIZE }
    }
}

impl Pages {
    /// Pages of so many rows: at least one, at most [`MAX_PAGE_SIZE`].
    #[must_use]
    pub fn of(size: u64) -> Self {
        Self { size: size.clamp(1, MAX_PAGE_SIZE) }
    }

    /// One page. The query should have an order; without one the database may show a row twice.
    ///
    /// # Errors
    /// A [`DbError`] if the database refuses.
    pub async fn page<Q>(
        &self,
        db: &Db,
        query: Q,
        number: PageNumber,
    ) -> Result<Page<Q::Row>, DbError>
    where
        Q: FetchAll + QuerySelect,
    {
        let offset = (number.0 - 1) * self.size;
        let items = db.all(query.offset(offset).limit(self.size + 1)).await?;
        Ok(self.cut(items, number))
    }

    /// One page, and how many rows there are in all: the database walks over all of them.
    ///
    /// # Errors
    /// As for [`page`](Self::page).
    pub async fn counted_page<Q>(
        &self,
        db: &Db,
        query: Q,
        number: PageNumber,
    ) -> Result<Page<Q::Row>, DbError>
    where
        Q: Count + QuerySelect + Clone,
    {
        let count = db.count(query.clone()).await?;
        let page = self.page(db, query, number).await?;
        Ok(Page { count: Some(count), ..page })
    }

    /// The rows after a key, the lowest first: as fast in the millionth row as in the first, if the
    /// column has an index. Its values must be unique.
    ///
    /// # Errors
    /// As for [`page`](Self::page).
    pub async fn after<Q, C>(
        &self,
        db: &Db,
        query: Q,
        column: C,
        key: Option<Value>,
    ) -> Result<Page<Q::Row>, DbError>
    where
        Q: FetchAll + QueryFilter + QueryOrder + QuerySelect,
        C: ColumnTrait,
    {
        let query = match key {
            Some(key) => query.filter(column.gt(key)),
            None => query,
        };
        self.page(db, query.order_by_asc(column), PageNumber::FIRST).await
    }

    /// The rows before a key, the highest first: the newest, where keys grow.
    ///
    /// # Errors
    /// As for [`page`](Self::page).
    pub async fn before<Q, C>(
        &self,
        db: &Db,
        query: Q,
        column: C,
        key: Option<Value>,
    ) -> Result<Page<Q::Row>, DbError>
    where
        Q: FetchAll + QueryFilter + QueryOrder + QuerySelect,
        C: ColumnTrait,
    {
        let query = match key {
            Some(key) => query.filter(column.lt(key)),
            None => query,
        };
        self.page(db, query.order_by_desc(column), PageNumber::FIRST).await
    }

    /// One row more than fits tells that there is another page.
    fn cut<T>(&self, mut items: Vec<T>, number: PageNumber) -> Page<T> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let has_next = items.len() > size;
        items.truncate(size);
        Page { items, number, has_next, count: None, size: self.size }
    }
}

/// The number of a page, from 1 to [`MAX_PAGE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageNumber(u64);

impl PageNumber {
    /// The first.
    pub const FIRST: Self = Self(1);

    /// Reads a request's text.
    ///
    /// # Errors
    /// [`NoPage`] for anything but a number from 1 to [`MAX_PAGE`].
    pub fn parse(text: &str) -> Result<Self, NoPage> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|number| digits && (1..=MAX_PAGE).contains(number));
        number.map(Self).ok_or(NoPage(()))
    }

    /// The number.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}

/// A page that there can't be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPage(());

impl fmt::Display for NoPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no such page; a page is a number from 1 to {MAX_PAGE}")
    }
}

impl std::error::Error for NoPage {}

/// Some of a query's rows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page<T> {
    /// The rows, at most as many as a page has.
    pub items: Vec<T>,
    /// Which page it is.
    pub number: PageNumber,
    /// Are there rows after these?
    pub has_next: bool,
    /// How many rows there are in all, if that was asked.
    pub count: Option<u64>,
    size: u64,
}

impl<T> Page<T> {
    /// Are there pages before this one?
    #[must_use]
    pub fn has_previous(&self) -> bool {
        self.number > PageNumber::FIRST
    }

    /// How many pages there are, at least one, if the rows were counted.
    #[must_use]
    pub fn num_pages(&self) -> Option<u64> {
        self.count.map(|count| count.div_ceil(self.size).max(1))
    }
}
