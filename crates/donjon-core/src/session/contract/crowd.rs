//! Many at once.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use super::record::{LONG_AGO, create, holds, holds_none, load, record};
use super::{Fault, Outcome, demand, same};
use crate::clock::Clock;
use crate::session::{
    Creation, Deletion, DynSessionStore, Lifetime, Session, SessionContext, SessionKey,
    SessionStore, Update,
};

/// How many come at once.
const CROWD: usize = 16;

/// How many requests change one session at once: fewer than the races that a save stands.
const WRITERS: usize = 8;

enum Course<F: Future> {
    Running(Pin<Box<F>>),
    Done(F::Output),
}

impl<F: Future> Course<F> {
    fn is_done(&mut self, cx: &mut Context<'_>) -> bool {
        if let Self::Running(future) = self
            && let Poll::Ready(output) = future.as_mut().poll(cx)
        {
            *self = Self::Done(output);
        }
        matches!(self, Self::Done(_))
    }
}

/// Runs all of these at once, whatever runtime there is, and gives their results in order.
async fn together<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut courses: Vec<_> = futures.map(|future| Course::Running(Box::pin(future))).collect();
    poll_fn(|cx| {
        let running = courses.iter_mut().filter_map(|course| (!course.is_done(cx)).then_some(()));
        if running.count() == 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    let output = |course| match course {
        Course::Done(output) => Some(output),
        Course::Running(_) => None,
    };
    courses.into_iter().filter_map(output).collect()
}

/// The number of the one that won, where exactly one did.
fn one_winner(won: &[bool]) -> Result<usize, Fault> {
    let mut winners = won.iter().enumerate().filter_map(|(number, won)| won.then_some(number));
    match (winners.next(), winners.next()) {
        (Some(winner), None) => Ok(winner),
        _ => Err(Fault(format!("{} of {CROWD} won", won.iter().filter(|won| **won).count()))),
    }
}

pub(super) async fn creations<S: SessionStore>(store: &S) -> Outcome {
    let key = SessionKey::random();
    let won = together((0..CROWD).map(async |number| {
        let creation = store.create(&key, &record("number", number)?).await?;
        Ok::<_, Fault>(matches!(creation, Creation::Created(_)))
    }))
    .await
    .into_iter()
    .collect::<Result<Vec<_>, _>>()?;
    let winner = one_winner(&won)?;
    holds_number(store, &key, winner).await
}

/// The records of the suite may end a second apart: only the values are compared.
async fn holds_number<S: SessionStore>(store: &S, key: &SessionKey, number: usize) -> Outcome {
    let found = load(store, key).await?.record.data;
    same("the winner's values", &found, &record("number", number)?.data)
}

pub(super) async fn updates<S: SessionStore>(store: &S) -> Outcome {
    let key = SessionKey::random();
    let seen = create(store, &key, &record("number", CROWD)?).await?;
    let won = together((0..CROWD).map(async |number| {
        match store.update(&key, &record("number", number)?, &seen).await? {
            Update::Saved(_) => Ok(true),
            Update::Changed => Ok(false),
            Update::Gone => Err(Fault("a record that nobody deleted is gone".to_owned())),
        }
    }))
    .await
    .into_iter()
    .collect::<Result<Vec<_>, _>>()?;
    let winner = one_winner(&won)?;
    holds_number(store, &key, winner).await
}

pub(super) async fn deletions<S: SessionStore>(store: &S) -> Outcome {
    let key = SessionKey::random();
    create(store, &key, &record("number", 1)?).await?;
    let deletions = together((0..CROWD).map(|_| store.delete(&key))).await;
    let won = deletions
        .into_iter()
        .map(|deletion| Ok(deletion? == Deletion::Deleted))
        .collect::<Result<Vec<_>, Fault>>()?;
    one_winner(&won)?;
    holds_none(store, &key).await
}

/// The life of one session.
async fn life<S: SessionStore>(store: &S, number: usize) -> Outcome {
    let (key, first, second) =
        (SessionKey::random(), record("first", number)?, record("second", number)?);
    let version = create(store, &key, &first).await?;
    holds(store, &key, &first).await?;
    let update = store.update(&key, &second, &version).await?;
    demand(matches!(update, Update::Saved(_)), format!("its only update: found {update:?}"))?;
    holds(store, &key, &second).await?;
    same("its only deletion", &store.delete(&key).await?, &Deletion::Deleted)?;
    holds_none(store, &key).await
}

pub(super) async fn strangers<S: SessionStore>(store: &S) -> Outcome {
    let lives = pin!(together((0..CROWD * 4).map(|number| life(store, number))));
    lives.await.into_iter().collect()
}

pub(super) async fn changes<S: SessionStore>(store: S) -> Outcome {
    let store: Arc<dyn DynSessionStore> = Arc::new(store);
    let lifetime = Lifetime::idle(3_600);
    let context =
        SessionContext { engine: Arc::clone(&store).into(), lifetime, clock: Clock::system() };
    let context = Arc::new(context);
    let first = Session::new(Arc::clone(&context), None);
    let broken = |error: crate::session::SessionError| Fault(error.to_string());
    first.insert("first", &true).await.map_err(broken)?;
    let key = first.save().await.map_err(broken)?;
    let saves = together((0..WRITERS).map(async |number| {
        let session = Session::new(Arc::clone(&context), Some(key.clone()));
        session.insert(&format!("writer {number}"), &number).await?;
        session.save().await
    }));
    saves.await.into_iter().try_for_each(|saved| saved.map(drop)).map_err(broken)?;
    let found =
        store.load(&key, LONG_AGO).await?.map_or(0, |stored| stored.record.data.keys().count());
    same("the names that are there", &found, &(WRITERS + 1))
}
