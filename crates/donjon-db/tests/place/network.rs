//! What may happen between a process and a server.

use std::net::SocketAddr;

use sea_orm::ConnectionTrait;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::{Fresh, Place};

/// Ends every other connection to the database, as a restart does.
pub(crate) async fn end_the_others(fresh: &Fresh, place: Place) {
    let killer = fresh.open().await;
    let run = async |sql| killer.danger_connection().execute_unprepared(sql).await.unwrap();
    if place == Place::Postgres {
        run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()").await;
        return;
    }
    let others = "CREATE PROCEDURE end_others() BEGIN
        DECLARE done INT DEFAULT FALSE; DECLARE other BIGINT;
        DECLARE others CURSOR FOR SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID();
        DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = TRUE;
        OPEN others;
        again: LOOP FETCH others INTO other; IF done THEN LEAVE again; END IF; KILL other; END LOOP;
        END";
    run(others).await;
    run("CALL end_others()").await;
}

/// Passes on what comes to `server`, but not while `frozen`.
pub(crate) async fn proxy(server: SocketAddr, frozen: watch::Receiver<bool>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut frozen = frozen.clone();
            tokio::spawn(async move {
                let mut upstream = TcpStream::connect(server).await.unwrap();
                // What was open when the network froze never moves again, and is not closed.
                tokio::select! {
                    _ = copy_bidirectional(&mut client, &mut upstream) => {}
                    () = async { drop(frozen.wait_for(|frozen| *frozen).await) } => {
                        std::future::pending().await
                    }
                }
            });
        }
    });
    address
}
