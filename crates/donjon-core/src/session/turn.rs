//! Turns: requests of one visitor that save at the same time do so one after the other.
//!
//! Stops: a visitor whose page sends many requests at once, and who has each of them lose the race to save against all
//! others. Between nodes that still happens, and a save copes with it.
//!
//! 1. Each session of a site has a turn of its own; who saves alone does not wait.
//! 2. A turn that ends with a failure of the store sets all who wait free at once: they find out for
//!    themselves, and not one after the other.
//! 3. Who goes away while waiting is passed over.
//! 4. Whoever has saved tells the next what the store has now, which need not ask for it again. If another node has
//!    written meanwhile, its save fails, and it asks.
//! 5. Whose turn it is takes the changes of those along who wait, in the order of their coming, at most [`MAX_ALONG`].
//!    They hear that they are saved once the store has said so; if it has not, each has its own turn as if nothing
//!    had been.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::handle::Base;
use super::{SessionData, SessionKey};

/// How many go along with one save.
const MAX_ALONG: usize = 64;

/// Whose turn it is: the address of what the sessions of a site have in common, and a session's key.
type Name = (usize, SessionKey);

/// The sessions that are being saved in this process. The lock is held for a look-up, no longer.
static TURNS: LazyLock<Mutex<HashMap<Name, State>>> = LazyLock::new(Mutex::default);

/// A turn that is taken, or about to be: where nobody saves, there is none.
#[derive(Default)]
struct State {
    taken: bool,
    next: u64,
    /// Tickets below this one need no turn: rule 2.
    free: u64,
    waiting: VecDeque<Waiting>,
    /// Rule 4.
    told: Option<Base>,
}

impl State {
    fn leave(&mut self, ticket: u64) -> Option<Waiting> {
        let at = self.waiting.iter().position(|waiting| waiting.ticket == ticket)?;
        self.waiting.remove(at)
    }
}

/// Somebody who waits for a turn.
struct Waiting {
    ticket: u64,
    waker: Waker,
    /// What is to be saved, if another may do it.
    changes: Option<Changes>,
    saved: Option<Saved>,
}

/// What a request has changed.
#[derive(Clone)]
pub(super) struct Changes {
    pub(super) before: SessionData,
    pub(super) after: SessionData,
}

/// What the store has after a save, and under which key.
#[derive(Clone)]
pub(super) struct Saved {
    pub(super) key: SessionKey,
    pub(super) base: Base,
}

fn turns() -> MutexGuard<'static, HashMap<Name, State>> {
    // No code panics while it holds the lock.
    TURNS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Wakes who is next, or clears the turn away if nobody is.
fn next(turns: &mut HashMap<Name, State>, name: &Name) {
    match turns.get(name) {
        Some(state) if state.taken => {}
        Some(state) => match state.waiting.front() {
            Some(first) => first.waker.wake_by_ref(),
            None => drop(turns.remove(name)),
        },
        None => {}
    }
}

/// The turn of the session with this key, of the site at this address. Of who must wait, `changes` tells what another
/// may save; `None` if nobody may.
pub(super) fn take<F: FnMut() -> Option<Changes> + Unpin>(
    site: usize,
    key: &SessionKey,
    changes: F,
) -> Take<F> {
    Take { name: (site, key.clone()), ticket: None, changes }
}

/// Waits for a turn.
pub(super) struct Take<F> {
    name: Name,
    ticket: Option<u64>,
    changes: F,
}

/// What came of the wait.
pub(super) enum Turn {
    /// It is one's turn.
    Taken(Taken),
    /// Another has saved these changes: rule 5.
    Saved(Changes, Saved),
}

impl<F: FnMut() -> Option<Changes> + Unpin> Future for Take<F> {
    type Output = Turn;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Turn> {
        let mut turns = turns();
        let state = match turns.entry(self.name.clone()) {
            Entry::Occupied(state) => state.into_mut(),
            Entry::Vacant(place) => place.insert(State::default()),
        };
        let Some(ticket) = self.ticket else {
            if !state.taken && state.waiting.is_empty() {
                state.taken = true;
                return Poll::Ready(Turn::Taken(Taken::new(Some(self.name.clone()), None)));
            }
            let ticket = state.next;
            state.next += 1;
            let (waker, changes) = (cx.waker().clone(), (self.changes)());
            state.waiting.push_back(Waiting { ticket, waker, changes, saved: None });
            self.ticket = Some(ticket);
            return Poll::Pending;
        };
        let is_first = state.waiting.front().is_some_and(|first| first.ticket == ticket);
        let Some(at) = state.waiting.iter().position(|waiting| waiting.ticket == ticket) else {
            return Poll::Pending;
        };
        if let Some(saved) = state.waiting[at].saved.take()
            && let Some(changes) = state.waiting[at].changes.take()
        {
            state.leave(ticket);
            self.ticket = None;
            next(&mut turns, &self.name);
            return Poll::Ready(Turn::Saved(changes, saved));
        }
        if ticket < state.free {
            state.leave(ticket);
            self.ticket = None;
            next(&mut turns, &self.name);
            return Poll::Ready(Turn::Taken(Taken::new(None, None)));
        }
        if !state.taken && is_first {
            state.taken = true;
            state.leave(ticket);
            self.ticket = None;
            let told = state.told.take();
            return Poll::Ready(Turn::Taken(Taken::new(Some(self.name.clone()), told)));
        }
        state.waiting[at].waker.clone_from(cx.waker());
        Poll::Pending
    }
}

impl<F> Drop for Take<F> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let mut turns = turns();
            if let Some(state) = turns.get_mut(&self.name) {
                state.leave(ticket);
            }
            next(&mut turns, &self.name);
        }
    }
}

/// A turn that was taken; it ends when this is dropped.
pub(super) struct Taken {
    /// Nobody's, if others were set free with this one.
    name: Option<Name>,
    told: Option<Base>,
    /// The tickets of those whose changes go along.
    along: Vec<u64>,
}

impl Taken {
    fn new(name: Option<Name>, told: Option<Base>) -> Self {
        Self { name, told, along: Vec::new() }
    }

    /// What the store had when the turn before this one ended: rule 4.
    pub(super) fn told(&mut self) -> Option<Base> {
        self.told.take()
    }

    /// The changes of those who wait, to be saved along: rule 5.
    pub(super) fn along(&mut self) -> Vec<Changes> {
        let Some(name) = &self.name else { return Vec::new() };
        let turns = turns();
        let waiting = turns.get(name).into_iter().flat_map(|state| &state.waiting);
        // Behind one who must wait for the own turn nobody goes ahead.
        let along = waiting.map_while(|waiting| Some((waiting.ticket, waiting.changes.clone()?)));
        let (tickets, changes) = along.take(MAX_ALONG).unzip();
        self.along = tickets;
        changes
    }

    /// Ends it. Tells those whose changes went along that they are saved, and the next, if somebody waits, what the
    /// store has now.
    pub(super) fn tell(self, now: impl FnOnce() -> Option<Saved>) {
        if let Some(name) = &self.name
            && let Some(state) = turns().get_mut(name).filter(|state| !state.waiting.is_empty())
            && let Some(saved) = now()
        {
            for waiting in &mut state.waiting {
                if self.along.contains(&waiting.ticket) {
                    waiting.saved = Some(saved.clone());
                    waiting.waker.wake_by_ref();
                }
            }
            state.told = Some(saved.base);
        }
    }

    /// Ends it, and sets all free who wait: rule 2.
    pub(super) fn fail(self) {
        if let Some(name) = &self.name
            && let Some(state) = turns().get_mut(name)
        {
            state.free = state.next;
            state.waiting.iter().for_each(|waiting| waiting.waker.wake_by_ref());
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let mut turns = turns();
            if let Some(state) = turns.get_mut(name) {
                state.taken = false;
            }
            next(&mut turns, name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Version;
    use super::*;

    type Wait = Pin<Box<Take<fn() -> Option<Changes>>>>;

    fn turn(take: &mut Wait) -> Option<Turn> {
        match take.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(turn) => Some(turn),
            Poll::Pending => None,
        }
    }

    fn poll(wait: &mut Wait) -> Option<Taken> {
        match turn(wait)? {
            Turn::Taken(taken) => Some(taken),
            Turn::Saved(..) => panic!("nobody saves for others"),
        }
    }

    fn wait(site: usize, key: &SessionKey, changes: fn() -> Option<Changes>) -> Wait {
        Box::pin(take(site, key, changes))
    }

    fn takes<const COUNT: usize>() -> [Wait; COUNT] {
        let key = SessionKey::random();
        std::array::from_fn(|_| wait(0, &key, || None))
    }

    fn some_changes() -> Option<Changes> {
        Some(Changes { before: SessionData::default(), after: SessionData::default() })
    }

    fn saved() -> Option<Saved> {
        let base = Base { data: SessionData::default(), version: Version::Number(7) };
        Some(Saved { key: SessionKey::random(), base })
    }

    #[test]
    fn one_after_the_other_in_the_order_of_their_coming() {
        let [mut one, mut two, mut three] = takes();
        let first = poll(&mut one).unwrap();
        assert!(poll(&mut two).is_none() && poll(&mut three).is_none());
        drop(first);
        assert!(poll(&mut three).is_none(), "two was there before");
        let second = poll(&mut two).unwrap();
        assert!(poll(&mut three).is_none());
        drop(second);
        assert!(poll(&mut three).is_some());
    }

    #[test]
    fn rule_2_a_failure_sets_everybody_free() {
        let [mut one, mut two, mut three, mut four] = takes();
        let first = poll(&mut one).unwrap();
        assert!(poll(&mut two).is_none() && poll(&mut three).is_none());
        first.fail();
        let (second, third) = (poll(&mut two).unwrap(), poll(&mut three).unwrap());
        assert!(second.name.is_none() && third.name.is_none());
        assert!(poll(&mut four).unwrap().name.is_some(), "and the next begins anew");
    }

    #[test]
    fn rule_3_who_goes_away_is_passed_over() {
        let [mut one, mut two, mut three] = takes();
        let first = poll(&mut one).unwrap();
        assert!(poll(&mut two).is_none() && poll(&mut three).is_none());
        drop(two);
        drop(first);
        assert!(poll(&mut three).is_some());
    }

    #[test]
    fn rule_1_two_sessions_and_two_sites_do_not_wait_for_each_other() {
        let [mut one] = takes();
        let mut elsewhere = wait(1, &one.name.1, || None);
        let [mut other] = takes();
        let (first, second, third) = (poll(&mut one), poll(&mut elsewhere), poll(&mut other));
        assert!(first.is_some() && second.is_some() && third.is_some());
    }

    #[test]
    fn rule_4_the_next_is_told_and_nobody_later() {
        let [mut one, mut two, mut three, mut four] = takes();
        let first = poll(&mut one).unwrap();
        assert!(poll(&mut two).is_none() && poll(&mut three).is_none());
        first.tell(saved);
        let mut second = poll(&mut two).unwrap();
        assert_eq!(second.told().map(|base| base.version), Some(Version::Number(7)));
        drop(second);
        let mut third = poll(&mut three).unwrap();
        assert!(third.told().is_none(), "the second has told nothing");
        third.tell(|| unreachable!("nobody waits"));
        assert!(poll(&mut four).unwrap().told().is_none());
    }

    #[test]
    fn rule_5_who_waits_is_saved_along_up_to_one_who_may_not_be() {
        let key = SessionKey::random();
        let mut waits = [some_changes, some_changes, some_changes, || None, some_changes]
            .map(|changes: fn() -> Option<Changes>| wait(0, &key, changes));
        let mut first = poll(&mut waits[0]).unwrap();
        assert!(waits[1..].iter_mut().all(|wait| turn(wait).is_none()));
        assert_eq!(first.along().len(), 2);
        let mut late = wait(0, &key, some_changes);
        assert!(turn(&mut late).is_none());
        first.tell(saved);
        assert!(turn(&mut waits[3]).is_none(), "others are before it");
        for wait in &mut waits[1..3] {
            assert!(matches!(turn(wait), Some(Turn::Saved(..))));
        }
        let mut fourth = poll(&mut waits[3]).unwrap();
        assert!(fourth.told().is_some());
        assert_eq!(fourth.along().len(), 2, "the last of the first five, and the late one");
    }

    #[test]
    fn rule_5_if_the_save_came_to_nothing_everybody_has_a_turn() {
        let key = SessionKey::random();
        let mut waits = [(); 3].map(|()| wait(0, &key, some_changes));
        let mut first = poll(&mut waits[0]).unwrap();
        assert!(turn(&mut waits[1]).is_none() && turn(&mut waits[2]).is_none());
        assert_eq!(first.along().len(), 2);
        drop(first);
        let mut second = poll(&mut waits[1]).unwrap();
        assert_eq!(second.along().len(), 1);
        second.fail();
        assert!(poll(&mut waits[2]).unwrap().name.is_none(), "it is set free");
    }

    #[test]
    fn rule_5_so_many_go_along_and_no_more() {
        let key = SessionKey::random();
        let mut first = poll(&mut wait(0, &key, some_changes)).unwrap();
        let mut waits: Vec<_> = (0..=MAX_ALONG).map(|_| wait(0, &key, some_changes)).collect();
        assert!(waits.iter_mut().all(|wait| turn(wait).is_none()));
        assert_eq!(first.along().len(), MAX_ALONG);
    }

    #[test]
    fn nothing_is_left_when_all_have_gone() {
        let [mut one, mut two, mut three, mut four] = takes();
        let name = one.name.clone();
        let first = poll(&mut one).unwrap();
        assert!(poll(&mut two).is_none() && poll(&mut three).is_none());
        first.fail();
        drop((poll(&mut two), three));
        assert!(!turns().contains_key(&name));
        drop(poll(&mut four));
        assert!(!turns().contains_key(&name));
    }
}
