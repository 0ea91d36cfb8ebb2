//! What is asked at the same moment goes to Redis together: on a busy server most of what a command costs is its own
//! trip through the kernel, on both sides.
//!
//! 1. Who asks first lets all tasks run that can run, and sends what they ask along with its own. Where nobody else asks
//!    this takes no time that could be measured; nobody waits for a clock.
//! 2. At most [`MAX_BATCH`] questions go together; what is more goes next, without waiting for the answers.
//! 3. Whoever has gone before the question was sent has asked nothing.
//! 4. An error of one question is told to who asked it; one of the connection, and an answer that does not come in
//!    time, to all.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, Value};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::RedisError;

/// How many questions go together.
pub(crate) const MAX_BATCH: usize = 64;

/// A connection whose questions go in batches; clones are the same.
#[derive(Clone)]
pub(crate) struct Batched {
    connection: MultiplexedConnection,
    response_timeout: Duration,
    waiting: Arc<Mutex<Vec<Question>>>,
}

/// Some commands and who waits for what Redis says to them.
struct Question {
    commands: Vec<Cmd>,
    answer: oneshot::Sender<Result<Vec<Value>, RedisError>>,
}

impl Batched {
    /// Answers are to come within so long after a batch is ready to go.
    pub(crate) fn new(connection: MultiplexedConnection, response_timeout: Duration) -> Self {
        Self { connection, response_timeout, waiting: Arc::default() }
    }

    /// What Redis says to each of these commands. An error of one is a [`Value::ServerError`].
    pub(crate) async fn ask(&self, commands: Vec<Cmd>) -> Result<Vec<Value>, RedisError> {
        let (answer, answered) = oneshot::channel();
        let is_first = {
            let mut waiting = self.waiting();
            waiting.push(Question { commands, answer });
            waiting.len() == 1
        };
        if is_first {
            self.send_soon();
        }
        // Only a runtime that shuts down drops a question unanswered.
        answered.await.unwrap_or_else(|_| Err(RedisError::timeout()))
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Question>> {
        // No code panics while it holds the lock.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// In a task of its own: who asks may go away while others wait for the same batch.
    fn send_soon(&self) {
        let mut batched = self.clone();
        tokio::spawn(async move {
            let mut count = 0;
            while count < batched.waiting().len().min(MAX_BATCH) {
                count = batched.waiting().len();
                tokio::task::yield_now().await;
            }
            let batch = batched.take();
            batched.send(batch).await;
        });
    }

    fn take(&self) -> Vec<Question> {
        let mut waiting = self.waiting();
        let count = waiting.len().min(MAX_BATCH);
        let batch = waiting.drain(..count).filter(|question| !question.answer.is_closed());
        let batch = batch.collect();
        if !waiting.is_empty() {
            self.send_soon();
        }
        batch
    }

    async fn send(&mut self, batch: Vec<Question>) {
        let mut all = Pipeline::with_capacity(batch.len());
        let mut askers = Vec::with_capacity(batch.len());
        for Question { commands, answer } in batch {
            askers.push((commands.len(), answer));
            for command in commands {
                all.add_command(command);
            }
        }
        let count = all.len();
        if count == 0 {
            return;
        }
        // One limit for all: a timer for each would cost as much as its question.
        let answer = self.connection.send_packed_commands(&all, 0, count);
        let answer = match timeout(self.response_timeout, answer).await {
            Ok(answer) => answer.map_err(RedisError::from),
            Err(_) => Err(RedisError::timeout()),
        };
        match answer {
            Ok(values) => {
                let mut values = values.into_iter();
                for (count, answer) in askers {
                    // Who has gone meanwhile wants no answer.
                    let _ = answer.send(Ok(values.by_ref().take(count).collect()));
                }
            }
            Err(error) => {
                for (_, answer) in askers {
                    let _ = answer.send(Err(error.clone()));
                }
            }
        }
    }
}

impl fmt::Debug for Batched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Batched")
    }
}
