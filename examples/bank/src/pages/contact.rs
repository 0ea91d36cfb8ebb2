//! The form page: a name and an email.

use axum::response::{IntoResponse, Redirect, Response};
use donjon::form::FormData;
use donjon::page::Page;
use donjon::session::SessionHandle;
use donjon_html::context;
use donjon_html::template::Value;

use super::field::{Field, required};
use crate::problem::Problem;

/// How long a name can be.
const MAX_NAME: usize = 80;

/// How long an address can be (RFC 5321, 4.5.3.1.3, less the brackets).
const MAX_EMAIL: usize = 254;

/// Where the session keeps whom to thank.
const THANKS: &str = "thanks";

/// `GET /form/`
///
/// # Errors
/// [`Problem`], if a store fails.
pub async fn show(session: SessionHandle, page: Page) -> Result<Response, Problem> {
    let thanks: Option<String> = session.pop(THANKS).await?;
    Ok(page.render("bank/form.html", context! { thanks }).await?)
}

/// `POST /form/`
///
/// # Errors
/// [`Problem`], if a store fails.
pub async fn submit(
    session: SessionHandle,
    page: Page,
    data: FormData,
) -> Result<Response, Problem> {
    let value = |name| data.value(name).unwrap_or_default().trim();
    let (name, email) = (value("name"), value("email"));
    let name = Field::new(name, required(name, MAX_NAME));
    let email = Field::new(email, required(email, MAX_EMAIL).or_else(|| bad_email(email)));
    if name.is_valid() && email.is_valid() {
        session.insert(THANKS, &name.value).await?;
        let back = page.url("my_view", &[]).unwrap_or_else(|| "/".to_owned());
        return Ok(Redirect::to(&back).into_response());
    }
    let form: Value = context! { name, email }.into();
    Ok(page.render("bank/form.html", context! { form }).await?)
}

/// What is wrong with an address, as far as one can tell without sending a letter.
fn bad_email(email: &str) -> Option<String> {
    let (local, domain) = email.rsplit_once('@').unwrap_or_default();
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    let good = !local.is_empty()
        && !local.contains(|c: char| c.is_whitespace() || "@,;:<>()[]\\\"".contains(c))
        && domain.contains('.')
        && domain.split('.').all(label);
    (!good).then(|| "Enter a valid email address.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["a@b.example", "a.b+c@sub.b-c.example", "jörg@müller.example"] {
            assert_eq!(bad_email(good), None, "{good}");
        }
        for bad in ["a", "@b.example", "a@", "a@b", "a b@c.example", "a@b..c", "a@-b.c", "a@b.c@"] {
            assert!(bad_email(bad).is_some(), "{bad}");
        }
    }
}
