//! The lists of users' sessions, in SQL.

#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

mod place;

use donjon_core::clock::UnixTime;
use donjon_core::session::{
    MAX_DEVICE, MAX_LISTED, Seen, SessionId, SessionKey, Sighting, UserSession, UserSessions,
};
use donjon_db::SqlUserSessions;
use place::Place;

const NOW: UnixTime = UnixTime::from_seconds(1_700_000_000);

on_each! {
    what_is_noted_is_listed_for_its_user_alone
    a_sighting_adds_nothing
    a_list_is_bounded_and_shows_whom_was_seen_last
    what_is_over_is_cleared_in_batches
}

fn session(user: i64, seen: i64) -> UserSession {
    UserSession {
        id: SessionId::random(),
        user,
        kept: SessionKey::random(),
        device: "é".repeat(MAX_DEVICE),
        address: Some("2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff".parse().unwrap()),
        began: NOW,
        seen: NOW.plus_seconds(seen),
        expires: NOW.plus_seconds(seen + 1_000),
    }
}

async fn what_is_noted_is_listed_for_its_user_alone(place: Place) {
    let (_fresh, database) = place.migrated().await;
    let list = SqlUserSessions::new(&database);
    let (one, other) = (session(1, 0), UserSession { address: None, ..session(2, 0) });
    list.note(&one).await.unwrap();
    list.note(&other).await.unwrap();
    assert_eq!(list.list(1, NOW).await.unwrap(), std::slice::from_ref(&one));
    assert_eq!(list.find(2, &other.id).await.unwrap(), Some(other.clone()));
    assert_eq!(list.find(2, &one.id).await.unwrap(), None);
    list.remove(2, &one.id).await.unwrap();
    assert_eq!(list.list(1, NOW).await.unwrap(), std::slice::from_ref(&one));
    assert_eq!(list.list(1, one.expires).await.unwrap(), []);
    list.remove(1, &one.id).await.unwrap();
    assert_eq!(list.list(1, NOW).await.unwrap(), []);
}

async fn a_sighting_adds_nothing(place: Place) {
    let (_fresh, database) = place.migrated().await;
    let list = SqlUserSessions::new(&database);
    let one = session(1, 0);
    list.note(&one).await.unwrap();
    let (at, expires) = (NOW.plus_seconds(60), NOW.plus_seconds(2_000));
    let sighting = Sighting { kept: SessionKey::random(), address: None, at, expires };
    assert_eq!(list.seen(2, &one.id, &sighting).await.unwrap(), Seen::Unlisted);
    for _ in 0..2 {
        assert_eq!(list.seen(1, &one.id, &sighting).await.unwrap(), Seen::Listed);
    }
    let Sighting { kept, address, .. } = sighting.clone();
    let expected = UserSession { kept, address, seen: at, expires, ..one.clone() };
    assert_eq!(list.list(1, NOW).await.unwrap(), [expected]);
    list.remove(1, &one.id).await.unwrap();
    assert_eq!(list.seen(1, &one.id, &sighting).await.unwrap(), Seen::Unlisted);
    assert_eq!(list.list(1, NOW).await.unwrap(), []);
}

async fn a_list_is_bounded_and_shows_whom_was_seen_last(place: Place) {
    let (_fresh, database) = place.migrated().await;
    let list = SqlUserSessions::new(&database);
    for seen in 0..=MAX_LISTED as i64 {
        list.note(&session(1, seen)).await.unwrap();
    }
    let listed = list.list(1, NOW).await.unwrap();
    let seen: Vec<_> = listed.iter().map(|session| session.seen).collect();
    let expected: Vec<_> = (1..=MAX_LISTED as i64).rev().map(|at| NOW.plus_seconds(at)).collect();
    assert_eq!(seen, expected);
}

async fn what_is_over_is_cleared_in_batches(place: Place) {
    let (_fresh, database) = place.migrated().await;
    let list = SqlUserSessions::new(&database);
    for seen in 0..10 {
        list.note(&session(1, seen)).await.unwrap();
    }
    let now = NOW.plus_seconds(1_007);
    let cleared = async |limit| list.clear_expired(now, limit).await.unwrap();
    assert_eq!([cleared(4).await, cleared(4).await, cleared(4).await], [4, 3, 0]);
    assert_eq!(list.list(1, NOW).await.unwrap().len(), 3);
}
