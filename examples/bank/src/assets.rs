//! The files that the program carries with it, so that it runs from anywhere.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use donjon_html::template::{TemplateErrors, Templates};
use http::{StatusCode, header};

macro_rules! templates {
    ($($name:literal),* $(,)?) => { [$(($name, include_str!(concat!("../templates/", $name)))),*] };
}

macro_rules! files {
    ($($name:literal: $kind:literal),* $(,)?) => {
        [$(($name, $kind, include_str!(concat!("../static/", $name)))),*]
    };
}

/// How long browsers may keep the files: an hour.
const CACHING: &str = "public, max-age=3600";

const FILES: [(&str, &str, &str); 6] = files![
    "app.css": "text/css; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "bank.css": "text/css; charset=utf-8",
    "attacker.css": "text/css; charset=utf-8",
    "attacker.js": "text/javascript; charset=utf-8",
    "tower.svg": "image/svg+xml",
];

/// The pages of the bank.
///
/// # Errors
/// [`TemplateErrors`].
pub fn pages() -> Result<Templates, TemplateErrors> {
    Templates::new(templates![
        "bank/account.html",
        "bank/ajax.html",
        "bank/attacks.html",
        "bank/base.html",
        "bank/form.html",
        "bank/home.html",
        "bank/login.html",
        "bank/reports.html",
        "bank/sessions.html",
        "bank/tower.html",
        "bank/transfer.html",
        "bank/upload.html",
    ])
}

/// The pages that need nothing of a request: refusals and errors.
///
/// # Errors
/// [`TemplateErrors`].
pub fn bare_pages() -> Result<Templates, TemplateErrors> {
    Templates::new(templates![
        "bank/bare.html",
        "bank/error.html",
        "bank/refused.html",
        "bank/tower.html",
    ])
}

/// The attacker's page.
///
/// # Errors
/// [`TemplateErrors`].
pub fn attacker_pages() -> Result<Templates, TemplateErrors> {
    Templates::new(templates!["attacker/index.html"])
}

/// The front end's page.
///
/// # Errors
/// [`TemplateErrors`].
pub fn app_pages() -> Result<Templates, TemplateErrors> {
    Templates::new(templates!["app/index.html", "bank/tower.html"])
}

/// The handler of `/static/{name}`.
pub async fn file(Path(name): Path<String>) -> Response {
    match FILES.iter().find(|(known, _, _)| *known == name) {
        Some((_, kind, text)) => {
            ([(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, CACHING)], *text)
                .into_response()
        }
        None => (StatusCode::NOT_FOUND, "Not Found\n").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_can_be_loaded() {
        for templates in [pages(), bare_pages(), attacker_pages(), app_pages()] {
            templates.map(drop).unwrap_or_else(|errors| panic!("{errors}"));
        }
    }
}
