//! Which names the site answers to, and who it is for a request (Django: `ALLOWED_HOSTS`).
//!
//! Stops: links, redirects and mails built from a `Host` that an attacker chose, cache poisoning
//! through it, and DNS rebinding against a site on a developer's machine.
//!
//! 1. A request whose host is none of the site's gets 400, before any other room sees it.
//! 2. What the site is in the eyes of the browser ([`Site`]: scheme, host, port) is found out once,
//!    and left in the request for all rooms further in.
//! 3. `X-Forwarded-*` counts only where it comes from a proxy that the [`SitePolicy`] names.
//!
//! Django checks lazily, when a view asks for the host. Here every request is checked, so that no
//! handler can forget to ask.
//!
//! Spec: Django's `django/http/request.py`.

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

/// Rule 1.
#[must_use]
pub fn decide(site: &Site) -> Decision {
    if site.host().is_ok() { Decision::Accept } else { Decision::Refuse }
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
        match admit(&self.policy, &request) {
            Ok(site) => {
                request.extensions_mut().insert(site);
                Answer::pass(self.inner.call(request))
            }
            Err(refusal) => Answer::with(refusal),
        }
    }
}

/// Who the site is for a request that may go on.
pub(crate) fn admit<B, R: From<Bytes>>(
    policy: &SitePolicy,
    request: &Request<B>,
) -> Result<Site, Response<R>> {
    let connection = request.extensions().get::<Connection>();
    let site = policy.resolve(request.headers(), request.uri().authority(), connection);
    match decide(&site) {
        Decision::Accept => Ok(site),
        Decision::Refuse => {
            let sent = site.host().err().map(|host| host.sent()).unwrap_or_default();
            Event::HostRefused { host: &sent, path: request.uri().path() }.emit();
            Err(refuse(StatusCode::BAD_REQUEST, "Bad Request (400)\n"))
        }
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
        assert_eq!(decide(&site("example.com:8000")), Decision::Accept);
        assert_eq!(decide(&site("evil.example")), Decision::Refuse);
        assert_eq!(decide(&policy.resolve(&HeaderMap::new(), None, None)), Decision::Refuse);
    }
}
