//! The handle by which a request knows its user.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use donjon_core::account::{DynAccountStore, Permissions, User};
use donjon_core::event::Event;
use donjon_core::secret::equal;
use donjon_core::session::{
    Deletion, Rotation, Seen, Session, SessionData, SessionError, StoreError,
};
use http::Uri;

use super::guard::login_address;
use super::policy::{AuthPolicy, BACKEND, HashOf};
use super::sessions::{Device, SessionList};
use crate::password::{Busy, Verification};

const USER_ID: &str = SessionData::USER_ID;
const USER_BACKEND: &str = "_auth_user_backend";
const USER_HASH: &str = "_auth_user_hash";

/// What all requests of a site have in common.
pub(super) struct AuthContext {
    pub(super) policy: AuthPolicy,
    pub(super) accounts: Arc<dyn DynAccountStore>,
    pub(super) list: Option<SessionList>,
}

/// Who the visitor of a request is; clones are the same visitor. Django: `authenticate`, `login`,
/// `logout`, `request.user`.
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

struct Inner {
    context: Arc<AuthContext>,
    session: Session,
    rotation: Option<Rotation>,
    /// What the browser is; nothing where nobody lists sessions.
    device: Device,
    /// What the browser asked for: a router nested further in sees less of it.
    asked: Uri,
    user: Mutex<Known>,
    /// What that very user may do, once somebody asked.
    permitted: Mutex<Option<(Arc<User>, Arc<Permissions>)>>,
}

/// What is known of the user so far.
#[derive(Clone)]
enum Known {
    NotAsked,
    Answer(Option<Arc<User>>),
}

/// What became of a log-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a log-out that is not confirmed must be told to the user"]
pub enum LogOut {
    /// Nobody is logged in with this session any more.
    Complete,
    /// While the log-out was under way, another request deleted the session, or gave it a new key under
    /// which the user may still be logged in. The browser loses its cookie; the user should look, and
    /// log out again.
    Unconfirmed,
}

/// Why the visitor could not be recognised, logged in or logged out.
#[derive(Debug)]
#[non_exhaustive]
pub enum AuthError {
    /// The accounts' store failed.
    Store(StoreError),
    /// The session could not be read or written.
    Session(SessionError),
    /// Too many passwords wait to be hashed.
    Busy,
    /// The session names its user by what can be no id: only the site itself can have written it.
    /// Django: `ValidationError`.
    UserId,
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Session(error) => error.fmt(f),
            Self::Busy => Busy.fmt(f),
            Self::UserId => f.write_str("the session's _auth_user_id is no number"),
        }
    }
}

impl std::error::Error for AuthError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::Session(error) => Some(error),
            Self::Busy | Self::UserId => None,
        }
    }
}

impl From<StoreError> for AuthError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<SessionError> for AuthError {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

impl From<Busy> for AuthError {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}

impl Auth {
    pub(super) fn new(
        context: Arc<AuthContext>,
        session: Session,
        rotation: Option<Rotation>,
        device: Device,
        asked: Uri,
    ) -> Self {
        let user = Mutex::new(Known::NotAsked);
        let permitted = Mutex::new(None);
        Self(Arc::new(Inner { context, session, rotation, device, asked, user, permitted }))
    }

    /// The log-in page, with the way back to what the browser asked for.
    pub(super) fn login_address(&self) -> String {
        login_address(self.policy(), &self.0.asked)
    }

    pub(super) fn policy(&self) -> &AuthPolicy {
        &self.0.context.policy
    }

    pub(super) fn session(&self) -> &Session {
        &self.0.session
    }

    pub(super) fn device(&self) -> &Device {
        &self.0.device
    }

    pub(super) fn list(&self) -> Option<&SessionList> {
        self.0.context.list.as_ref()
    }

    fn known(&self) -> Known {
        self.0.user.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn know(&self, user: Option<Arc<User>>) {
        *self.0.user.lock().unwrap_or_else(PoisonError::into_inner) = Known::Answer(user);
    }

    /// The user who is logged in, if one is. Asks session and store once. Django: `request.user`.
    ///
    /// # Errors
    /// [`AuthError::Store`] and [`AuthError::Session`]: nobody becomes anonymous because a database
    /// is down.
    pub async fn user(&self) -> Result<Option<Arc<User>>, AuthError> {
        if let Known::Answer(user) = self.known() {
            return Ok(user);
        }
        let user = self.recognise().await?;
        self.know(user.clone());
        Ok(user)
    }

    /// What the visitor may do: nothing, if nobody is logged in; everything that there is, for a
    /// superuser. Asks the store once for each user of the request, so that what is granted meanwhile
    /// counts from the next request on. Django: `get_all_permissions`.
    ///
    /// # Errors
    /// As [`Auth::user`].
    pub async fn permissions(&self) -> Result<Arc<Permissions>, AuthError> {
        let Some(user) = self.user().await? else { return Ok(Arc::default()) };
        if let Some(permissions) = self.permitted(&user) {
            return Ok(permissions);
        }
        let permissions = Arc::new(self.0.context.accounts.permissions(user.id).await?);
        *self.0.permitted.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((user, Arc::clone(&permissions)));
        Ok(permissions)
    }

    /// What is known of the permissions of this user, and not of one who was logged in before.
    fn permitted(&self, user: &Arc<User>) -> Option<Arc<Permissions>> {
        let known = self.0.permitted.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|(whose, _)| Arc::ptr_eq(whose, user)).map(|(_, known)| known.clone())
    }

    /// May the visitor do this, `app.codename`? Superusers may do anything, also what no permission
    /// is of. Django: `has_perm`.
    ///
    /// # Errors
    /// As [`Auth::user`].
    pub async fn has_perm(&self, permission: &str) -> Result<bool, AuthError> {
        self.has_perms([permission]).await
    }

    /// May the visitor do all of these? Nobody who is not logged in may, even if there are none.
    /// Django: `has_perms`.
    ///
    /// # Errors
    /// As [`Auth::user`].
    pub async fn has_perms<'a>(
        &self,
        permissions: impl IntoIterator<Item = &'a str>,
    ) -> Result<bool, AuthError> {
        match self.user().await? {
            None => Ok(false),
            Some(user) if user.is_superuser => Ok(user.is_active),
            Some(_) => {
                let has = self.permissions().await?;
                Ok(permissions.into_iter().all(|permission| has.contains(permission)))
            }
        }
    }

    /// Rules 2, 3 and 8.
    async fn recognise(&self) -> Result<Option<Arc<User>>, AuthError> {
        let users = self.0.context.accounts.source();
        let (data, along) = self.0.session.data_and_user(users).await?;
        let Some(user) = self.vouched_for(&data, along).await? else { return Ok(None) };
        if let Some(list) = self.list()
            && self.sight(list, user.id, &data).await? == Seen::Unlisted
        {
            self.0.session.flush().await?;
            return Ok(None);
        }
        Ok(Some(user))
    }

    /// Rules 2 and 3. The user whom the session names may have been read along with it.
    async fn vouched_for(
        &self,
        data: &SessionData,
        along: Option<Arc<User>>,
    ) -> Result<Option<Arc<User>>, AuthError> {
        let Some(id) = claimed_user(data)? else { return Ok(None) };
        let (accounts, hash) = (&self.0.context.accounts, data.text(USER_HASH).unwrap_or_default());
        let found = match along.filter(|user| user.id == id) {
            Some(user) => Some(user),
            None => accounts.by_id(id).await?,
        };
        let Some(mut user) = found else { return Ok(None) };
        let mut hash_of = self.policy().find(&hash, &user.password);
        if hash_of == HashOf::Nobody {
            // Accounts that are remembered may not know a new password yet.
            let Some(now) = accounts.by_id_afresh(id).await? else { return Ok(None) };
            hash_of = self.policy().find(&hash, &now.password);
            user = now;
        }
        if !user.is_active {
            return Ok(None);
        }
        match hash_of {
            HashOf::Current => {}
            HashOf::Former => {
                let hash = self.policy().session_hash(&user.password);
                self.0.session.cycle_key().await?;
                self.0.session.insert(USER_HASH, &hash).await?;
            }
            HashOf::Nobody => {
                self.0.session.flush().await?;
                self.unlist(user.id, data).await;
                return Ok(None);
            }
        }
        Ok(Some(user))
    }

    /// The user of this name and password, if there is one and may act. Does not log in: see
    /// [`Auth::login`].
    ///
    /// A password of an outdated form is stored anew, which ends the user's other sessions.
    ///
    /// # Errors
    /// [`AuthError::Store`] and [`AuthError::Busy`].
    pub async fn authenticate(
        &self,
        username: &str,
        password: &str,
    ) -> Result<Option<Arc<User>>, AuthError> {
        let AuthContext { policy, accounts, .. } = &*self.0.context;
        let found = accounts.by_username(username).await?;
        let encoded = found.as_ref().map(|user| &user.password);
        let verification = policy.passwords.verify(password, encoded).await?;
        let user = match (found, verification) {
            (Some(user), Verification::Correct) => Some(user),
            // Who may not act gets no second hash, which the answer's time would show.
            (Some(user), Verification::CorrectButOutdated) if user.is_active => {
                Some(self.renew(user, password).await?)
            }
            _ => None,
        };
        let user = user.filter(|user| user.is_active);
        if user.is_none() {
            Event::LoginFailed { username }.emit();
        }
        Ok(user)
    }

    async fn renew(&self, user: Arc<User>, password: &str) -> Result<Arc<User>, AuthError> {
        let AuthContext { policy, accounts, .. } = &*self.0.context;
        let encoded = policy.passwords.hash(password).await?;
        accounts.set_password(user.id, &encoded).await?;
        Ok(Arc::new(User { password: encoded, ..User::clone(&user) }))
    }

    /// Logs this user in (rule 4).
    ///
    /// # Errors
    /// [`AuthError::Store`] and [`AuthError::Session`].
    pub async fn login(&self, user: &Arc<User>) -> Result<(), AuthError> {
        let hash = self.policy().session_hash(&user.password);
        let session = &self.0.session;
        // First, so that nobody is half logged in when the accounts fail.
        self.0.context.accounts.set_last_login(user.id, self.policy().clock.now()).await?;
        let data = session.data().await?;
        if !data.contains(USER_ID) {
            session.cycle_key().await?;
        } else if !is_session_of(&data, user, &hash) {
            session.flush().await?;
        }
        session.begin().await?;
        if let Some(list) = self.list() {
            self.begin_listed(list, user.id, &data).await?;
        }
        session.insert(USER_ID, &user.id.to_string()).await?;
        session.insert(USER_BACKEND, BACKEND).await?;
        session.insert(USER_HASH, &hash).await?;
        if let Some(rotation) = &self.0.rotation {
            rotation.rotate();
        }
        self.know(Some(Arc::clone(user)));
        Event::LoggedIn { username: &user.username }.emit();
        Ok(())
    }

    /// A session that is to be listed has a key. One that was listed before is listed anew: it may have
    /// been another user's.
    async fn begin_listed(
        &self,
        list: &SessionList,
        user: i64,
        before: &SessionData,
    ) -> Result<(), AuthError> {
        if let Some(former) = claimed_user(before)? {
            self.unlist(former, before).await;
        }
        if self.0.session.key().is_none() {
            self.0.session.cycle_key().await?;
        }
        self.note(list, user).await
    }

    /// Logs out whoever is logged in, and deletes the session (rule 4).
    ///
    /// # Errors
    /// [`AuthError::Session`]. Accounts that fail hold nobody back.
    pub async fn logout(&self) -> Result<LogOut, AuthError> {
        // Only the log wants the name.
        let user = self.user().await.ok().flatten();
        let username = user.as_ref().map_or("", |user| &user.username);
        let data = self.0.session.data().await.unwrap_or_default();
        let deletion = self.0.session.flush().await?;
        if let Some(user) = &user {
            self.unlist(user.id, &data).await;
        }
        self.know(None);
        match deletion {
            Deletion::Deleted => {
                Event::LoggedOut { username }.emit();
                Ok(LogOut::Complete)
            }
            Deletion::Absent => {
                Event::LogOutUnconfirmed { username }.emit();
                Ok(LogOut::Unconfirmed)
            }
        }
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Auth(…)")
    }
}

/// The user whom a session names, if a backend of ours vouched for the name.
fn claimed_user(data: &SessionData) -> Result<Option<i64>, AuthError> {
    if !data.contains(USER_ID) || data.text(USER_BACKEND).as_deref() != Some(BACKEND) {
        return Ok(None);
    }
    data.user_id().map(Some).ok_or(AuthError::UserId)
}

fn is_session_of(data: &SessionData, user: &User, hash: &str) -> bool {
    let same_user = data.text(USER_ID).is_some_and(|id| id == user.id.to_string());
    let kept = data.text(USER_HASH).unwrap_or_default();
    same_user && equal(kept.as_bytes(), hash.as_bytes())
}
