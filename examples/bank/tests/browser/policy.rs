//! The bank under its own Content Security Policy: no page breaks it, and what does is refused,
//! reported, kept and shown.

use std::time::Duration;

use bank::people::ALICE;
use bank::site::table;

use crate::driver::{Outcome, Visitor, visit};

/// How often the page of reports is opened, while the browser's report is on its way.
const LOOKS: usize = 100;

/// Every address of the bank, and one that is none.
fn addresses() -> Outcome<Vec<String>> {
    let mut addresses: Vec<_> = table()?.iter().map(|route| route.example.clone()).collect();
    addresses.push("/nowhere/".to_owned());
    Ok(addresses)
}

async fn open_all(visitor: &Visitor) -> Outcome {
    for address in addresses()? {
        visitor.page(&address).await?;
        assert_eq!(visitor.violations().await?, [""; 0], "{address}");
    }
    Ok(())
}

async fn log_in(visitor: &Visitor) -> Outcome {
    visitor.page("/accounts/login/").await?;
    visitor.log_in(&ALICE).await?;
    visitor.arrive("/account/").await
}

/// An injection into the page that is open, as an escaper with a hole would let it through.
async fn inject(visitor: &Visitor) -> Outcome {
    let script = "const script = document.createElement('script');
         script.textContent = 'window.injected = true';
         document.body.append(script);
         return window.injected === true;";
    assert_eq!(visitor.run(script).await?, false, "the script ran");
    assert_eq!(visitor.violations().await?.len(), 1);
    Ok(())
}

/// Opens the page of reports until it shows one.
async fn open_reports(visitor: &Visitor) -> Outcome {
    for _ in 0..LOOKS {
        visitor.page("/security/reports/").await?;
        if !visitor.texts(".group-head").await?.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err("the browser's report did not arrive".into())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_keeps_to_the_policy_and_an_injected_script_is_reported() -> Outcome {
    visit(async |visitor| {
        open_all(&visitor).await?;
        log_in(&visitor).await?;
        open_all(&visitor).await?;
        visitor.page("/security/reports/").await?;
        visitor.see(".empty", "No violations yet.").await?;

        visitor.page("/ajax/").await?;
        inject(&visitor).await?;
        open_reports(&visitor).await?;
        // Reports come in the order of what they tell: nothing of the pages before is on its way.
        visitor.see("#timeline", "1 in the last 24 hours").await?;
        visitor.see("#groups", "1 different, on 1 page").await?;
        let groups = visitor.texts(".group-head").await?;
        assert_eq!(groups, ["script-src-elem stopped inline\n1×"]);
        visitor.click(".groups summary").await?;
        visitor.see(".places", "/ajax/").await?;
        assert_eq!(visitor.violations().await?, [""; 0]);
        Ok(())
    })
    .await
}
