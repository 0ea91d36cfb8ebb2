//! Sending money.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use donjon::auth::LoggedIn;
use donjon::form::FormData;
use donjon::messages::Messages;
use donjon::page::Page;
use donjon_core::account::{AccountStore, User};
use donjon_core::clock::Clock;
use donjon_html::context;
use donjon_html::template::Value;

use super::field::{Field, required, too_long};
use crate::Bank;
use crate::ledger::{Order, TransferError};
use crate::money::Cents;
use crate::problem::Problem;

/// How long a user's name can be. Django: `auth_user.username`.
const MAX_USERNAME: usize = 150;

/// How long the purpose of a transfer can be.
const MAX_MEMO: usize = 140;

/// The form, as it was sent.
#[derive(Clone, Debug, Default)]
struct Filled {
    to: Field,
    amount: Field,
    memo: Field,
}

impl Filled {
    fn is_valid(&self) -> bool {
        [&self.to, &self.amount, &self.memo].into_iter().all(Field::is_valid)
    }
}

impl From<Filled> for Value {
    fn from(form: Filled) -> Self {
        context! { to: form.to, amount: form.amount, memo: form.memo }.into()
    }
}

/// `GET /transfer/`
///
/// # Errors
/// [`Problem`], if a store fails.
pub async fn show(
    State(bank): State<Bank>,
    LoggedIn(user): LoggedIn,
    page: Page,
) -> Result<Response, Problem> {
    form(&bank, &user, &page, Filled::default()).await
}

async fn form(bank: &Bank, user: &User, page: &Page, form: Filled) -> Result<Response, Problem> {
    let balance = bank.ledger.balance(user.id).await?.to_string();
    Ok(page.render("bank/transfer.html", context! { balance, form }).await?)
}

/// `POST /transfer/`
///
/// # Errors
/// [`Problem`], if a store fails.
pub async fn submit(
    State(bank): State<Bank>,
    LoggedIn(user): LoggedIn,
    messages: Messages,
    page: Page,
    data: FormData,
) -> Result<Response, Problem> {
    let mut filled = Filled::default();
    let Some(order) = read(&bank, &user, &data, &mut filled).await? else {
        return form(&bank, &user, &page, filled).await;
    };
    match bank.ledger.transfer(&order).await {
        Ok(()) => {
            messages.success(format!("You sent {} to {}.", order.amount, filled.to.value));
            Ok(Redirect::to("/account/").into_response())
        }
        Err(TransferError::Database(error)) => Err(error.into()),
        Err(error) => {
            match error {
                TransferError::Overdrawn => {
                    filled.amount.error = Some("That is more than you have.".to_owned());
                }
                _ => filled.to.error = Some(NO_ACCOUNT.to_owned()),
            }
            form(&bank, &user, &page, filled).await
        }
    }
}

const NO_ACCOUNT: &str = "Nobody of this name has an account here.";

/// The order, if every field is good; `filled` tells which isn't.
async fn read(
    bank: &Bank,
    sender: &User,
    data: &FormData,
    filled: &mut Filled,
) -> Result<Option<Order>, Problem> {
    let value = |name| data.value(name).unwrap_or_default();
    let (to, amount, memo) = (value("to").trim(), value("amount"), value("memo").trim());
    let parsed = Cents::parse(amount);
    let amount_error = required(amount, 16).or(parsed.err().map(|error| error.to_string()));
    filled.amount = Field::new(amount, amount_error);
    filled.memo = Field::new(memo, too_long(memo, MAX_MEMO));
    let recipient = match required(to, MAX_USERNAME) {
        Some(error) => Err(error),
        None => recipient(bank, sender, to).await?,
    };
    filled.to = Field::new(to, recipient.as_ref().err().cloned());
    Ok(match (recipient, parsed) {
        (Ok(recipient), Ok(amount)) if filled.is_valid() => Some(Order {
            sender: sender.id,
            recipient,
            amount,
            memo: memo.to_owned(),
            at: Clock::system().now(),
        }),
        _ => None,
    })
}

async fn recipient(bank: &Bank, sender: &User, to: &str) -> Result<Result<i64, String>, Problem> {
    Ok(match AccountStore::by_username(&*bank.accounts, to).await? {
        None => Err(NO_ACCOUNT.to_owned()),
        Some(user) if user.id == sender.id => Err("That is you.".to_owned()),
        Some(user) => Ok(user.id),
    })
}
