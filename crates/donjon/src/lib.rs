//! Django's web security for axum and tower: ten things that must be right together, in one fitted
//! stack.
//!
//! A site begins with a [`stack`], which puts all rooms in their one order. An axum router that exists
//! gets it as a layer; any room works alone as a tower layer, also without axum (feature `axum` off).
//!
//! | room | stops |
//! |---|---|
//! | [`headers`] | clickjacking, content sniffing, leaking referers, files loaded by other sites |
//! | [`csp`] | injected scripts |
//! | [`host`] | links and redirects built from a host that an attacker chose |
//! | [`https`] | visitors kept in clear |
//! | [`canonical`] | one page at two addresses; redirects to a host hidden in a path |
//! | [`cors`] | other origins' scripts reading answers |
//! | [`isolation`] | other sites loading what belongs to a visitor |
//! | [`session`] | fixation, resurrected sessions, shared caches |
//! | [`csrf`] | forged requests |
//! | [`messages`] | forged notices, notices shown twice |
//! | [`check`] | sites that go live with what they were developed with |
//! | [`password`], [`auth`] | guessed and stolen passwords, sessions that outlive them, open redirects |
#![cfg_attr(
    feature = "axum",
    doc = "| [`form`], [`page`] | endless bodies, unescaped text, cached tokens |"
)]
#![cfg_attr(
    feature = "axum",
    doc = "| [`stack`], [`routes`], [`serve`] | rooms in the wrong order, dangling addresses, slow clients |"
)]
#![cfg_attr(not(feature = "axum"), doc = "| [`stack`] | rooms in the wrong order |")]

mod paths;
mod rejection;
mod vary;

pub mod auth;
pub mod canonical;
pub mod check;
pub mod cors;
pub mod csp;
pub mod csrf;
#[cfg(feature = "axum")]
pub mod form;
pub mod headers;
pub mod host;
pub mod https;
pub mod isolation;
pub mod messages;
#[cfg(feature = "axum")]
pub mod names;
#[cfg(feature = "axum")]
pub mod page;
pub mod password;
#[cfg(feature = "axum")]
pub mod routes;
#[cfg(feature = "axum")]
pub mod serve;
pub mod session;
pub mod stack;

pub use donjon_macros::embed_templates;
pub use rejection::Answer;

/// The README and the guide, whose examples must compile.
#[cfg(doctest)]
mod guide {
    macro_rules! chapters {
        ($($name:ident: $file:literal),* $(,)?) => { $(#[doc = include_str!($file)] struct $name;)* };
    }

    chapters! {
        Readme: "../../../README.md",
        Existing: "../../../docs/src/existing.md",
        Routes: "../../../docs/src/routes.md",
        Csrf: "../../../docs/src/csrf.md",
        Cors: "../../../docs/src/cors.md",
        Csp: "../../../docs/src/csp.md",
        CspReports: "../../../docs/src/csp-reports.md",
        Proxy: "../../../docs/src/proxy.md",
        Headers: "../../../docs/src/headers.md",
        Https: "../../../docs/src/https.md",
        Messages: "../../../docs/src/messages.md",
        Sessions: "../../../docs/src/sessions.md",
        Users: "../../../docs/src/users.md",
        Templates: "../../../docs/src/templates.md",
        Languages: "../../../docs/src/languages.md",
        Pages: "../../../docs/src/pages.md",
        Signing: "../../../docs/src/signing.md",
        Check: "../../../docs/src/check.md",
    }

    #[cfg(feature = "tls")]
    chapters!(Serving: "../../../docs/src/serve.md");
}
