//! `bank`: opens the bank, the attacker's site and the front end, and says where.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use bank::check::{CheckOptions, check};
use bank::clear::clear;
use bank::options::{Command, Options, USAGE};
use bank::people::PEOPLE;
use bank::site::table;
use bank::start::{Running, start};
use bank::storage::Place;
use donjon::check::Format;
use donjon::serve::shutdown_signal;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let environment = |name: &str| std::env::var(name).ok();
    match Options::parse(std::env::args().skip(1), environment) {
        Ok(Command::Help) => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        Ok(Command::Routes) => show_routes(),
        Ok(Command::Check(options, database)) => look(&options, &database).await,
        Ok(Command::ClearSessions(place)) => clear_sessions(&place).await,
        Ok(Command::Run(options)) => run(&options).await,
        Err(error) => fail(&error),
    }
}

fn show_routes() -> ExitCode {
    match table() {
        Ok(table) => {
            print!("{table}");
            ExitCode::SUCCESS
        }
        Err(errors) => fail(&errors),
    }
}

/// As Django's `check`: what is wrong goes to stderr where people read it, and data to stdout.
async fn look(options: &CheckOptions, database: &Path) -> ExitCode {
    let key = std::env::var("BANK_SECRET_KEY").ok();
    let report = match check(options, database, key).await {
        Ok(report) => report,
        Err(error) => return fail(&error),
    };
    let (text, fails) = (report.write(options.format), report.fails(options.fail_level));
    match options.format {
        Format::Text if fails => eprintln!("SystemCheckError: {text}"),
        Format::Text if !report.findings().is_empty() => eprintln!("{text}"),
        // A reader who closes early, like `head`, has seen enough.
        _ => drop(writeln!(io::stdout(), "{text}")),
    }
    if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

async fn clear_sessions(place: &Place) -> ExitCode {
    match clear(place, std::env::var("BANK_SECRET_KEY").ok()).await {
        Ok(cleared) => {
            println!("{cleared} expired sessions removed");
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error),
    }
}

/// What is logged unless `RUST_LOG` says otherwise. PostgreSQL notes of every table that it is there already.
const LOGGED: &str = "info,sqlx::postgres::notice=warn";

async fn run(options: &Options) -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOGGED));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match start(options).await {
        Ok(running) => {
            welcome(&running, options);
            shutdown_signal().await;
            running.stop().await;
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error),
    }
}

fn welcome(running: &Running, options: &Options) {
    println!("The bank is open:  {}", running.bank_url());
    println!("The attacker:      {}", running.attacker_url());
    println!("The front end:     {}", running.app_url());
    println!("The database:      {}", options.place.shown());
    println!("\nLog in as (this is a demonstration, and its passwords are no secret):");
    for person in PEOPLE {
        println!("  {:<6} {:<30} {}", person.username, person.password, person.role);
    }
    println!("\nCtrl-C closes the bank.");
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("bank: {error}");
    ExitCode::FAILURE
}
