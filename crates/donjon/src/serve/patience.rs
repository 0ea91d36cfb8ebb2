//! How long one connection waits for a request's headers.
//!
//! Stops: what the deadline itself would cost. A timer for each request is made, put among the
//! runtime's timers under a lock, and taken out again when the headers are there, which they are at once.
//!
//! 1. A connection has one alarm. It stays set from request to request, and when it rings too early
//!    for what is waited for by then, it is set anew.
//! 2. So it rings at most once in the time of the deadline, and never late.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use hyper_util::rt::TokioTimer;

type Alarm = Pin<Box<tokio::time::Sleep>>;

/// hyper's timer for one HTTP/1.1 connection, which waits for one thing at a time.
pub(super) struct Patience(Arc<Mutex<Alarm>>);

impl Patience {
    /// The timer of a connection that begins, and usually waits so long.
    pub(super) fn new(usual: Duration) -> Self {
        Self(Arc::new(Mutex::new(Box::pin(tokio::time::sleep(usual)))))
    }
}

impl Timer for Patience {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Wait { alarm: Arc::clone(&self.0), deadline: deadline.into() })
    }

    fn now(&self) -> Instant {
        TokioTimer::new().now()
    }
}

/// Until a deadline.
struct Wait {
    alarm: Arc<Mutex<Alarm>>,
    deadline: tokio::time::Instant,
}

impl Wait {
    fn alarm(&self) -> MutexGuard<'_, Alarm> {
        // No code of ours panics while it holds the lock, and an alarm is whole at any time.
        self.alarm.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sleep for Wait {}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut alarm = self.alarm();
        if alarm.deadline() > self.deadline {
            alarm.as_mut().reset(self.deadline);
        }
        while alarm.as_mut().poll(cx).is_ready() {
            if alarm.deadline() == self.deadline {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(self.deadline);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Duration = Duration::from_secs(30);

    async fn waited(wait: Pin<Box<dyn Sleep>>) -> Duration {
        let begun = tokio::time::Instant::now();
        wait.await;
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn rule_1_what_was_not_waited_out_shortens_no_other_wait() {
        let patience = Patience::new(USUAL);
        for _ in 0..3 {
            let first = patience.sleep(USUAL);
            assert!(tokio::time::timeout(USUAL / 3, first).await.is_err());
        }
        assert_eq!(waited(patience.sleep(USUAL)).await, USUAL);
    }

    #[tokio::test(start_paused = true)]
    async fn rule_1_an_alarm_that_rang_unheard_is_set_anew() {
        let patience = Patience::new(USUAL);
        tokio::time::sleep(2 * USUAL).await;
        assert_eq!(waited(patience.sleep(USUAL)).await, USUAL);
    }

    #[tokio::test(start_paused = true)]
    async fn rule_2_a_wait_that_is_shorter_than_the_usual_is_no_longer() {
        let patience = Patience::new(USUAL);
        assert_eq!(waited(patience.sleep(USUAL / 2)).await, USUAL / 2);
        let deadline = patience.now();
        assert_eq!(waited(patience.sleep_until(deadline)).await, Duration::ZERO);
    }
}
