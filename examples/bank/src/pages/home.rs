//! What this is, and the bank's view of the attacks.

use axum::extract::State;
use axum::response::Response;
use donjon::page::Page;
use donjon_html::context;
use donjon_html::template::{Value, Variables};

use crate::Bank;
use crate::people::{PEOPLE, Person};
use crate::problem::Problem;
use crate::witness::CAPACITY;

impl From<&Person> for Value {
    fn from(person: &Person) -> Self {
        context! { username: person.username, password: person.password, role: person.role }.into()
    }
}

/// The demonstration's users, for a template.
pub(crate) fn people() -> Vec<Value> {
    PEOPLE.iter().map(Value::from).collect()
}

/// `GET /`
///
/// # Errors
/// [`Problem`], if the page can't be made.
pub async fn show(State(bank): State<Bank>, page: Page) -> Result<Response, Problem> {
    let variables: Variables = context! {
        attacker_url: &*bank.attacker_url,
        app_url: &*bank.app_url,
        people: people(),
    };
    Ok(page.render("bank/home.html", variables).await?)
}

/// `GET /attacks/`
///
/// # Errors
/// [`Problem`], if the page can't be made.
pub async fn attacks(State(bank): State<Bank>, page: Page) -> Result<Response, Problem> {
    let answers: Vec<Value> = bank.witness.latest().iter().map(Value::from).collect();
    let variables = context! { attacker_url: &*bank.attacker_url, capacity: CAPACITY, answers };
    Ok(page.render("bank/attacks.html", variables).await?)
}
