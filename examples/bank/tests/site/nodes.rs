//! Three nodes of the bank on one PostgreSQL and one Redis: what one of them ends is over on all.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bank::people::ALICE;
use bank::storage::SessionPlace;
use http::StatusCode;
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Asterisk, Expr, Func, Query};

use crate::client::Client;
use crate::storage::{Ground, Kind, Node};

/// How long a log-out may take to hold everywhere.
const EVERYWHERE: Duration = Duration::from_secs(1);

/// How many log in at once.
const CROWD: usize = 500;

/// Three nodes, and the place that they share; hold on to it.
struct Nodes {
    nodes: [Node; 3],
    _ground: Ground,
}

impl Nodes {
    /// All three are opened at once on an empty database, as a deployment does.
    async fn open(ground: Ground) -> Self {
        let (one, two, three) = tokio::join!(ground.node(), ground.node(), ground.node());
        Self { nodes: [one, two, three], _ground: ground }
    }

    fn client(&self, node: usize) -> Client {
        Client::of(&self.nodes[node % 3].router)
    }

    /// The same browser, whom the proxy sends to another node.
    fn moved(&self, client: &Client, node: usize) -> Client {
        client.clone().at(&self.nodes[node].router)
    }

    /// Every node has seen this session, so that every cache has it.
    async fn seen_by_all(&self, client: &Client) {
        for node in 0..3 {
            let answer = self.moved(client, node).get("/account/").await;
            assert_eq!(answer.status, StatusCode::OK, "node {node}");
        }
    }

    async fn over_everywhere(&self, client: &Client, since: Instant) {
        for node in 0..3 {
            while self.moved(client, node).get("/account/").await.status == StatusCode::OK {
                assert!(since.elapsed() < EVERYWHERE, "node {node} still knows the session");
                tokio::task::yield_now().await;
            }
        }
        assert!(since.elapsed() < EVERYWHERE, "it took {:?}", since.elapsed());
    }

    async fn count(&self, table: &'static str) -> usize {
        let mut rows = Query::select();
        rows.expr(Func::count(Expr::col(Asterisk))).from(table);
        let connection = self.nodes[0].storage.database.danger_connection();
        let row = connection.query_one(&rows).await.unwrap().unwrap();
        row.try_get_by_index::<i64>(0).unwrap().try_into().unwrap()
    }
}

async fn log_out_holds(nodes: &Nodes) {
    let mut alice = nodes.client(0);
    alice.log_in(&ALICE).await;
    nodes.seen_by_all(&alice).await;
    let stolen = alice.clone();
    let token = alice.token("/account/").await;
    let since = Instant::now();
    alice.post_raw("/accounts/logout/", &[("csrfmiddlewaretoken", &token)]).await;
    nodes.over_everywhere(&stolen, since).await;
}

async fn ending_from_the_list_holds(nodes: &Nodes) {
    let (mut here, mut there) = (nodes.client(0), nodes.client(1));
    here.log_in(&ALICE).await;
    there.log_in(&ALICE).await;
    nodes.seen_by_all(&there).await;
    let page = here.get("/account/sessions/").await.text;
    let others = page.split("<li>").nth(1).expect("another session");
    let (_, rest) = others.split_once("name=\"session\" value=\"").unwrap();
    let id = rest.split('"').next().unwrap().to_owned();
    let token = here.token("/account/sessions/").await;
    let since = Instant::now();
    let fields = [("session", &*id), ("csrfmiddlewaretoken", &*token)];
    here.post_raw("/account/sessions/", &fields).await;
    nodes.over_everywhere(&there, since).await;
    here.get("/account/sessions/").await.sees("That session is logged out.");
    nodes.seen_by_all(&here).await;
}

async fn all_others_are_ended(nodes: &Nodes) {
    let mut here = nodes.client(2);
    here.log_in(&ALICE).await;
    let mut others = [nodes.client(0), nodes.client(1)];
    for other in &mut others {
        other.log_in(&ALICE).await;
        nodes.seen_by_all(other).await;
    }
    let token = here.token("/account/sessions/").await;
    let since = Instant::now();
    here.post_raw("/account/sessions/", &[("csrfmiddlewaretoken", &token)]).await;
    for other in &others {
        nodes.over_everywhere(other, since).await;
    }
    nodes.seen_by_all(&here).await;
}

/// A visitor whose two requests at once, to two nodes, each change something else.
async fn both_changes_survive(nodes: &Nodes) {
    let mut visitor = nodes.client(0);
    visitor.get("/ajax/").await;
    visitor.post("/form/", &[("name", "Ann"), ("email", "a@b.example")]).await;
    let token = visitor.token("/accounts/login/").await;
    let (mut one, mut two) = (nodes.moved(&visitor, 1), nodes.moved(&visitor, 2));
    let fields = [("name", "Zoe"), ("email", "z@b.example"), ("csrfmiddlewaretoken", &token)];
    let (form, item) = tokio::join!(
        one.post_raw("/form/", &fields),
        two.post_json("application/json", "{\"name\": \"milk\"}"),
    );
    assert_eq!((form.status, item.status), (StatusCode::SEE_OTHER, StatusCode::OK));
    visitor.get("/api/items/").await.sees("milk");
    visitor.get("/form/").await.sees("Thank you, Zoe.");
}

async fn hold(ground: Ground) {
    let nodes = Nodes::open(ground).await;
    log_out_holds(&nodes).await;
    ending_from_the_list_holds(&nodes).await;
    all_others_are_ended(&nodes).await;
    both_changes_survive(&nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn cached_db_by_postgres() {
    hold(Ground::new(Kind::Postgres, SessionPlace::CachedDb).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn cached_db_by_redis() {
    hold(Ground::new(Kind::Postgres, SessionPlace::CachedDb).await.with_redis()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn cached_db_in_redis() {
    hold(Ground::new(Kind::Postgres, SessionPlace::CachedDbRedis).await.with_redis()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sessions_in_redis() {
    hold(Ground::new(Kind::Postgres, SessionPlace::Redis).await.with_redis()).await;
}

/// What a log-in got: a session, or to come back later.
async fn try_to_log_in(mut client: Client) -> Option<String> {
    let token = client.token("/accounts/login/").await;
    let fields = [
        ("username", ALICE.username),
        ("password", ALICE.password),
        ("csrfmiddlewaretoken", &token),
    ];
    let answer = client.post_raw("/accounts/login/", &fields).await;
    match answer.status {
        StatusCode::SEE_OTHER => Some(client.cookies["sessionid"].clone()),
        StatusCode::SERVICE_UNAVAILABLE => None,
        status => panic!("{status}: {}", answer.text),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_logs_in_at_once() {
    let nodes = Nodes::open(Ground::new(Kind::Postgres, SessionPlace::CachedDb).await).await;
    let crowd = (0..CROWD).map(|number| tokio::spawn(try_to_log_in(nodes.client(number))));
    let mut sessions = Vec::new();
    for one in crowd.collect::<Vec<_>>() {
        sessions.extend(one.await.unwrap());
    }
    println!("{} of {CROWD} logged in at once", sessions.len());
    let different: BTreeSet<_> = sessions.iter().collect();
    assert!(!sessions.is_empty());
    assert_eq!(different.len(), sessions.len(), "nobody has another's session");
    assert_eq!(nodes.count("django_session").await, sessions.len());
}
