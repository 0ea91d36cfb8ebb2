//! Templates around values that an attacker would choose, in a browser: nothing of them runs.

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::get;
use donjon_html::context;
use donjon_html::template::Templates;

use crate::driver::{Browser, Outcome, browse};
use crate::site::Site;

#[path = "../../../../crates/donjon-html/tests/contexts/cases.rs"]
mod cases;

use cases::{CASES, Case, Verdict};

/// Opens every page with this: what an attacker's value calls, and what the templates themselves call.
const HARNESS: &str = "<!doctype html><script>
    window.pwn = () => { window.pwned = true };
    window.f = window.ok = () => {};
</script>";

/// Does what a visitor could do with each element, and tells what ran or would.
const TOUCH: &str = "
    addEventListener('click', (event) => event.preventDefault());
    const found = [];
    for (const element of document.querySelectorAll('*')) {
        for (const kind of ['mouseover', 'click', 'focus']) {
            element.dispatchEvent(new MouseEvent(kind, { bubbles: true, cancelable: true }));
        }
        for (const name of ['href', 'xlink:href', 'action', 'formaction', 'src']) {
            const url = element.getAttribute(name);
            const runs = url && /^(javascript|data|vbscript):/.test(new URL(url, location).href);
            if (runs) found.push(name + '=' + url);
        }
    }
    await new Promise((done) => setTimeout(done, 20));
    if (window.pwned) found.push('a script');
    return found.join(', ');
";

fn accepted() -> Vec<&'static Case> {
    CASES.iter().filter(|case| case.verdict == Verdict::Inert).collect()
}

fn render(case: &Case) -> Outcome<String> {
    let variables = context! { v: case.value, w: "abc", yes: true, list: vec![case.value] };
    let body = Templates::new([("t.html", case.template)])?.render("t.html", &variables, &())?;
    Ok(format!("{HARNESS}{body}"))
}

/// A site with one page for each case, and one on which the attack succeeds.
async fn site() -> Outcome<Site> {
    let pages = accepted().into_iter().map(render).collect::<Outcome<Vec<_>>>()?;
    let page = async move |Path(index): Path<usize>| {
        pages.get(index).cloned().map(Html).ok_or(StatusCode::NOT_FOUND)
    };
    let pwned = format!("{HARNESS}<a href=\"javascript:pwn()\" onclick=\"pwn()\">a</a>");
    let router =
        Router::new().route("/case/{index}", get(page)).route("/pwned", get(async || Html(pwned)));
    Site::open(router).await
}

async fn ran(browser: &Browser, address: &str) -> Outcome<String> {
    browser.open(address).await?;
    Ok(browser.settle(TOUCH).await?.as_str().unwrap_or("no answer").to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_runs_as_a_script() -> Outcome {
    let site = site().await?;
    browse(&[], async |browser| {
        let seen = ran(&browser, &site.url("/pwned")).await?;
        assert_eq!(seen, "href=javascript:pwn(), a script", "the harness sees attacks");
        browser.console().await?;
        for (index, case) in accepted().into_iter().enumerate() {
            let seen = ran(&browser, &site.url(&format!("/case/{index}"))).await?;
            assert_eq!(seen, "", "{} {}", case.name, case.template);
            let errors = browser.console().await?;
            let broken = errors.iter().find(|error| error.contains("SyntaxError"));
            assert_eq!(broken, None, "{} {}", case.name, case.template);
        }
        Ok(())
    })
    .await
}
