//! The front end on its three origins: what it may read and write, and what the browser says where
//! it may not.

use bank::people::ALICE;

use crate::driver::{Outcome, Visitor, visit};

#[tokio::test(flavor = "multi_thread")]
async fn the_apps_own_origin_reads_and_writes_with_the_visitors_cookies() -> Outcome {
    visit(async |visitor| {
        open_own(&visitor).await?;
        visitor.see("#nobody", "Nobody is logged in").await?;
        visitor.see("#said li", "401, read").await?;

        visitor.page("/accounts/login/").await?;
        visitor.log_in(&ALICE).await?;
        visitor.arrive("/account/").await?;
        open_own(&visitor).await?;
        visitor.see("#who", "alice").await?;
        visitor.see("#balance", "€1,000.00").await?;
        visitor.see("#left", "100 more fit.").await?;
        add(&visitor, "<b>milk</b>").await?;
        visitor.see("#items li", "<b>milk</b>").await?;
        // A header of the answer, which the bank exposes.
        visitor.see("#left", "99 more fit.").await?;
        visitor.see("#said li", "POST /api/add-item/").await?;

        visitor.page("/ajax/").await?;
        visitor.see("#items li", "<b>milk</b>").await?;
        assert_eq!(visitor.violations().await?, [""; 0]);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_from_before_the_log_in_is_replaced() -> Outcome {
    visit(async |visitor| {
        open_own(&visitor).await?;
        add(&visitor, "tea").await?;
        visitor.see("#items li", "tea").await?;
        // Somebody else's browser session, as it were: the secret is gone, the token is of no use.
        visitor.forget_cookie("csrftoken").await?;
        add(&visitor, "coffee").await?;
        visitor.see("#items li", "coffee").await?;
        visitor.see("#said li", "403, read").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn even_the_apps_origin_gets_no_more_than_it_was_allowed() -> Outcome {
    visit(async |visitor| {
        open_own(&visitor).await?;
        visitor.see("#said li", "GET /api/items/").await?;
        visitor.click("[data-try=header]").await?;
        visitor.see("#said li", "Request header field x-own is not allowed").await?;
        visitor.click("[data-try=method]").await?;
        visitor.see("#said li", "Method DELETE is not allowed").await?;
        foretold(&visitor, 2).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn another_port_has_the_cookies_and_reads_nothing() -> Outcome {
    visit(async |visitor| {
        visitor.page("/accounts/login/").await?;
        visitor.log_in(&ALICE).await?;
        visitor.arrive("/account/").await?;
        let page = format!("http://localhost:{}/app/", visitor.attacker_port());
        nothing_is_read(&visitor, &page).await?;
        let cookies = visitor.run("return document.cookie").await?;
        assert!(cookies.to_string().contains("csrftoken="), "the cookies are at hand: {cookies}");
        nothing_is_written(&visitor).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn another_site_reads_nothing() -> Outcome {
    visit(async |visitor| {
        visitor.page("/accounts/login/").await?;
        visitor.log_in(&ALICE).await?;
        visitor.arrive("/account/").await?;
        let page = format!("http://app.localhost:{}/", visitor.app_port());
        nothing_is_read(&visitor, &page).await?;
        nothing_is_written(&visitor).await
    })
    .await
}

async fn open_own(visitor: &Visitor) -> Outcome {
    visitor.open(&format!("http://localhost:{}/", visitor.app_port())).await
}

async fn add(visitor: &Visitor, item: &str) -> Outcome {
    visitor.fill("#id_item", item).await?;
    visitor.click("#add button").await
}

async fn nothing_is_read(visitor: &Visitor, page: &str) -> Outcome {
    visitor.open(page).await?;
    visitor.see("#kept", "The browser kept the bank’s answers").await?;
    visitor.see("#said li", "GET /api/items/").await?;
    assert_eq!(visitor.attributes("#said li", "data-kind").await?, ["bad", "bad"]);
    visitor.see("#said li", "TypeError: Failed to fetch").await?;
    add(visitor, "stolen").await?;
    visitor.see("#problem", "did not let this page ask").await?;
    visitor.see("#said li", "Response to preflight request doesn't pass").await?;
    visitor.click("[data-try=method]").await?;
    visitor.see("#said li", "DELETE /api/items/").await?;
    foretold(visitor, 5).await
}

async fn nothing_is_written(visitor: &Visitor) -> Outcome {
    visitor.page("/ajax/").await?;
    visitor.see("#nothing", "Nothing yet.").await
}

/// The console's lines are those that the page foretold, so many of them.
async fn foretold(visitor: &Visitor, lines: usize) -> Outcome {
    let mut foretold = visitor.texts(".console").await?;
    let blocked = |message: &String| message.contains("blocked by CORS policy");
    let mut said: Vec<_> = visitor.console().await?.into_iter().filter(blocked).collect();
    foretold.sort();
    said.sort();
    assert_eq!(foretold.len(), lines, "{foretold:#?}");
    assert_eq!(said.len(), lines, "{said:#?}");
    for (said, foretold) in said.iter().zip(&foretold) {
        assert!(said.contains(foretold), "the browser said {said:?}, the page {foretold:?}");
    }
    Ok(())
}
