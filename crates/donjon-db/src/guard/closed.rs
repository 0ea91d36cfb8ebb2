//! The names of SeaORM's raw doors on a [`Db`]: whoever tries them is told what to write.

use std::convert::Infallible;

use super::Db;

/// What could be run as text: nothing.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a `Db` runs no text as SQL",
    label = "a request could write this",
    note = "write a query: `db.all(Entity::find().filter(Column::Name.eq(name)))`",
    note = "or SQL as a literal: `db.execute(sql!(\"delete from item where name = {{name}}\", name))`; the value is bound"
)]
pub trait Text {
    /// Proves that there is none.
    fn none(self) -> Infallible;
}

macro_rules! closed {
    ($($door:ident),+) => {
        impl Db {$(
            /// SeaORM's door of this name is closed.
            #[doc(hidden)]
            pub async fn $door<T: Text>(&self, text: T) -> Infallible {
                text.none()
            }
        )+}
    };
}

closed!(execute_unprepared, execute_raw, query_one_raw, query_all_raw, stream_raw);
