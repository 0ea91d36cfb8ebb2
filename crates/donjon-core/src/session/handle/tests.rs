use super::*;
use crate::secret::Keys;
use crate::session::{BoxFuture, CookieSessions, Creation, MemorySessions, SessionStore};

const NOW: UnixTime = UnixTime::from_seconds(1_750_000_000);
const FIREFOX: &[u8] = b"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const CURL: &[u8] = b"curl/8.14.1";

/// What another request does to the store.
type Deed = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// A store in which others act before the call of some number, or before every call.
#[derive(Default)]
struct Busy {
    sessions: Arc<MemorySessions>,
    calls: Mutex<usize>,
    deed: Mutex<Option<(When, Arc<Deed>)>>,
}

#[derive(Clone, Copy, PartialEq)]
enum When {
    BeforeCall(usize),
    BeforeEachUpdate,
}

impl Busy {
    fn before(&self, when: When, deed: Deed) {
        *self.calls.lock().unwrap() = 0;
        *self.deed.lock().unwrap() = Some((when, Arc::new(deed)));
    }

    fn calls(&self) -> usize {
        *self.calls.lock().unwrap()
    }

    async fn others_act(&self, updates: bool) {
        let call = {
            let mut calls = self.calls.lock().unwrap();
            *calls += 1;
            *calls
        };
        let deed = self.deed.lock().unwrap().clone();
        if let Some((when, deed)) = deed
            && (when == When::BeforeCall(call) || (updates && when == When::BeforeEachUpdate))
        {
            deed().await;
        }
    }
}

impl SessionStore for Busy {
    async fn load(&self, key: &SessionKey, now: UnixTime) -> Result<Option<Stored>, StoreError> {
        self.others_act(false).await;
        SessionStore::load(&*self.sessions, key, now).await
    }

    async fn create(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
    ) -> Result<Creation, StoreError> {
        self.others_act(false).await;
        SessionStore::create(&*self.sessions, key, record).await
    }

    async fn update(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        over: &Version,
    ) -> Result<Update, StoreError> {
        self.others_act(true).await;
        SessionStore::update(&*self.sessions, key, record, over).await
    }

    async fn delete(&self, key: &SessionKey) -> Result<Deletion, StoreError> {
        self.others_act(false).await;
        SessionStore::delete(&*self.sessions, key).await
    }

    async fn clear_expired(&self, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
        SessionStore::clear_expired(&*self.sessions, now, limit).await
    }
}

/// One session of a site, and requests that have its key.
struct Site {
    busy: Arc<Busy>,
    clock: Clock,
    lifetime: Lifetime,
    key: Option<SessionKey>,
}

impl Site {
    async fn new(lifetime: Lifetime) -> Self {
        let (busy, clock) = (Arc::new(Busy::default()), Clock::fixed(NOW));
        let mut site = Self { busy, clock, lifetime, key: None };
        let first = site.request();
        first.insert("first", &1).await.unwrap();
        site.key = Some(first.save().await.unwrap());
        site
    }

    async fn idle() -> Self {
        Self::new(Lifetime::idle(3_600)).await
    }

    fn context(&self, engine: Engine) -> Arc<SessionContext> {
        let (lifetime, clock) = (self.lifetime, self.clock.clone());
        Arc::new(SessionContext { engine, lifetime, clock })
    }

    /// A request in whose way others can come.
    fn request(&self) -> Session {
        Session::new(self.context(Arc::clone(&self.busy).into()), self.key.clone())
    }

    /// A request in whose way nobody comes.
    fn other(&self) -> Session {
        Session::new(self.context(Arc::clone(&self.busy.sessions).into()), self.key.clone())
    }

    fn bound(&self, key: Option<SessionKey>, agent: &[u8]) -> Session {
        let context = self.context(Arc::clone(&self.busy.sessions).into());
        Session::bound(context, key, AgentFamily::of(agent))
    }

    /// The names under a key, sorted.
    async fn names(&self, key: Option<SessionKey>) -> Vec<String> {
        let Some(key) = key else { return Vec::new() };
        let stored = SessionStore::load(&*self.busy.sessions, &key, NOW).await.unwrap();
        let data = stored.map(|stored| stored.record.data).unwrap_or_default();
        let mut names: Vec<_> = data.keys().map(str::to_owned).collect();
        names.sort();
        names
    }
}

/// Another request that puts a value in, and tells whether it was saved.
fn writes(other: &Session, told: &Arc<Mutex<Option<bool>>>) -> Deed {
    let (other, told) = (other.clone(), Arc::clone(told));
    Box::new(move || {
        let (other, told) = (other.clone(), Arc::clone(&told));
        Box::pin(async move {
            other.insert("theirs", &1).await.unwrap();
            *told.lock().unwrap() = Some(other.save().await.is_ok());
        })
    })
}

fn flushes(other: &Session, told: &Arc<Mutex<Option<Deletion>>>) -> Deed {
    let (other, told) = (other.clone(), Arc::clone(told));
    Box::new(move || {
        let (other, told) = (other.clone(), Arc::clone(&told));
        Box::pin(async move {
            *told.lock().unwrap() = Some(other.flush().await.unwrap());
        })
    })
}

/// More steps than any of the operations has.
const STEPS: std::ops::Range<usize> = 1..9;

#[tokio::test]
async fn rule_4_two_saves_keep_both_names_whichever_comes_between_what() {
    for step in STEPS {
        let (site, told) = (Site::idle().await, Arc::default());
        let (ours, theirs) = (site.request(), site.other());
        theirs.data().await.unwrap();
        site.busy.before(When::BeforeCall(step), writes(&theirs, &told));
        ours.insert("ours", &1).await.unwrap();
        ours.save().await.unwrap();
        let expected: &[_] = match *told.lock().unwrap() {
            Some(saved) => {
                assert!(saved);
                &["first", "ours", "theirs"]
            }
            None => &["first", "ours"],
        };
        assert_eq!(site.names(site.key.clone()).await, expected, "step {step}");
        assert_eq!(told.lock().unwrap().is_some(), step <= site.busy.calls());
    }
}

#[tokio::test]
async fn rule_4_of_two_changes_to_one_name_the_later_save_counts() {
    let site = Site::idle().await;
    let (earlier, later) = (site.other(), site.other());
    earlier.insert("first", &2).await.unwrap();
    later.insert("first", &3).await.unwrap();
    earlier.save().await.unwrap();
    later.save().await.unwrap();
    assert_eq!(site.other().get::<u8>("first").await.unwrap(), Some(3));
}

#[tokio::test]
async fn rule_4_what_was_removed_stays_removed_and_what_was_cleared_is_gone() {
    let site = Site::idle().await;
    let (remover, adder) = (site.other(), site.other());
    remover.remove("first").await.unwrap();
    adder.insert("added", &1).await.unwrap();
    adder.save().await.unwrap();
    remover.save().await.unwrap();
    assert_eq!(site.names(site.key.clone()).await, ["added"]);
    let (cleaner, adder) = (site.other(), site.other());
    cleaner.data().await.unwrap();
    cleaner.clear();
    adder.insert("more", &1).await.unwrap();
    adder.save().await.unwrap();
    cleaner.save().await.unwrap();
    assert!(site.names(site.key.clone()).await.is_empty());
}

#[tokio::test]
async fn rule_4_a_save_does_not_bring_a_deleted_session_back() {
    for step in STEPS {
        let (site, told) = (Site::idle().await, Arc::default());
        let (ours, theirs) = (site.request(), site.other());
        site.busy.before(When::BeforeCall(step), flushes(&theirs, &told));
        ours.insert("ours", &1).await.unwrap();
        let saved = ours.save().await;
        if step == 2 {
            assert!(matches!(saved, Err(SessionError::Interrupted)), "{saved:?}");
        }
        if told.lock().unwrap().is_some() {
            assert!(site.names(site.key.clone()).await.is_empty(), "step {step}");
        }
    }
}

/// Saves all of these at once, and tells how often the store was called.
async fn at_once(site: &Site, sessions: Vec<Session>) -> (usize, Vec<Result<(), SessionError>>) {
    site.busy.before(When::BeforeEachUpdate, Box::new(|| Box::pin(tokio::task::yield_now())));
    let mut requests = tokio::task::JoinSet::new();
    for session in sessions {
        requests.spawn(async move { session.save().await.map(drop) });
    }
    let saved = requests.join_all().await;
    (site.busy.calls(), saved)
}

#[tokio::test]
async fn rule_4_requests_that_save_at_once_are_saved_together() {
    let site = Site::idle().await;
    let context = site.context(Arc::clone(&site.busy).into());
    let names: Vec<_> = (0..8).map(|number| format!("name{number}")).collect();
    let mut sessions = Vec::new();
    for name in &names {
        let session = Session::new(Arc::clone(&context), site.key.clone());
        session.insert(name, &1).await.unwrap();
        sessions.push(session);
    }
    let (calls, saved) = at_once(&site, sessions.clone()).await;
    assert!(saved.iter().all(Result::is_ok));
    assert_eq!(calls, 2, "the first alone, and all others together");
    let kept = site.names(site.key.clone()).await;
    assert!(names.iter().all(|name| kept.contains(name)), "{kept:?}");

    sessions[7].insert("later", &1).await.unwrap();
    sessions[7].remove("name1").await.unwrap();
    sessions[7].save().await.unwrap();
    let kept = site.names(site.key.clone()).await;
    assert!(kept.contains(&"later".to_owned()) && !kept.contains(&"name1".to_owned()), "{kept:?}");
}

#[tokio::test]
async fn rule_4_who_forgets_all_among_many_forgets_what_was_before() {
    let site = Site::idle().await;
    let context = site.context(Arc::clone(&site.busy).into());
    let mut sessions = Vec::new();
    for name in ["a", "b", "", "d", "e"] {
        let session = Session::new(Arc::clone(&context), site.key.clone());
        match name {
            "" => session.clear(),
            name => session.insert(name, &1).await.unwrap(),
        }
        sessions.push(session);
    }
    let (_, saved) = at_once(&site, sessions).await;
    assert!(saved.iter().all(Result::is_ok));
    assert_eq!(site.names(site.key.clone()).await, ["d", "e"]);
}

#[tokio::test]
async fn rule_4_who_is_saved_along_with_a_deleted_session_hears_that_it_is_gone() {
    let site = Site::idle().await;
    let context = site.context(Arc::clone(&site.busy).into());
    let mut sessions = Vec::new();
    for name in ["a", "b", "c"] {
        let session = Session::new(Arc::clone(&context), site.key.clone());
        session.insert(name, &1).await.unwrap();
        sessions.push(session);
    }
    site.other().flush().await.unwrap();
    let (_, saved) = at_once(&site, sessions).await;
    let is_gone = |saved: &Result<_, _>| matches!(saved, Err(SessionError::Interrupted));
    assert!(saved.iter().all(is_gone), "{saved:?}");
    assert!(site.busy.sessions.is_empty());
}

#[tokio::test]
async fn rule_7_another_browser_is_not_told_of_the_session_by_those_who_save_it() {
    let site = Site::idle().await;
    let visitor = site.bound(None, FIREFOX);
    visitor.insert("user", &1).await.unwrap();
    let key = Some(visitor.save().await.unwrap());
    let context = site.context(Arc::clone(&site.busy).into());
    let request = |agent| Session::bound(Arc::clone(&context), key.clone(), AgentFamily::of(agent));
    let (first, thief) = (request(FIREFOX), request(CURL));
    first.insert("more", &1).await.unwrap();
    thief.clear();
    let (_, saved) = at_once(&site, vec![first, thief]).await;
    assert_eq!(saved.iter().filter(|saved| saved.is_ok()).count(), 1);
    assert_eq!(site.names(key).await, ["_donjon_agent", "more", "user"]);
}

#[tokio::test]
async fn rule_4_a_race_without_end_is_an_error() {
    let site = Site::idle().await;
    let (ours, theirs) = (site.request(), site.other());
    ours.insert("ours", &1).await.unwrap();
    let (count, others) = (Arc::new(Mutex::new(0)), theirs.clone());
    site.busy.before(
        When::BeforeEachUpdate,
        Box::new(move || {
            let (count, others) = (Arc::clone(&count), others.clone());
            Box::pin(async move {
                let number = {
                    let mut count = count.lock().unwrap();
                    *count += 1;
                    *count
                };
                others.insert("theirs", &number).await.unwrap();
                others.save().await.unwrap();
            })
        }),
    );
    for outcome in [ours.save().await.map(drop), ours.cycle_key().await] {
        let Err(SessionError::Store(error)) = outcome else { panic!("{outcome:?}") };
        assert!(error.to_string().contains("faster than it can be saved"), "{error}");
    }
    assert_eq!(theirs.get::<usize>("theirs").await.unwrap(), Some(2 * MAX_SAVE_RACES));
}

#[tokio::test]
async fn rule_4_a_new_key_loses_nothing_that_another_request_was_told_is_saved() {
    for step in STEPS {
        let (site, told) = (Site::idle().await, Arc::default());
        let (ours, theirs) = (site.request(), site.other());
        theirs.data().await.unwrap();
        site.busy.before(When::BeforeCall(step), writes(&theirs, &told));
        ours.insert("ours", &1).await.unwrap();
        ours.cycle_key().await.unwrap();
        assert_ne!(ours.key(), site.key);
        ours.save().await.unwrap();
        let expected: &[_] = match *told.lock().unwrap() {
            Some(true) => &["first", "ours", "theirs"],
            _ => &["first", "ours"],
        };
        assert_eq!(site.names(ours.key()).await, expected, "step {step}");
        assert_eq!(site.busy.sessions.len(), 1, "step {step}");
    }
}

#[tokio::test]
async fn rule_4_a_log_out_that_deletes_ends_the_new_key_too_and_one_that_cannot_says_so() {
    let mut absent = 0;
    for step in STEPS {
        let (site, told) = (Site::idle().await, Arc::default());
        let (ours, theirs) = (site.request(), site.other());
        theirs.data().await.unwrap();
        site.busy.before(When::BeforeCall(step), flushes(&theirs, &told));
        ours.data().await.unwrap();
        let cycled = ours.cycle_key().await;
        let after = site.busy.calls();
        let told = *told.lock().unwrap();
        match told {
            Some(Deletion::Deleted) => {
                assert!(site.names(ours.key()).await.is_empty(), "step {step}")
            }
            Some(Deletion::Absent) => panic!("nobody deletes before a step of ours"),
            None => assert!(cycled.is_ok() && step > after, "step {step}"),
        }
        absent += usize::from(told.is_none() && theirs.flush().await.unwrap() == Deletion::Absent);
    }
    assert!(absent > 0);
}

#[tokio::test]
async fn rule_4_of_two_new_keys_at_once_at_most_one_lives() {
    for step in STEPS {
        let site = Site::idle().await;
        let (ours, theirs) = (site.request(), site.other());
        theirs.data().await.unwrap();
        let other = theirs.clone();
        site.busy.before(
            When::BeforeCall(step),
            Box::new(move || {
                let other = other.clone();
                Box::pin(async move { drop(other.cycle_key().await) })
            }),
        );
        drop(ours.cycle_key().await);
        let mut names = site.names(ours.key()).await;
        names.extend(site.names(theirs.key()).await);
        assert_eq!(names, ["first"], "step {step}");
    }
}

#[tokio::test]
async fn rule_4_a_row_that_was_left_is_nobodys() {
    let site = Site::idle().await;
    let store = &site.busy.sessions;
    let key = site.key.clone().unwrap();
    let stored = SessionStore::load(&**store, &key, NOW).await.unwrap().unwrap();
    let mark = site.other().mark_of_leaving().unwrap();
    SessionStore::update(&**store, &key, &mark, &stored.version).await.unwrap();
    let session = site.other();
    assert!(session.data().await.unwrap().is_empty());
    assert_eq!(session.key(), None);
}

#[tokio::test]
async fn rule_4_a_cleared_session_can_change_its_key_unread() {
    let site = Site::idle().await;
    let session = site.other();
    session.clear();
    session.cycle_key().await.unwrap();
    assert_eq!(site.busy.sessions.len(), 1);
    assert!(site.names(session.key()).await.is_empty());
}

fn day() -> Lifetime {
    Lifetime { absolute: Some(86_400), ..Lifetime::idle(72_000) }
}

#[tokio::test]
async fn rule_6_a_session_ends_at_its_age_however_active() {
    let site = Site::new(day()).await;
    for hour in 1..24 {
        site.clock.set(NOW.plus_seconds(hour * 3_600));
        let session = site.other();
        session.insert("hour", &hour).await.unwrap();
        let expires = session.expires().await.unwrap();
        assert_eq!(expires.age, (86_400 - hour * 3_600).min(72_000));
        session.save().await.unwrap();
    }
    site.clock.set(NOW.plus_seconds(86_400));
    assert!(site.other().data().await.unwrap().is_empty());
}

#[tokio::test]
async fn rule_6_a_row_that_somebody_else_prolonged_is_deleted() {
    let site = Site::new(day()).await;
    let (store, key) = (&site.busy.sessions, site.key.clone().unwrap());
    let stored = SessionStore::load(&**store, &key, NOW).await.unwrap().unwrap();
    let prolonged = SessionRecord { expires: NOW.plus_seconds(1_000_000), ..stored.record };
    SessionStore::update(&**store, &key, &prolonged, &stored.version).await.unwrap();
    site.clock.set(NOW.plus_seconds(86_399));
    assert!(site.other().contains("first").await.unwrap());
    site.clock.set(NOW.plus_seconds(86_400));
    assert!(!site.other().contains("first").await.unwrap());
    assert!(store.is_empty());
}

#[tokio::test]
async fn rule_6_neither_a_new_key_nor_clearing_prolongs_and_a_log_in_does() {
    let site = Site::new(day()).await;
    site.clock.set(NOW.plus_seconds(70_000));
    let session = site.other();
    session.cycle_key().await.unwrap();
    assert_eq!(session.expires().await.unwrap().age, 16_400);
    session.clear();
    session.save().await.unwrap();
    assert_eq!(session.expires().await.unwrap().age, 16_400);
    let unread = Session::new(site.context(Arc::clone(&site.busy.sessions).into()), session.key());
    unread.clear();
    unread.save().await.unwrap();
    assert_eq!(unread.expires().await.unwrap().age, 16_400);
    unread.begin().await.unwrap();
    assert_eq!(unread.expires().await.unwrap().age, 72_000);
}

#[tokio::test]
async fn rule_6_without_an_absolute_age_nothing_is_noted() {
    let site = Site::idle().await;
    site.other().begin().await.unwrap();
    assert_eq!(site.names(site.key.clone()).await, ["first"]);
}

#[tokio::test]
async fn rule_7_another_browser_finds_no_session_and_cannot_end_it() {
    let site = Site::idle().await;
    let visitor = site.bound(None, FIREFOX);
    visitor.insert("user", &1).await.unwrap();
    let key = Some(visitor.save().await.unwrap());
    for thief in [site.bound(key.clone(), CURL), site.bound(key.clone(), b"")] {
        assert!(!thief.contains("user").await.unwrap());
        assert_eq!(thief.key(), None);
    }
    site.bound(key.clone(), CURL).flush().await.unwrap();
    let cleaner = site.bound(key.clone(), CURL);
    cleaner.clear();
    assert!(matches!(cleaner.save().await, Err(SessionError::Interrupted)));
    assert!(site.bound(key, FIREFOX).contains("user").await.unwrap());
}

#[tokio::test]
async fn rule_7_a_session_that_was_bound_to_nobody_is_bound_by_the_log_in() {
    let site = Site::idle().await;
    let session = site.bound(site.key.clone(), FIREFOX);
    session.insert("more", &1).await.unwrap();
    session.save().await.unwrap();
    assert!(site.bound(site.key.clone(), CURL).contains("first").await.unwrap());
    session.begin().await.unwrap();
    session.save().await.unwrap();
    assert!(!site.bound(site.key.clone(), CURL).contains("first").await.unwrap());
    assert!(site.bound(site.key.clone(), FIREFOX).contains("first").await.unwrap());
}

/// Requests of a site that keeps sessions in their cookie.
struct Cookies(Arc<SessionContext>, Clock);

impl Cookies {
    fn new(lifetime: Lifetime) -> Self {
        let clock = Clock::fixed(NOW);
        let engine = CookieSessions::new(&Keys::new("secret"), "sessionid", clock.clone());
        let context =
            SessionContext { engine: Engine::Cookie(engine), lifetime, clock: clock.clone() };
        Self(Arc::new(context), clock)
    }

    fn request(&self, cookie: &str) -> Session {
        Session::new(Arc::clone(&self.0), self.0.engine.key(cookie))
    }

    async fn cookie(&self, name: &str, value: &str) -> Result<String, SessionError> {
        let session = self.request("");
        session.insert(name, value).await?;
        Ok(session.save().await?.expose().to_owned())
    }
}

#[tokio::test]
async fn rule_8_the_cookie_is_the_session_until_it_is_too_old() {
    let site = Cookies::new(Lifetime::idle(3_600));
    let cookie = site.cookie("cart", "tea").await.unwrap();
    let session = site.request(&cookie);
    assert!(!session.ending().empty && !session.ending().modified);
    assert_eq!(session.get::<String>("cart").await.unwrap().as_deref(), Some("tea"));
    session.cycle_key().await.unwrap();
    let renewed = session.save().await.unwrap();
    assert!(site.request(renewed.expose()).contains("cart").await.unwrap());
    site.1.set(NOW.plus_seconds(3_600));
    let late = site.request(&cookie);
    assert!(late.data().await.unwrap().is_empty() && late.ending().empty);
}

#[tokio::test]
async fn rule_8_what_nobody_signed_is_no_session() {
    let site = Cookies::new(Lifetime::idle(3_600));
    let cookie = site.cookie("cart", "tea").await.unwrap();
    let long = "x".repeat(CookieSessions::MAX_BYTES + 1);
    for forged in [&format!("{cookie}x"), &cookie[1..], "", "::", "a:b:c", "é\0", &long] {
        let session = site.request(forged);
        assert!(session.data().await.unwrap().is_empty() && session.ending().empty, "{forged}");
    }
}

#[tokio::test]
async fn rule_8_a_session_too_big_for_a_cookie_is_an_error() {
    let site = Cookies::new(Lifetime::idle(3_600));
    let random = |keys: usize| {
        (0..keys).map(|_| SessionKey::random().expose().to_owned()).collect::<String>()
    };
    let fits = site.cookie("big", &random(80)).await.unwrap();
    assert!(fits.len() <= CookieSessions::MAX_BYTES - "sessionid".len());
    let error = site.cookie("big", &random(160)).await.unwrap_err();
    assert!(matches!(error, SessionError::TooBig { room: 4087, .. }), "{error:?}");
    assert!(error.to_string().contains("keep sessions in a store"), "{error}");
}

#[tokio::test]
async fn rules_6_and_8_no_replay_outlives_the_absolute_age() {
    let site = Cookies::new(day());
    let mut cookie = site.cookie("cart", "tea").await.unwrap();
    for hours in [10, 20] {
        site.1.set(NOW.plus_seconds(hours * 3_600));
        let session = site.request(&cookie);
        session.clear();
        session.insert("hours", &hours).await.unwrap();
        cookie = session.save().await.unwrap().expose().to_owned();
    }
    site.1.set(NOW.plus_seconds(86_399));
    assert!(!site.request(&cookie).data().await.unwrap().is_empty());
    site.1.set(NOW.plus_seconds(86_400));
    assert!(site.request(&cookie).data().await.unwrap().is_empty());
}
