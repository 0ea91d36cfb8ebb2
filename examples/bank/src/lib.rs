//! A bank that can't be robbed, the attacker's site beside it, and a front end on a third origin.
//!
//! The site shows every room of Donjon at work, from the browser to the database. The attacker's site
//! is another origin in the same process, so that its pages can show what the bank said of their
//! attacks.
//!
//! | module | holds |
//! |---|---|
//! | [`start`] | the three servers on their ports |
//! | [`site`] | the routes and the stack |
//! | [`pages`] | the handlers |
//! | [`storage`] | the databases and session stores that it can stand on |
//! | [`ledger`], [`items`], [`money`] | the bank's own tables |
//! | [`witness`], [`attack`] | what became of the attacks, and their words |
//! | [`attacker`] | the other site |
//! | [`check`](mod@check) | what is wrong with the bank |
//! | [`app`] | the front end that asks the bank by script |

use std::sync::Arc;

use donjon::password::Passwords;
use donjon_db::{DjangoAccounts, SqlViolations};
use ipnet::IpNet;

pub mod app;
pub mod assets;
pub mod attack;
pub mod attacker;
pub mod check;
pub mod clear;
pub mod items;
pub mod key;
pub mod ledger;
pub mod money;
pub mod options;
pub mod pages;
pub mod people;
pub mod problem;
pub mod site;
pub mod start;
pub mod storage;
mod tables;
pub mod witness;

/// What every handler may use; clones share it.
#[derive(Clone)]
pub struct Bank {
    /// The accounts and transfers.
    pub ledger: ledger::Ledger,
    /// The lists of the AJAX page.
    pub items: items::Items,
    /// The users.
    pub accounts: Arc<DjangoAccounts>,
    /// How passwords are hashed.
    pub passwords: Passwords,
    /// What the Content Security Policy forbade.
    pub violations: Arc<SqlViolations>,
    /// What was seen of the attacks.
    pub witness: witness::Witness,
    /// Where the attacker's site is.
    pub attacker_url: Arc<str>,
    /// The origin of the front end, which the bank trusts.
    pub app_url: Arc<str>,
    /// The proxy in front of the bank, if there is one.
    pub proxy: Option<IpNet>,
}
