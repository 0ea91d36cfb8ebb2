//! Every attack of the attacker's site, on a customer who is logged in. The money stays.

use bank::attack::ATTACKS;
use bank::people::ALICE;

use crate::driver::{Outcome, Visitor, visit};

/// Status and rule of the answers to GET requests that another site's page makes the browser send.
struct Reading {
    api: &'static str,
    log_out: &'static str,
    page: &'static str,
}

/// Without cookies: nobody's.
const NOBODYS: Reading = Reading { api: "401 ", log_out: "405 ", page: "302 " };

/// With cookies.
const REFUSED: Reading =
    Reading { api: "403 isolation 4", log_out: "403 isolation 4", page: "403 isolation 4" };

/// From where the attacks come.
struct Stage {
    attacker: &'static str,
    bank: &'static str,
    /// Do the victim's cookies travel?
    cookies: &'static str,
    /// What becomes of what only reads.
    reading: Reading,
    planted: &'static str,
}

#[tokio::test(flavor = "multi_thread")]
async fn another_site_moves_no_money() -> Outcome {
    visit(async |visitor| {
        let stage = Stage {
            attacker: "evil.localhost",
            bank: "localhost",
            cookies: "no cookies came along",
            reading: NOBODYS,
            planted: "The browser refused to plant the cookie",
        };
        attack(&visitor, &stage).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_below_the_banks_moves_no_money() -> Outcome {
    visit(async |visitor| {
        let stage = Stage {
            attacker: "evil.bank.localhost",
            bank: "bank.localhost",
            cookies: "sessionid and csrftoken came along",
            reading: REFUSED,
            planted: "The browser took the planted cookie",
        };
        attack(&visitor, &stage).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn another_port_of_the_same_host_moves_no_money() -> Outcome {
    visit(async |visitor| {
        let stage = Stage {
            attacker: "localhost",
            bank: "localhost",
            cookies: "sessionid and csrftoken came along",
            reading: REFUSED,
            planted: "The browser took the planted cookie",
        };
        attack(&visitor, &stage).await
    })
    .await
}

async fn attack(visitor: &Visitor, stage: &Stage) -> Outcome {
    let bank = format!("http://{}:{}", stage.bank, visitor.bank_port());
    visitor.open(&format!("{bank}/accounts/login/")).await?;
    visitor.log_in(&ALICE).await?;
    visitor.see("#balance", "€1,000.00").await?;

    visitor.open(&format!("http://{}:{}/", stage.attacker, visitor.attacker_port())).await?;
    for attack in &ATTACKS {
        visitor.click(&format!("#{} .head button", attack.id)).await?;
        let outcome = format!("#{}[data-done] .outcome", attack.id);
        visitor.see(&outcome, "The attack failed. Alice still has €1,000.00.").await?;
        assert_eq!(
            verdicts(visitor, attack.id).await?,
            expected(attack.id, stage),
            "{}",
            attack.id
        );
    }
    visitor.see("#form .answers", stage.cookies).await?;
    visitor.see("#form .answers", "Origin checking failed").await?;
    visitor.see("#cookie-tossing .answers", stage.planted).await?;
    visitor.see("#null-origin .answers", "Origin: null").await?;
    visitor.see("#read .answers", "kept every answer from this page").await?;

    visitor.open(&format!("{bank}/account/")).await?;
    visitor.see("#balance", "€1,000.00").await?;
    visitor.see("main", "No transfers yet.").await?;
    visitor.open(&format!("{bank}/ajax/")).await?;
    visitor.see("#nothing", "Nothing yet.").await?;
    visitor.open(&format!("{bank}/attacks/")).await?;
    visitor.see(".log", "A planted cookie").await?;
    visitor.see(".log", "Refused by rule 4 of csrf").await
}

/// Status and rule of each answer, in the order of their numbers: requests of one attack can
/// overtake each other.
async fn verdicts(visitor: &Visitor, id: &str) -> Outcome<Vec<String>> {
    let lines = format!("#{id} .answers li[data-status]");
    let statuses = visitor.attributes(&lines, "data-status").await?;
    let rules = visitor.attributes(&lines, "data-rule").await?;
    let mut verdicts: Vec<_> =
        statuses.iter().zip(&rules).map(|(status, rule)| format!("{status} {rule}")).collect();
    verdicts.sort();
    Ok(verdicts)
}

fn expected(id: &str, stage: &Stage) -> Vec<&'static str> {
    let Reading { api, log_out, page } = stage.reading;
    let mut expected = match id {
        "image" => vec![page, log_out],
        "read" => vec![api, page, page],
        // The browser's question carries no cookies, so the answer is the way to the log-in page.
        "method-override" => vec![page, "302 ", "403 csrf 4"],
        _ => vec!["403 csrf 4"],
    };
    expected.sort_unstable();
    expected
}
