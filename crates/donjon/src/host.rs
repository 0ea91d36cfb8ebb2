//! Which names the site answers to, and who it is for a request (Django: `ALLOWED_HOSTS`).
//!
//! Stops: links, redirects and mails built from a `Host` that an attacker chose, cache poisoning
//! through it, DNS rebinding against a site on a developer's machine, and requests that a proxy and
//! the site read differently.
//!
//! 1. A request whose host is none of the site's gets 400, before any other room sees it. So does one
//!    that names two hosts, or comes by a trusted proxy whose word can be read in two ways.
//! 2. What the site is in the eyes of the browser and who asks ([`Site`]: scheme, host, port, client)
//!    is found out once, and left in the request for all rooms further in.
//! 3. `Forwarded` and `X-Forwarded-*` count only where they come from a proxy that the [`SitePolicy`]
//!    names.
//! 4. A path that the policy exempts is answered whatever the host, for a health check. If the host
//!    is none of the site's, [`Site::host`] is an error, and nothing can be built from it.
//!
//! Django checks lazily, when a view asks for the host. Here every request is checked, so that no
//! handler can forget to ask.
//!
//! Spec: Django's `django/http/request.py`; the proxies' rules are in
//! [`proxy`](donjon_core::proxy).
//!
//! ```
//! use donjon::host::HostLayer;
//! use donjon_core::host::AllowedHosts;
//! use donjon_core::origin::SitePolicy;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let policy = SitePolicy::new(AllowedHosts::new(["shop.example", ".shop.example"])?)
//!     .trust_proxy("10.0.0.0/8".parse()?)
//!     .exempt_path("/healthz")?;
//! let layer = HostLayer::new(policy);
//! # let _ = layer;
//! # Ok(()) }
//! ```

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use donjon_core::event::Event;
use donjon_core::origin::{Connection, Site, SitePolicy};
use http::{Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use crate::rejection::{Answer, refuse};

/// What is to become of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is the site's.
    Accept,
    /// It is for a host that the site does not answer to.
    Refuse,
}

/// Rules 1 and 4.
#[must_use]
pub fn decide(policy: &SitePolicy, site: &Site, path: &str) -> Decision {
    let accepted = site.host().is_ok() || policy.exempts(path);
    if accepted { Decision::Accept } else { Decision::Refuse }
}

/// Refuses requests for other hosts, and leaves a [`Site`] in the others.
#[derive(Clone, Debug)]
pub struct HostLayer(Arc<SitePolicy>);

impl HostLayer {
    /// A layer of this policy.
    #[must_use]
    pub fn new(policy: SitePolicy) -> Self {
        Self(Arc::new(policy))
    }
}

impl<S> Layer<S> for HostLayer {
    type Service = Host<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Host { policy: Arc::clone(&self.0), inner }
    }
}

/// The service of [`HostLayer`].
#[derive(Clone, Debug)]
pub struct Host<S> {
    policy: Arc<SitePolicy>,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Host<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Answer<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let site = resolve(&self.policy, &request);
        match admit(&self.policy, &site, request.uri().path()) {
            Ok(()) => {
                request.extensions_mut().insert(site);
                Answer::pass(self.inner.call(request))
            }
            Err(refusal) => Answer::with(refusal),
        }
    }
}

/// Rule 2.
pub(crate) fn resolve<B>(policy: &SitePolicy, request: &Request<B>) -> Site {
    let connection = request.extensions().get::<Connection>();
    policy.resolve(request.headers(), request.uri().authority(), connection)
}

/// Lets a request for this site go on, or refuses it.
pub(crate) fn admit<R: From<Bytes>>(
    policy: &SitePolicy,
    site: &Site,
    path: &str,
) -> Result<(), Response<R>> {
    if decide(policy, site, path) == Decision::Accept {
        return Ok(());
    }
    tell(site, path);
    Err(refuse(StatusCode::BAD_REQUEST, "Bad Request (400)\n"))
}

fn tell(site: &Site, path: &str) {
    if let Err(refused) = site.host() {
        Event::HostRefused { problem: &refused.kind(), host: &refused.sent(), path }.emit();
    }
}

#[cfg(test)]
mod tests {
    use donjon_core::host::AllowedHosts;
    use http::{HeaderMap, HeaderValue, header};

    use super::*;

    #[test]
    fn rule_1_only_the_sites_own_hosts() {
        let policy = SitePolicy::new(AllowedHosts::new(["example.com"]).unwrap());
        let site = |host: &'static str| {
            let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]);
            policy.resolve(&headers, None, None)
        };
        let decide = |site: &Site| decide(&policy, site, "/");
        assert_eq!(decide(&site("example.com:8000")), Decision::Accept);
        assert_eq!(decide(&site("evil.example")), Decision::Refuse);
        assert_eq!(decide(&policy.resolve(&HeaderMap::new(), None, None)), Decision::Refuse);
    }

    #[test]
    fn rule_4_an_exempt_path_is_answered_whatever_the_host() {
        let policy = SitePolicy::new(AllowedHosts::local()).exempt_path("/healthz").unwrap();
        let site = policy.resolve(&HeaderMap::new(), None, None);
        assert_eq!(decide(&policy, &site, "/healthz"), Decision::Accept);
        for path in ["/", "/healthz/", "//healthz", "/healthz%2f"] {
            assert_eq!(decide(&policy, &site, path), Decision::Refuse, "{path}");
        }
    }
}
