//! The balance and its transfers.

use std::collections::HashMap;

use axum::extract::State;
use axum::response::Response;
use donjon::auth::LoggedIn;
use donjon::page::Page;
use donjon_core::account::AccountStore;
use donjon_html::context;
use donjon_html::template::{DateTime, Value};

use crate::Bank;
use crate::ledger::transfer::Model;
use crate::money::Cents;
use crate::problem::Problem;

/// `GET /account/`
///
/// # Errors
/// [`Problem`], if a store fails.
pub async fn show(
    State(bank): State<Bank>,
    LoggedIn(user): LoggedIn,
    page: Page,
) -> Result<Response, Problem> {
    let rows = bank.ledger.transfers(user.id).await?;
    let names = names(&bank, user.id, &rows).await?;
    let transfers: Vec<Value> = rows.iter().map(|row| line(user.id, row, &names)).collect();
    let variables = context! {
        balance: bank.ledger.balance(user.id).await?.to_string(),
        transfers,
    };
    Ok(page.render("bank/account.html", variables).await?)
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
