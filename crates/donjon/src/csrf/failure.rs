//! The page of a refusal: one sentence for the public, and for developers what was compared and
//! which setting is wrong.

use std::fmt::Write;

use bytes::Bytes;
use donjon_core::event::Printable;
use donjon_core::origin::{ProxyHint, Site, latin1};
use donjon_html::escape;
use http::{HeaderMap, Response, StatusCode, header};

use super::decision::Reason;
use super::policy::Detail;
use crate::rejection::{refuse_form, refuse_with_page};

const BRIEF: &str = "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><meta name=\"robots\" \
    content=\"NONE,NOARCHIVE\"><title>403 Forbidden</title></head>\n<body>\n<main>\n<h1>Forbidden <small>(403)</small></h1>\n\
    <p>CSRF verification failed. Request aborted.</p>\n</main>\n</body>\n</html>\n";

/// A refused request, for the page that tells of it.
pub struct Failure<'a> {
    /// Why it was refused.
    pub reason: &'a Reason,
    /// Who the site is for this request.
    pub site: &'a Site,
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// May the page explain?
    pub detail: Detail,
}

impl Failure<'_> {
    /// The built-in page, status 403.
    #[must_use]
    pub fn response<B: From<Bytes>>(&self) -> Response<B> {
        match self.detail {
            Detail::Brief => refuse_form(Bytes::from_static(BRIEF.as_bytes())),
            Detail::Explained => {
                refuse_with_page(StatusCode::FORBIDDEN, Bytes::from(self.explained()))
            }
        }
    }

    fn explained(&self) -> String {
        let reason = self.reason.to_string();
        let mut page = BRIEF.replace("</main>\n</body>\n</html>\n", "");
        // Writing to a String cannot fail.
        let _ = write!(
            page,
            "<h2>Help</h2>\n<p>Reason given for failure:</p>\n<pre>{}</pre>\n<h3>What was compared</h3>\n<dl>\n{}</dl>\n\
             <h3>What to do</h3>\n<ul>\n{}</ul>\n<p><small>This part is shown because the policy's detail is \
             <code>Detail::Explained</code>. In production only the sentence at the top is.</small></p>\n\
             </main>\n</body>\n</html>\n",
            escape(&shown(&reason)),
            self.compared(),
            self.advice()
                .iter()
                .map(|advice| format!("<li>{}</li>\n", escape(advice)))
                .collect::<String>(),
        );
        page
    }

    fn compared(&self) -> String {
        let own = self
            .site
            .origin()
            .unwrap_or_else(|| "none: the request's host is not allowed".to_owned());
        let rows = [("The site sees itself as", own)].into_iter().chain(
            [
                header::ORIGIN.as_str(),
                header::REFERER.as_str(),
                "sec-fetch-site",
                "x-forwarded-proto",
                "x-forwarded-host",
            ]
            .into_iter()
            .map(|name| {
                (name, self.headers.get(name).map_or_else(|| "(absent)".to_owned(), latin1))
            }),
        );
        rows.map(|(name, value)| {
            format!("<dt>{}</dt><dd><code>{}</code></dd>\n", escape(name), escape(&shown(&value)))
        })
        .collect()
    }

    /// What the developer should change, the likeliest first.
    #[must_use]
    pub fn advice(&self) -> Vec<String> {
        let mut advice = Vec::new();
        let about_origin = matches!(
            self.reason,
            Reason::BadOrigin(_)
                | Reason::NoReferer
                | Reason::MalformedReferer
                | Reason::InsecureReferer
                | Reason::BadReferer(_)
                | Reason::BadFetchSite(_)
        );
        if about_origin {
            advice.extend(self.proxy_advice());
            if self.site.host().is_err() {
                advice.push(
                    "The request's host is not among the site's hosts: add it where the SitePolicy is made, with \
                     AllowedHosts::new([…]) (Django: ALLOWED_HOSTS)."
                        .to_owned(),
                );
            }
        }
        advice.extend(self.reason_advice().map(str::to_owned));
        advice
    }

    /// The commonest question of all: a proxy speaks HTTPS to the browser and HTTP to the site.
    fn proxy_advice(&self) -> Option<String> {
        match self.site.proxy_hint() {
            ProxyHint::None => None,
            ProxyHint::SchemeUnbelieved => Some(format!(
                "X-Forwarded-Proto says another scheme than {}, and no proxy is trusted with it. If a proxy of yours ends \
                 TLS in front of this site, name its address: SitePolicy::trust_proxy(\"10.0.0.0/8\".parse()?) (Django: \
                 SECURE_PROXY_SSL_HEADER).",
                self.site.scheme().as_str()
            )),
            ProxyHint::HostUnbelieved => Some(
                "X-Forwarded-Host is there, and no proxy is trusted with it. If a proxy of yours changes the host, name its \
                 address with SitePolicy::trust_proxy, or let it pass Host on (Django: USE_X_FORWARDED_HOST)."
                    .to_owned(),
            ),
        }
    }

    fn reason_advice(&self) -> Option<&'static str> {
        Some(match self.reason {
            Reason::BadOrigin(origin) if origin == "null" => {
                "The browser sent Origin: null: the page has Referrer-Policy: no-referrer, or is in a sandboxed frame. Use \
                 Referrer-Policy: same-origin."
            }
            Reason::BadOrigin(_) | Reason::BadFetchSite(_) => {
                "The request came from another origin. If that origin is yours, trust it: \
                 CsrfPolicy::trust(TrustedOrigins::new([\"https://…\"])?) (Django: CSRF_TRUSTED_ORIGINS). If it is not, \
                 this was an attack, and it failed."
            }
            Reason::NoReferer
            | Reason::MalformedReferer
            | Reason::InsecureReferer
            | Reason::BadReferer(_) => {
                "Over HTTPS a browser must show where a form came from, by Sec-Fetch-Site, Origin or Referer. Don't disable \
                 the Referer header: use Referrer-Policy: same-origin rather than no-referrer."
            }
            Reason::Duplicate(_) => {
                "Somebody sent the same thing twice: a cookie planted by a sibling host is the usual cause. Delete the \
                 site's cookies in the browser and try again."
            }
            Reason::NoSecret | Reason::BadSecret(_) => {
                "The browser sent no CSRF cookie, or a broken one. It must take cookies, and the page with the form must \
                 have been shown by this site: a template with {% csrf_token %} sets the cookie."
            }
            Reason::NoToken => {
                "Put {% csrf_token %} first into every form with method=\"post\" that posts to this site, or send the header \
                 X-CSRFToken from JavaScript."
            }
            Reason::BadToken(..) | Reason::WrongToken(_) | Reason::PlainToken(_) => {
                "The form is older than the last log-in in this browser, or its token belongs to another visitor. Load the \
                 page again and submit it once more."
            }
        })
    }
}

/// A client's text, shortened, for a page that escapes it.
fn shown(text: &str) -> String {
    Printable(text).to_string()
}
