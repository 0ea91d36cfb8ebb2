//! The connection: one for all requests, made anew when it breaks.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, Pipeline, TlsMode, Value};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::timeout;

use crate::batch::Batched;
use crate::policy::Place;
use crate::{RedisError, RedisErrorKind, RedisPolicy};

/// A connection to Redis that commands of all tasks go through; clones are the same.
#[derive(Clone)]
pub struct Redis(Arc<Shared>);

struct Shared {
    policy: RedisPolicy,
    source: AsyncMutex<Source>,
    current: Mutex<Current>,
}

/// Where connections come from.
enum Source {
    Single(Box<Client>),
    Cluster(Box<ClusterClient>),
    Watched(Box<SentinelClient>),
}

#[derive(Default)]
struct Current {
    line: Option<Line>,
    /// Tells one line from the next, so that only the one that broke is dropped.
    number: u64,
    failure: Option<(Instant, RedisError)>,
}

#[derive(Clone)]
enum Line {
    Plain(Batched),
    Cluster(ClusterConnection, Duration),
}

/// What is asked.
#[derive(Clone, Copy)]
enum Question<'a> {
    One(&'a Cmd),
    All(&'a Pipeline),
}

impl Question<'_> {
    async fn put<T: FromRedisValue>(self, line: Line) -> Result<T, RedisError> {
        match (self, line) {
            (Self::One(command), Line::Plain(line)) => {
                let answer = line.ask(vec![command.clone()]).await?.pop().unwrap_or(Value::Nil);
                read(answer)
            }
            (Self::All(commands), Line::Plain(line)) => {
                read(Value::Array(line.ask(commands.cmd_iter().cloned().collect()).await?))
            }
            (Self::One(command), Line::Cluster(mut line, limit)) => {
                within(limit, command.query_async(&mut line)).await
            }
            (Self::All(commands), Line::Cluster(mut line, limit)) => {
                within(limit, commands.query_async(&mut line)).await
            }
        }
    }
}

async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = redis::RedisResult<T>>,
) -> Result<T, RedisError> {
    // The library's own limit does not count the wait for a place in its queue.
    match timeout(limit, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(RedisError::timeout()),
    }
}

fn read<T: FromRedisValue>(answer: Value) -> Result<T, RedisError> {
    let read = T::from_redis_value(answer.extract_error()?);
    Ok(read.map_err(redis::RedisError::from)?)
}

/// May a command be sent again, when it is not known what became of it?
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// Yes: it only reads.
    Yes,
    /// No.
    No,
}

impl Redis {
    /// Connects to the Redis at this address: see [`RedisPolicy::parse`].
    ///
    /// # Errors
    /// [`RedisError`] if the address is none, nobody answers there, or the password is wrong.
    pub async fn connect(url: &str) -> Result<Self, RedisError> {
        Self::open(RedisPolicy::parse(url)?).await
    }

    /// Connects by this policy.
    ///
    /// # Errors
    /// As [`Redis::connect`].
    pub async fn open(policy: RedisPolicy) -> Result<Self, RedisError> {
        let source = AsyncMutex::new(source(&policy)?);
        let redis = Self(Arc::new(Shared { policy, source, current: Mutex::default() }));
        redis.query::<String>(&redis::cmd("PING"), Again::Yes).await?;
        // The youngest command that is needed; whoever may not ask for this key may still know it.
        let youngest =
            redis.query::<i64>(redis::cmd("PEXPIRETIME").arg("donjon"), Again::Yes).await;
        match youngest {
            Err(error) if error.kind() == RedisErrorKind::Other => Err(RedisError::too_old()),
            _ => Ok(redis),
        }
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Current> {
        // No code panics while it holds the lock.
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What Redis says to a command.
    pub(crate) async fn query<T: FromRedisValue>(
        &self,
        command: &Cmd,
        again: Again,
    ) -> Result<T, RedisError> {
        self.ask(Question::One(command), again).await
    }

    /// What Redis says to several commands of one key, sent at once.
    pub(crate) async fn query_all<T: FromRedisValue>(
        &self,
        commands: &Pipeline,
        again: Again,
    ) -> Result<T, RedisError> {
        self.ask(Question::All(commands), again).await
    }

    async fn ask<T: FromRedisValue>(
        &self,
        question: Question<'_>,
        again: Again,
    ) -> Result<T, RedisError> {
        match self.ask_once(question).await {
            // The line may have been dead for long, and nobody has noticed before.
            Err(error) if again == Again::Yes && error.kind() == RedisErrorKind::Unreachable => {
                self.ask_once(question).await
            }
            answer => answer,
        }
    }

    async fn ask_once<T: FromRedisValue>(&self, question: Question<'_>) -> Result<T, RedisError> {
        let (number, line) = self.line().await?;
        let answer = question.put(line).await;
        if answer.as_ref().is_err_and(RedisError::breaks_the_connection) {
            self.drop_line(number);
        }
        answer
    }

    fn drop_line(&self, number: u64) {
        let mut current = self.current();
        if current.number == number {
            current.line = None;
        }
    }

    async fn line(&self) -> Result<(u64, Line), RedisError> {
        if let Some(line) = self.standing() {
            return Ok(line);
        }
        let asked = Instant::now();
        let mut source = self.0.source.lock().await;
        if let Some(line) = self.standing() {
            return Ok(line);
        }
        // Rule 2: whoever has waited for an attempt that failed does not make the next.
        let failure = self.current().failure.clone();
        if let Some((_, error)) = failure.filter(|(when, _)| *when >= asked) {
            return Err(error);
        }
        let line = self.connected(&mut source).await;
        let mut current = self.current();
        match line {
            Ok(line) => {
                current.number += 1;
                current.line = Some(line.clone());
                Ok((current.number, line))
            }
            Err(error) => {
                current.failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    fn standing(&self) -> Option<(u64, Line)> {
        let current = self.current();
        Some((current.number, current.line.clone()?))
    }

    async fn connected(&self, source: &mut Source) -> Result<Line, RedisError> {
        let policy = &self.0.policy;
        let settings = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(policy.connect_timeout))
            .set_response_timeout(None)
            .set_pipeline_buffer_size(policy.max_in_flight)
            .set_concurrency_limit(policy.max_in_flight);
        let line = async {
            Ok::<_, redis::RedisError>(match source {
                Source::Single(client) => Line::Plain(Batched::new(
                    client.get_multiplexed_async_connection_with_config(&settings).await?,
                    policy.response_timeout,
                )),
                Source::Watched(client) => Line::Plain(Batched::new(
                    client.get_async_connection_with_config(&settings).await?,
                    policy.response_timeout,
                )),
                Source::Cluster(client) => {
                    Line::Cluster(client.get_async_connection().await?, policy.response_timeout)
                }
            })
        };
        match timeout(policy.connect_timeout, line).await {
            Ok(line) => Ok(line?),
            Err(_) => Err(RedisError::timeout()),
        }
    }

    /// The servers that a subscriber may connect to, in order.
    pub(crate) async fn clients(&self) -> Result<Vec<Client>, RedisError> {
        let policy = &self.0.policy;
        match &mut *self.0.source.lock().await {
            Source::Single(client) => Ok(vec![Client::clone(client)]),
            Source::Watched(sentinels) => {
                match timeout(policy.connect_timeout, sentinels.async_get_client()).await {
                    Ok(client) => Ok(vec![client?]),
                    Err(_) => Err(RedisError::timeout()),
                }
            }
            Source::Cluster(_) => policy.nodes.iter().map(|node| client(policy, node)).collect(),
        }
    }

    pub(crate) fn policy(&self) -> &RedisPolicy {
        &self.0.policy
    }
}

fn client(policy: &RedisPolicy, node: &redis::ConnectionInfo) -> Result<Client, RedisError> {
    Ok(match policy.certificates() {
        Some(certificates) => Client::build_with_tls(node.clone(), certificates)?,
        None => Client::open(node.clone())?,
    })
}

fn source(policy: &RedisPolicy) -> Result<Source, RedisError> {
    match (&policy.place, &*policy.nodes) {
        (Place::Single, [node, ..]) => Ok(Source::Single(Box::new(client(policy, node)?))),
        (Place::Cluster, [_, ..]) => Ok(Source::Cluster(Box::new(cluster(policy)?))),
        (Place::Watched(master), [node, ..]) => {
            Ok(Source::Watched(Box::new(sentinels(policy, master, node)?)))
        }
        (_, []) => Err(RedisError::address("names no host")),
    }
}

fn cluster(policy: &RedisPolicy) -> Result<ClusterClient, RedisError> {
    let mut builder = ClusterClient::builder(policy.nodes.clone())
        .connection_timeout(policy.connect_timeout)
        .response_timeout(policy.response_timeout)
        .overall_response_timeout(Some(policy.response_timeout))
        .connection_concurrency_limit(policy.max_in_flight)
        .retries(1);
    if let Some(certificates) = policy.certificates() {
        builder = builder.certs(certificates);
    }
    Ok(builder.build()?)
}

fn sentinels(
    policy: &RedisPolicy,
    master: &str,
    node: &redis::ConnectionInfo,
) -> Result<SentinelClient, RedisError> {
    let places = policy.nodes.iter().map(|node| node.addr().clone());
    let mut builder = SentinelClientBuilder::new(places, master, SentinelServerType::Master)?;
    let settings = node.redis_settings();
    builder = builder.set_client_to_redis_db(settings.db());
    if let Some(user) = settings.username() {
        builder = builder.set_client_to_redis_username(user);
    }
    if let Some(password) = settings.password() {
        builder = builder.set_client_to_redis_password(password);
    }
    if let Some((user, password)) = &policy.sentinel_login {
        builder = builder.set_client_to_sentinel_username(user);
        builder = builder.set_client_to_sentinel_password(password);
    }
    if matches!(node.addr(), redis::ConnectionAddr::TcpTls { .. }) {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
        builder = builder.set_client_to_sentinel_tls_mode(TlsMode::Secure);
    }
    if let Some(certificates) = policy.certificates() {
        builder = builder.set_client_to_redis_certificates(certificates.clone());
        builder = builder.set_client_to_sentinel_certificates(certificates);
    }
    Ok(builder.build()?)
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Redis").field(&self.0.policy).finish()
    }
}

/// A script of one key, known to Redis by its digest once it was sent.
pub(crate) struct Script {
    text: &'static str,
    digest: String,
}

impl Script {
    pub(crate) fn new(text: &'static str) -> Self {
        Self { text, digest: redis::Script::new(text).get_hash().to_owned() }
    }

    /// What the script returns for this key.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        redis: &Redis,
        key: &[u8],
        arguments: &[&[u8]],
    ) -> Result<T, RedisError> {
        let command = |name: &str, script: &str| {
            let mut command = redis::cmd(name);
            command.arg(script).arg(1).arg(key).arg(arguments);
            command
        };
        let known = redis.query(&command("EVALSHA", &self.digest), Again::No).await;
        match known {
            Err(error) if error.is_unknown_script() => {
                redis.query(&command("EVAL", self.text), Again::No).await
            }
            answer => answer,
        }
    }
}
