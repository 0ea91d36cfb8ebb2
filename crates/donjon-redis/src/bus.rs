//! Word of changed sessions over Redis' channels.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use donjon_core::entropy;
use donjon_core::session::cached::{ChangeBus, ChangeListener, HEARTBEAT, KeyDigest};
use donjon_core::session::{BoxFuture, StoreError};
use futures_core::Stream;
use redis::Msg;
use redis::aio::PubSub;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::connection::Again;
use crate::{Redis, RedisError};

/// How long to wait before the channel is subscribed to again.
const PAUSE: Duration = Duration::from_millis(100);

/// What a sign of life begins with; a node's own name follows.
const HEARTBEAT_MARK: char = '*';

/// A [`ChangeBus`] over a channel of Redis. It listens until it is dropped.
pub struct RedisBus {
    redis: Redis,
    channel: String,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl RedisBus {
    /// A bus on this channel. All nodes must name the same.
    #[must_use]
    pub fn new(redis: &Redis, channel: impl Into<String>) -> Self {
        Self { redis: redis.clone(), channel: channel.into(), tasks: Mutex::default() }
    }
}

async fn publish(redis: &Redis, channel: &str, word: &str) -> Result<(), RedisError> {
    let mut command = redis::cmd("PUBLISH");
    redis.query::<i64>(command.arg(channel).arg(word), Again::Yes).await.map(drop)
}

impl ChangeBus for RedisBus {
    fn publish<'a>(&'a self, digest: &'a KeyDigest) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { Ok(publish(&self.redis, &self.channel, &digest.to_string()).await?) })
    }

    fn listen(&self, listener: Arc<dyn ChangeListener>) {
        let ear = Ear {
            redis: self.redis.clone(),
            channel: self.channel.clone(),
            name: entropy::string::<16>(entropy::LOWER_ALPHANUMERIC),
            listener,
        };
        let task = tokio::spawn(ear.listen());
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }
}

impl Drop for RedisBus {
    fn drop(&mut self) {
        for task in self.tasks.get_mut().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
    }
}

impl fmt::Debug for RedisBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBus").field("channel", &self.channel).finish_non_exhaustive()
    }
}

/// Who listens for one listener.
struct Ear {
    redis: Redis,
    channel: String,
    /// Tells its own signs of life from those of others.
    name: String,
    listener: Arc<dyn ChangeListener>,
}

impl Ear {
    async fn listen(self) {
        loop {
            if let Err(error) = self.hear().await {
                tracing::warn!(target: "donjon::security::session", %error, "The bus of sessions is silent");
            }
            self.listener.deaf();
            sleep(PAUSE).await;
        }
    }

    /// Hears until the line breaks.
    async fn hear(&self) -> Result<(), RedisError> {
        let mut line = self.subscribed().await?;
        let mut words = line.on_message();
        let mut beat = interval(HEARTBEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                word = next(&mut words) => match word {
                    Some(word) => self.take(&word).await,
                    None => return Err(RedisError::timeout()),
                },
                _ = beat.tick() => {
                    let word = format!("{HEARTBEAT_MARK}{}", self.name);
                    publish(&self.redis, &self.channel, &word).await?;
                }
            }
        }
    }

    async fn subscribed(&self) -> Result<PubSub, RedisError> {
        let limit = self.redis.policy().connect_timeout;
        let mut last = RedisError::timeout();
        for client in self.redis.clients().await? {
            let line = async {
                let mut line = client.get_async_pubsub().await?;
                line.subscribe(&self.channel).await?;
                Ok::<_, redis::RedisError>(line)
            };
            match timeout(limit, line).await {
                Ok(Ok(line)) => return Ok(line),
                Ok(Err(error)) => last = error.into(),
                Err(_) => {}
            }
        }
        Err(last)
    }

    async fn take(&self, word: &Msg) {
        let Ok(text) = std::str::from_utf8(word.get_payload_bytes()) else { return };
        if text.strip_prefix(HEARTBEAT_MARK) == Some(&self.name) {
            self.listener.heard().await;
        } else if let Some(digest) = KeyDigest::parse(text) {
            self.listener.changed(&digest).await;
        }
    }
}

async fn next<S: Stream<Item = Msg> + Unpin>(words: &mut S) -> Option<Msg> {
    std::future::poll_fn(|cx| Pin::new(&mut *words).poll_next(cx)).await
}
