//! The balance and its transfers.
//!
//! 1. The address chooses the order and the page, `?sort=-amount&page=2`: a column that may not be
//!    chosen, and a page that is no number, are 404.

use std::collections::HashMap;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use donjon::auth::LoggedIn;
use donjon::page::Page;
use donjon_core::account::AccountStore;
use donjon_db::{OrderBy, Page as Rows, PageNumber};
use donjon_html::context;
use donjon_html::template::{DateTime, Value};

use crate::Bank;
use crate::ledger::sortable;
use crate::ledger::transfer::{Entity, Model};
use crate::money::Cents;
use crate::problem::Problem;

/// `GET /account/`
///
/// # Errors
/// [`Problem`], if a store fails.
pub async fn show(
    State(bank): State<Bank>,
    LoggedIn(user): LoggedIn,
    RawQuery(query): RawQuery,
    page: Page,
) -> Result<Response, Problem> {
    let view = View::read(query.as_deref().unwrap_or_default())?;
    let rows = bank.ledger.transfers(user.id, &view.order, view.number).await?;
    let names = names(&bank, user.id, &rows.items).await?;
    let transfers: Vec<Value> = rows.items.iter().map(|row| line(user.id, row, &names)).collect();
    let variables = context! {
        balance: bank.ledger.balance(user.id).await?.to_string(),
        transfers,
        pages: view.links(&rows),
    };
    Ok(page.render("bank/account.html", variables).await?)
}

/// The order when the address has none: the newest first.
const NEWEST: &str = "-date";

/// What the address chose.
struct View {
    sort: String,
    order: OrderBy<Entity>,
    number: PageNumber,
}

impl View {
    fn read(query: &str) -> Result<Self, Problem> {
        let (mut sort, mut number) = (NEWEST.to_owned(), PageNumber::FIRST);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "sort" => sort = value.into_owned(),
                "page" => number = PageNumber::parse(&value).map_err(|_| Problem::NoPage)?,
                _ => {}
            }
        }
        let order = sortable().order_by(&sort).map_err(|_| Problem::NoPage)?;
        Ok(Self { sort, order, number })
    }

    /// What the links beside the table need.
    fn links(&self, rows: &Rows<Model>) -> Value {
        let number = self.number.number();
        context! {
            sort: self.sort.as_str(),
            previous: rows.has_previous().then(|| i64::try_from(number - 1).unwrap_or(1)),
            next: rows.has_next.then(|| i64::try_from(number + 1).unwrap_or(1)),
        }
        .into()
    }
}

fn other(user: i64, row: &Model) -> i64 {
    if row.sender_id == user { row.recipient_id } else { row.sender_id }
}

/// The names of those on the other side.
async fn names(bank: &Bank, user: i64, rows: &[Model]) -> Result<HashMap<i64, String>, Problem> {
    let mut names = HashMap::new();
    for id in rows.iter().map(|row| other(user, row)) {
        if names.contains_key(&id) {
            continue;
        }
        if let Some(other) = AccountStore::by_id(&*bank.accounts, id).await? {
            names.insert(id, other.username.clone());
        }
    }
    Ok(names)
}

fn line(user: i64, row: &Model, names: &HashMap<i64, String>) -> Value {
    context! {
        at: DateTime::from_epoch_seconds(row.made_at),
        incoming: row.recipient_id == user,
        other: names.get(&other(user, row)).map_or("a former customer", String::as_str),
        memo: row.memo.as_str(),
        amount: Cents(row.amount).to_string(),
    }
    .into()
}
