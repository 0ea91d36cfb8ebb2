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

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::SessionKey;
use super::handle::Base;

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
    waiting: VecDeque<(u64, Waker)>,
    /// Rule 4.
    told: Option<Base>,
}

impl State {
    fn leave(&mut self, ticket: u64) {
        self.waiting.retain(|(other, _)| *other != ticket);
    }
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
            Some((_, waker)) => waker.wake_by_ref(),
            None => drop(turns.remove(name)),
        },
        None => {}
    }
}

/// The turn of the session with this key, of the site at this address.
pub(super) fn take(site: usize, key: &SessionKey) -> Take {
    Take { name: (site, key.clone()), ticket: None }
}

/// Waits for a turn.
pub(super) struct Take {
    name: Name,
    ticket: Option<u64>,
}

impl Future for Take {
    type Output = Taken;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Taken> {
        let mut turns = turns();
        let state = match turns.entry(self.name.clone()) {
            Entry::Occupied(state) => state.into_mut(),
            Entry::Vacant(place) => place.insert(State::default()),
        };
        let Some(ticket) = self.ticket else {
            if !state.taken && state.waiting.is_empty() {
                state.taken = true;
                return Poll::Ready(Taken { name: Some(self.name.clone()), told: None });
            }
            let ticket = state.next;
            state.next += 1;
            state.waiting.push_back((ticket, cx.waker().clone()));
            self.ticket = Some(ticket);
            return Poll::Pending;
        };
        if ticket < state.free {
            state.leave(ticket);
            self.ticket = None;
            next(&mut turns, &self.name);
            return Poll::Ready(Taken { name: None, told: None });
        }
        if !state.taken && state.waiting.front().is_some_and(|(first, _)| *first == ticket) {
            state.taken = true;
            state.leave(ticket);
            self.ticket = None;
            let told = state.told.take();
            return Poll::Ready(Taken { name: Some(self.name.clone()), told });
        }
        if let Some((_, waker)) = state.waiting.iter_mut().find(|(other, _)| *other == ticket) {
            waker.clone_from(cx.waker());
        }
        Poll::Pending
    }
}

impl Drop for Take {
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
}

impl Taken {
    /// What the store had when the turn before this one ended: rule 4.
    pub(super) fn told(&mut self) -> Option<Base> {
        self.told.take()
    }

    /// Ends it, and tells the next, if somebody waits, what the store has now.
    pub(super) fn tell(self, now: impl FnOnce() -> Option<Base>) {
        if let Some(name) = &self.name
            && let Some(state) = turns().get_mut(name).filter(|state| !state.waiting.is_empty())
        {
            state.told = now();
        }
    }

    /// Ends it, and sets all free who wait: rule 2.
    pub(super) fn fail(self) {
        if let Some(name) = &self.name
            && let Some(state) = turns().get_mut(name)
        {
            state.free = state.next;
            state.waiting.iter().for_each(|(_, waker)| waker.wake_by_ref());
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
    use super::super::{SessionData, Version};
    use super::*;

    fn poll(take: &mut Pin<Box<Take>>) -> Option<Taken> {
        match take.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(taken) => Some(taken),
            Poll::Pending => None,
        }
    }

    fn takes<const COUNT: usize>() -> [Pin<Box<Take>>; COUNT] {
        let key = SessionKey::random();
        std::array::from_fn(|_| Box::pin(take(0, &key)))
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
        let mut elsewhere = Box::pin(take(1, &one.name.1));
        let [mut other] = takes();
        let (first, second, third) = (poll(&mut one), poll(&mut elsewhere), poll(&mut other));
        assert!(first.is_some() && second.is_some() && third.is_some());
    }

    #[test]
    fn rule_4_the_next_is_told_and_nobody_later() {
        let base = || Some(Base { data: SessionData::default(), version: Version::Number(7) });
        let [mut one, mut two, mut three, mut four] = takes();
        let first = poll(&mut one).unwrap();
        assert!(poll(&mut two).is_none() && poll(&mut three).is_none());
        first.tell(base);
        let mut second = poll(&mut two).unwrap();
        assert_eq!(second.told().map(|base| base.version), Some(Version::Number(7)));
        drop(second);
        let mut third = poll(&mut three).unwrap();
        assert!(third.told().is_none(), "the second has told nothing");
        third.tell(|| unreachable!("nobody waits"));
        assert!(poll(&mut four).unwrap().told().is_none());
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
