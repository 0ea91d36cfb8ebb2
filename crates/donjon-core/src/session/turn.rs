//! Turns: of the requests of one visitor that have lost a race to save, one after the other tries again.
//!
//! Stops: a visitor whose page sends many requests at once, and who has them all try again at once, as
//! often as there are others. Between nodes that still happens, and a save copes with it.
//!
//! 1. Sessions share a small number of turns, by their keys: two that meet there only wait for each
//!    other.
//! 2. A turn that ends with a failure of the store sets all who wait free at once: they find out for
//!    themselves, and not one after the other.
//! 3. Who goes away while waiting is passed over.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::SessionKey;

/// How many sessions try again at once in this process.
const TURNS: usize = 256;

static ALL: [Turn; TURNS] = [const { Turn(Mutex::new(State::new())) }; TURNS];

struct Turn(Mutex<State>);

struct State {
    taken: bool,
    next: u64,
    /// Tickets below this one need no turn: rule 2.
    free: u64,
    waiting: VecDeque<(u64, Waker)>,
}

impl State {
    const fn new() -> Self {
        Self { taken: false, next: 0, free: 0, waiting: VecDeque::new() }
    }

    fn leave(&mut self, ticket: u64) {
        self.waiting.retain(|(other, _)| *other != ticket);
    }

    fn wake_first(&self) {
        if let Some((_, waker)) = self.waiting.front().filter(|_| !self.taken) {
            waker.wake_by_ref();
        }
    }
}

impl Turn {
    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turn of the session with this key.
pub(super) fn take(key: &SessionKey) -> Take {
    let hash = key
        .expose()
        .bytes()
        .fold(0usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(usize::from(byte)));
    Take { turn: &ALL[hash % TURNS], ticket: None }
}

/// Waits for a turn.
pub(super) struct Take {
    turn: &'static Turn,
    ticket: Option<u64>,
}

impl Future for Take {
    type Output = Taken;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Taken> {
        let turn = self.turn;
        let mut state = turn.state();
        let Some(ticket) = self.ticket else {
            if !state.taken && state.waiting.is_empty() {
                state.taken = true;
                return Poll::Ready(Taken { turn: Some(turn) });
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
            return Poll::Ready(Taken { turn: None });
        }
        if !state.taken && state.waiting.front().is_some_and(|(first, _)| *first == ticket) {
            state.taken = true;
            state.leave(ticket);
            self.ticket = None;
            return Poll::Ready(Taken { turn: Some(turn) });
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
            let mut state = self.turn.state();
            state.leave(ticket);
            state.wake_first();
        }
    }
}

/// A turn that was taken; it ends when this is dropped.
pub(super) struct Taken {
    turn: Option<&'static Turn>,
}

impl Taken {
    /// Ends it, and sets all free who wait: rule 2.
    pub(super) fn fail(self) {
        if let Some(turn) = self.turn {
            let mut state = turn.state();
            state.free = state.next;
            state.waiting.iter().for_each(|(_, waker)| waker.wake_by_ref());
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(turn) = self.turn {
            let mut state = turn.state();
            state.taken = false;
            state.wake_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(take: &mut Pin<Box<Take>>) -> Option<Taken> {
        match take.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(taken) => Some(taken),
            Poll::Pending => None,
        }
    }

    fn takes<const COUNT: usize>() -> [Pin<Box<Take>>; COUNT] {
        let key = SessionKey::random();
        // Nobody else may be at this turn: tests run at once.
        let turn: &'static Turn = Box::leak(Box::new(Turn(Mutex::new(State::new()))));
        std::array::from_fn(|_| Box::pin(Take { turn, ..take(&key) }))
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
        assert!(second.turn.is_none() && third.turn.is_none());
        assert!(poll(&mut four).unwrap().turn.is_some(), "and the next begins anew");
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
}
