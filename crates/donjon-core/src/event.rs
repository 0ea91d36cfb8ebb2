//! What happened, for the security log.
//!
//! Stops: forged log lines (CR, LF and escape sequences in a path or a header), and secrets in
//! logs.
//!
//! 1. Every refusal and every security-relevant act is one [`Event`], told once, by the room that
//!    acted.
//! 2. It goes through `tracing` with the target `donjon::security::<room>`.
//! 3. It carries no token, password, cookie or key.
//! 4. Text from a client is shortened to [`MAX_TEXT`] characters, and control characters in it are
//!    escaped.

use std::fmt::{self, Write};

/// How many characters of a client's text reach the log.
pub const MAX_TEXT: usize = 512;

/// One thing that happened.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The CSRF room refused a request.
    CsrfRefused {
        /// The reason, as Django words it.
        reason: &'a dyn fmt::Display,
        /// The request's path.
        path: &'a str,
    },
    /// A request named no host that the site answers to, or a trusted proxy's word can't be taken.
    HostRefused {
        /// What is wrong.
        problem: &'a dyn fmt::Display,
        /// The host as it was sent.
        host: &'a str,
        /// The request's path.
        path: &'a str,
    },
    /// A request in clear could not be sent to HTTPS.
    HttpsRefused {
        /// What was wrong with it.
        reason: &'a dyn fmt::Display,
        /// The request's path.
        path: &'a str,
    },
    /// Another site tried to load what belongs to a visitor.
    IsolationRefused {
        /// What gave it away.
        reason: &'a dyn fmt::Display,
        /// The request's path.
        path: &'a str,
    },
    /// A request came from a user agent that the site does not serve.
    AgentRefused {
        /// The header `User-Agent`.
        agent: &'a str,
        /// The request's path.
        path: &'a str,
    },
    /// More messages were waiting for a visitor than may.
    MessagesDropped {
        /// How many of the oldest are gone.
        count: usize,
    },
    /// A session row could not be read: it is garbage, or signed with another key.
    SessionSuspicious {
        /// What was wrong with it.
        problem: &'a dyn fmt::Display,
    },
    /// A session was deleted while a request that changed it was under way.
    SessionInterrupted {
        /// The request's path.
        path: &'a str,
    },
    /// The cache of sessions, or the word to other nodes' caches, failed; the database was asked instead.
    SessionCacheFailed {
        /// What the cache said.
        error: &'a dyn fmt::Display,
    },
    /// A session reached its absolute age, and was deleted. One that the store itself lets go when it
    /// expires is not told.
    SessionEnded,
    /// A session's cookie came from another family of browsers than the one that began it.
    SessionAgentChanged {
        /// The family that began it.
        noted: &'a dyn fmt::Display,
        /// The family of the request.
        sent: &'a dyn fmt::Display,
    },
    /// A session was to be deleted, and was not there any more under the key that the request had: it
    /// was deleted by another request, or lives on under a new key.
    LogOutUnconfirmed {
        /// The user's name; empty if nobody was logged in.
        username: &'a str,
    },
    /// The session store failed.
    SessionStoreFailed {
        /// What the store said.
        error: &'a dyn fmt::Display,
    },
    /// A user logged in.
    LoggedIn {
        /// The user's name.
        username: &'a str,
    },
    /// A log-in failed.
    LoginFailed {
        /// The name that was tried.
        username: &'a str,
    },
    /// A user logged out.
    LoggedOut {
        /// The user's name; empty if nobody was logged in.
        username: &'a str,
    },
    /// A user may not see a page.
    AccessDenied {
        /// The user's name.
        username: &'a str,
        /// What the page demands.
        demanded: &'a dyn fmt::Display,
        /// The request's path.
        path: &'a str,
    },
    /// The site is put together wrongly: a room lacks what another should have left for it.
    Misconfigured {
        /// What is missing, and where.
        problem: &'a dyn fmt::Display,
    },
    /// A handler, or a function of the site's own that a room asks, panicked. What it said is left out:
    /// the panic hook prints it, and it may be a secret.
    Panicked {
        /// The request's path; empty where a room panicked before the handler.
        path: &'a str,
    },
    /// A form was too long, or could not be read.
    FormRefused {
        /// What was wrong with it.
        problem: &'a dyn fmt::Display,
        /// The request's path.
        path: &'a str,
    },
    /// A page could not be rendered.
    PageFailed {
        /// What was wrong, and where in which template.
        error: &'a dyn fmt::Display,
    },
    /// The store of accounts or sessions failed while the user was asked for.
    AccountsFailed {
        /// What the store said.
        error: &'a dyn fmt::Display,
    },
    /// A redirect target pointed off the site and was replaced.
    RedirectRefused {
        /// The target as it was sent.
        target: &'a str,
    },
    /// A browser reported a violation of the Content Security Policy that nobody had reported before.
    CspViolated {
        /// The directive that forbids it.
        directive: &'a str,
        /// What was forbidden.
        blocked: &'a str,
        /// The page.
        document: &'a str,
    },
    /// Reports of violations come faster than they are read: told once, until they are read again.
    CspReportsDropped,
    /// The store of violations failed.
    CspReportsFailed {
        /// What the store said.
        error: &'a dyn fmt::Display,
    },
}

impl Event<'_> {
    /// Tells the event to the log.
    pub fn emit(&self) {
        match self {
            Self::CsrfRefused { reason, path } => tracing::warn!(
                target: "donjon::security::csrf", reason = %Printable(reason), path = %Printable(path),
                "Forbidden"
            ),
            Self::HostRefused { problem, host, path } => tracing::warn!(
                target: "donjon::security::host", problem = %Printable(problem), host = %Printable(host),
                path = %Printable(path), "Invalid host"
            ),
            Self::AgentRefused { agent, path } => tracing::warn!(
                target: "donjon::security::canonical", agent = %Printable(agent), path = %Printable(path),
                "Forbidden user agent"
            ),
            Self::HttpsRefused { reason, path } => tracing::warn!(
                target: "donjon::security::https", reason = %Printable(reason), path = %Printable(path),
                "Request in clear refused"
            ),
            Self::IsolationRefused { reason, path } => tracing::warn!(
                target: "donjon::security::isolation", reason = %Printable(reason), path = %Printable(path),
                "Cross-site request refused"
            ),
            Self::SessionSuspicious { problem } => tracing::warn!(
                target: "donjon::security::session", problem = %Printable(problem),
                "Session data corrupted"
            ),
            Self::SessionInterrupted { path } => tracing::warn!(
                target: "donjon::security::session", path = %Printable(path),
                "The session was deleted before the request completed"
            ),
            Self::SessionEnded => tracing::info!(
                target: "donjon::security::session", "The session reached its absolute age"
            ),
            Self::SessionAgentChanged { noted, sent } => tracing::warn!(
                target: "donjon::security::session", noted = %Printable(noted), sent = %Printable(sent),
                "The session's cookie came from another browser"
            ),
            Self::LogOutUnconfirmed { username } => tracing::warn!(
                target: "donjon::security::auth", username = %Printable(username),
                "Log-out could not be confirmed"
            ),
            Self::SessionStoreFailed { error } => tracing::error!(
                target: "donjon::security::session", error = %Printable(error),
                "The session store failed"
            ),
            Self::SessionCacheFailed { error } => tracing::error!(
                target: "donjon::security::session", error = %Printable(error),
                "The session cache failed"
            ),
            Self::MessagesDropped { count } => tracing::warn!(
                target: "donjon::security::messages", count, "Too many messages, the oldest are dropped"
            ),
            Self::LoggedIn { username } => tracing::info!(
                target: "donjon::security::auth", username = %Printable(username), "Logged in"
            ),
            Self::LoginFailed { username } => tracing::warn!(
                target: "donjon::security::auth", username = %Printable(username), "Log-in failed"
            ),
            Self::LoggedOut { username } => tracing::info!(
                target: "donjon::security::auth", username = %Printable(username), "Logged out"
            ),
            Self::AccessDenied { username, demanded, path } => tracing::warn!(
                target: "donjon::security::auth", username = %Printable(username),
                demanded = %Printable(demanded), path = %Printable(path), "Access denied"
            ),
            Self::Misconfigured { problem } => tracing::error!(
                target: "donjon::security::stack", problem = %Printable(problem), "Misconfigured"
            ),
            Self::Panicked { path } => tracing::error!(
                target: "donjon::security::stack", path = %Printable(path), "Panicked"
            ),
            Self::FormRefused { problem, path } => tracing::warn!(
                target: "donjon::security::form", problem = %Printable(problem), path = %Printable(path),
                "Form refused"
            ),
            Self::PageFailed { error } => tracing::error!(
                target: "donjon::security::page", error = %Printable(error), "The page could not be rendered"
            ),
            Self::AccountsFailed { error } => tracing::error!(
                target: "donjon::security::auth", error = %Printable(error), "The store failed"
            ),
            Self::RedirectRefused { target } => tracing::warn!(
                target: "donjon::security::auth", redirect = %Printable(target),
                "Redirect off the site refused"
            ),
            Self::CspViolated { directive, blocked, document } => tracing::warn!(
                target: "donjon::security::csp", directive = %Printable(directive),
                blocked = %Printable(blocked), document = %Printable(document),
                "Content Security Policy violated"
            ),
            Self::CspReportsDropped => tracing::warn!(
                target: "donjon::security::csp", "Too many reports of violations, some are dropped"
            ),
            Self::CspReportsFailed { error } => tracing::error!(
                target: "donjon::security::csp", error = %Printable(error), "The store failed"
            ),
        }
    }
}

/// Shows a client's text on one line: shortened, and with control characters escaped.
pub struct Printable<T>(pub T);

impl<T: fmt::Display> fmt::Display for Printable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping { out: f, left: MAX_TEXT }, "{}", self.0)
    }
}

struct Escaping<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    left: usize,
}

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if self.left == 0 {
                return Ok(());
            }
            self.left -= 1;
            if self.left == 0 {
                self.out.write_char('…')?;
            } else if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') {
                write!(self.out, "{}", character.escape_unicode())?;
            } else {
                self.out.write_char(character)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forged_line_stays_on_one_line() {
        let text = Printable("/a\n\x1b[31mFAKE\u{2028}\u{85}").to_string();
        assert_eq!(text, "/a\\u{a}\\u{1b}[31mFAKE\\u{2028}\\u{85}");
    }

    #[test]
    fn a_long_text_is_cut() {
        let text = Printable("x".repeat(10_000)).to_string();
        assert_eq!(text.chars().count(), MAX_TEXT);
        assert!(text.ends_with('…'));
    }
}
