//! The people of the demonstration.

use donjon::password::{Busy, Passwords};
use donjon_core::account::{AccountStore, NewUser, UserCreation};
use donjon_core::clock::Clock;
use donjon_core::session::StoreError;
use donjon_db::DjangoAccounts;

use crate::ledger::Ledger;
use crate::money::Cents;
use crate::start::StartError;

/// What everybody begins with: a thousand euros.
pub const WELCOME: Cents = Cents(100_000);

/// Somebody to log in as. The passwords are no secret: the money isn't real.
#[derive(Clone, Copy, Debug)]
pub struct Person {
    /// The name to log in with.
    pub username: &'static str,
    /// The password.
    pub password: &'static str,
    /// The part that the person plays.
    pub role: &'static str,
}

/// The one whose money the attacker is after.
pub const ALICE: Person = Person {
    username: "alice",
    password: "correct horse battery staple",
    role: "A customer, and the one who is attacked",
};

/// The attacker's account.
pub const BOB: Person = Person {
    username: "bob",
    password: "tr0ub4dor and three",
    role: "A customer too, and behind the attacks",
};

/// Everybody.
pub const PEOPLE: [Person; 2] = [ALICE, BOB];

/// Makes sure that everybody is there and has an account.
///
/// # Errors
/// [`StartError`], if the database or the hashing fails.
pub async fn settle(
    accounts: &DjangoAccounts,
    ledger: &Ledger,
    passwords: &Passwords,
) -> Result<(), StartError> {
    tokio::try_join!(
        settle_one(&ALICE, accounts, ledger, passwords),
        settle_one(&BOB, accounts, ledger, passwords),
    )?;
    Ok(())
}

async fn settle_one(
    person: &Person,
    accounts: &DjangoAccounts,
    ledger: &Ledger,
    passwords: &Passwords,
) -> Result<(), StartError> {
    let id = match accounts.by_username(person.username).await? {
        Some(user) => user.id,
        None => create(person, accounts, passwords).await?,
    };
    Ok(ledger.open_account(id, WELCOME).await?)
}

async fn create(
    person: &Person,
    accounts: &DjangoAccounts,
    passwords: &Passwords,
) -> Result<i64, StartError> {
    let password = passwords.hash(person.password).await.map_err(|Busy| {
        StoreError::new("the passwords of the demonstration could not be hashed")
    })?;
    let user = NewUser {
        username: person.username.to_owned(),
        password,
        email: format!("{}@bank.example", person.username),
        date_joined: Clock::system().now(),
    };
    match accounts.create(user).await? {
        UserCreation::Created(user) => Ok(user.id),
        // By another node, since this one looked.
        UserCreation::NameTaken => {
            let user = accounts.by_username(person.username).await?;
            let gone = || StoreError::new("a user of the demonstration came and went");
            Ok(user.ok_or_else(gone)?.id)
        }
    }
}
