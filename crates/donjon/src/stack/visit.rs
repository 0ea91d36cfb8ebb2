//! What the stack knows of one request: the words of its rooms, each made when somebody asks.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use donjon_core::cookie::Https;
use donjon_core::origin::Site;
use donjon_core::session::{AgentFamily, Rotation, Session};
use donjon_core::visit::{Words, offer};
use http::{HeaderMap, Request, Response, Uri, header};

use super::service::Rooms;
use crate::auth::{Auth, Device};
use crate::csp::{CspNonce, NonceCell, NonceHolder};
use crate::csrf::{CsrfLayer, CsrfToken};
use crate::messages::Messages;
use crate::messages::layer::to_store;
use crate::session::Cookie;
use crate::session::layer::Open;

/// One request on its way through the rooms.
///
/// A request that sends the cookies of a room has that room's word at once, since the headers go on
/// with the request; another one's word is made from nothing when it is asked for.
pub(super) struct Visiting {
    rooms: Arc<Rooms>,
    site: Site,
    device: Device,
    asked: Uri,
    cookie: Cookie,
    agent: Option<AgentFamily>,
    nonce: NonceCell,
    session: OnceLock<Session>,
    token: OnceLock<CsrfToken>,
    auth: OnceLock<Auth>,
    messages: OnceLock<Messages>,
}

impl Visiting {
    /// A request that the rooms outside of the session let in.
    pub(super) fn new<B>(rooms: &Arc<Rooms>, site: Site, request: &Request<B>) -> Self {
        let headers = request.headers();
        let (mut session, mut token, mut messages) = (None, None, None);
        let mut cookie = Cookie::Missing;
        let agent = rooms.sessions.as_ref().and_then(|sessions| sessions.agent(headers));
        if headers.contains_key(header::COOKIE) {
            let https = site.scheme().https();
            session = rooms.sessions.as_ref().and_then(|sessions| sessions.sent(headers));
            let csrf = rooms.csrf.as_ref();
            token = csrf.and_then(|csrf| csrf.sent(headers, https, session.as_ref()));
            if session.is_some() {
                cookie = Cookie::Sent;
            }
            messages = rooms.messages.as_ref().and_then(|messages| {
                let fresh = || rooms.sessions.as_ref().map(|sessions| sessions.fresh(agent));
                messages.sent(headers, || {
                    session = session.take().or_else(fresh);
                    session.clone()
                })
            });
        }
        let device = rooms.auth.as_ref().map(|auth| auth.device(headers, || Some(site.clone())));
        Self {
            rooms: Arc::clone(rooms),
            device: device.unwrap_or_default(),
            site,
            asked: request.uri().clone(),
            cookie,
            agent,
            nonce: rooms.csp.nonce_cell(),
            session: filled(session),
            token: filled(token),
            auth: OnceLock::new(),
            messages: filled(messages),
        }
    }

    pub(super) fn https(&self) -> Https {
        self.site.scheme().https()
    }

    fn session(&self) -> Option<Session> {
        let sessions = self.rooms.sessions.as_ref()?;
        Some(self.session.get_or_init(|| sessions.fresh(self.agent)).clone())
    }

    fn token(&self) -> Option<CsrfToken> {
        let csrf = self.rooms.csrf.as_ref()?;
        Some(self.token.get_or_init(|| csrf.fresh(self.https(), self.session())).clone())
    }

    fn rotation(&self) -> Option<Rotation> {
        self.token().map(|token| token.rotation())
    }

    fn auth(&self) -> Option<Auth> {
        let (room, session) = (self.rooms.auth.as_ref()?, self.session()?);
        let (device, asked) = (self.device.clone(), self.asked.clone());
        let visitor = || room.visitor(session, self.rotation(), device, asked);
        Some(self.auth.get_or_init(visitor).clone())
    }

    fn messages(&self) -> Option<Messages> {
        let room = self.rooms.messages.as_ref()?;
        Some(self.messages.get_or_init(|| room.fresh(self.session())).clone())
    }

    /// The messages, if they are to be stored with this response.
    pub(super) fn spoken<R>(&self, response: &Response<R>) -> Option<Messages> {
        self.messages.get().filter(|messages| to_store(messages, response)).cloned()
    }

    /// The session, if there is anything to end.
    pub(super) fn open(&self) -> Option<Open> {
        let (sessions, session) = (self.rooms.sessions.as_ref()?, self.session.get()?.clone());
        Some(sessions.open(session, self.cookie, self.https(), self.asked.clone()))
    }

    /// The path that was asked for.
    pub(super) fn path(&self) -> &str {
        self.asked.path()
    }

    /// The nonce, if somebody has read it.
    pub(super) fn used_nonce(&self) -> Option<&str> {
        self.nonce.used()
    }

    /// Sets the CSRF cookie where a token was made, or a broken secret is to be replaced.
    pub(super) fn set_csrf_cookie(&self, headers: &mut HeaderMap) {
        if let Some(token) = self.token.get() {
            CsrfLayer::leave(token, headers);
        }
    }
}

impl NonceHolder for Visiting {
    fn nonce(&self) -> &NonceCell {
        &self.nonce
    }
}

impl Words for Visiting {
    fn fill(self: Arc<Self>, slot: &mut dyn Any) {
        offer(slot, || Some(self.site.clone()));
        offer(slot, || Some(CspNonce::of(Arc::clone(&self) as _)));
        offer(slot, || self.session());
        offer(slot, || self.token());
        offer(slot, || self.rotation());
        offer(slot, || self.auth());
        offer(slot, || self.messages());
        if let Some(words) = &self.rooms.words {
            Arc::clone(words).fill(slot);
        }
    }
}

fn filled<T>(value: Option<T>) -> OnceLock<T> {
    value.map(OnceLock::from).unwrap_or_default()
}
