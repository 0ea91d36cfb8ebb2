//! The contract of an account store, kept by Django's table.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "the helpers of tests stop a test")]

mod place;

use std::sync::Arc;

use donjon_core::account::{AccountStore, EncodedPassword};
use donjon_core::clock::UnixTime;
use donjon_db::{CachedAccounts, Database, DjangoAccounts};
use place::accounts::{JOINED, create};
use place::{Fresh, Place};
use sea_orm::ConnectionTrait;

async fn store(place: Place) -> (Fresh, Database, DjangoAccounts) {
    let (fresh, database) = place.migrated().await;
    let accounts = DjangoAccounts::new(&database);
    (fresh, database, accounts)
}

on_each! {
    a_new_user_has_djangos_defaults
    names_are_unique_and_exact
    passwords_and_log_ins_are_noted
    a_row_of_django_is_read_whatever_the_order_of_its_columns
    permissions_are_the_users_own_and_those_of_their_groups
    of_many_who_want_a_name_one_gets_it
    what_is_changed_through_the_cache_counts_at_once
}

async fn a_new_user_has_djangos_defaults(place: Place) {
    let (_fresh, _database, accounts) = store(place).await;
    let created = create(&accounts, "alice").await.unwrap();
    for user in [
        created,
        accounts.by_id(1).await.unwrap().unwrap(),
        accounts.by_username("alice").await.unwrap().unwrap(),
    ] {
        assert_eq!((user.id, user.username.as_str()), (1, "alice"));
        assert_eq!((user.is_active, user.is_staff, user.is_superuser), (true, false, false));
        assert_eq!((user.first_name.as_str(), user.last_name.as_str()), ("", ""));
        assert_eq!(user.email, "a@example.com");
        assert_eq!(user.password.expose(), "pbkdf2_sha256$1$salt$hash");
        assert_eq!((user.date_joined, user.last_login), (JOINED, None));
    }
}

async fn names_are_unique_and_exact(place: Place) {
    let (_fresh, _database, accounts) = store(place).await;
    assert_eq!(create(&accounts, "alice").await.unwrap().id, 1);
    assert!(create(&accounts, "alice").await.is_none());
    let other = create(&accounts, "Alice").await;
    let found = accounts.by_username("Alice").await.unwrap();
    // MariaDB's index takes the one for the other, with Django too; neither is found by the other.
    assert_eq!(other.is_none(), place == Place::MariaDb);
    assert_eq!(found.map(|user| user.id), other.map(|user| user.id));
    for name in ["ALICE", "alice ", "ali%", "", "' OR ''='", "alice\0"] {
        assert!(accounts.by_username(name).await.unwrap().is_none(), "{name}");
    }
    for id in [0, 9, -1, i64::MAX] {
        assert!(accounts.by_id(id).await.unwrap().is_none(), "{id}");
    }
}

async fn passwords_and_log_ins_are_noted(place: Place) {
    let (_fresh, _database, accounts) = store(place).await;
    create(&accounts, "alice").await.unwrap();
    create(&accounts, "bob").await.unwrap();
    accounts.set_password(1, &EncodedPassword::new("new")).await.unwrap();
    accounts.set_last_login(1, JOINED.plus_seconds(1)).await.unwrap();
    let alice = accounts.by_id(1).await.unwrap().unwrap();
    assert_eq!(alice.password.expose(), "new");
    assert_eq!(alice.last_login, Some(JOINED.plus_seconds(1)));
    let bob = accounts.by_id(2).await.unwrap().unwrap();
    assert_eq!((bob.password.expose(), bob.last_login), ("pbkdf2_sha256$1$salt$hash", None));
    assert!(accounts.set_password(3, &EncodedPassword::new("new")).await.is_err());
    assert!(accounts.set_last_login(3, JOINED).await.is_err());
}

async fn a_row_of_django_is_read_whatever_the_order_of_its_columns(place: Place) {
    let (_fresh, database, accounts) = store(place).await;
    let sql = "INSERT INTO auth_user (first_name, date_joined, is_active, is_staff, email, last_name, username, is_superuser, last_login, password, id) \
               VALUES ('Zoë', '2023-11-14 22:13:20.123456', FALSE, TRUE, 'z@example.com', 'Last', 'zoë', TRUE, '2023-11-14 22:13:20', 'md5$salt$hash', 7)";
    database.danger_connection().execute_unprepared(sql).await.unwrap();
    let user = accounts.by_username("zoë").await.unwrap().unwrap();
    assert_eq!((user.id, user.first_name.as_str(), user.last_name.as_str()), (7, "Zoë", "Last"));
    assert_eq!((user.is_active, user.is_staff, user.is_superuser), (false, true, true));
    assert_eq!(user.date_joined, JOINED);
    assert_eq!(user.last_login, Some(UnixTime::from_seconds(1_700_000_000)));
}

/// Tables as Django fills them: ann has a permission of her own, one of a group, and one of both; a
/// superuser has none of her own, and two users are not active.
const GRANTED: &str = "\
    INSERT INTO django_content_type (id, app_label, model) VALUES (50, 'bank', 'transfer'), (51, 'shop', 'item');
    INSERT INTO auth_permission (id, content_type_id, codename, name) VALUES \
        (90, 50, 'add_transfer', 'Can add transfer'), (91, 50, 'view_transfer', 'Can view transfer'), \
        (92, 51, 'add_item', 'Can add item'), (93, 51, 'view_item', 'Can view item');
    INSERT INTO auth_group (id, name) VALUES (1, 'tellers'), (2, 'nobody is in here');
    INSERT INTO auth_user_user_permissions (user_id, permission_id) VALUES (1, 90), (1, 92), (4, 90);
    INSERT INTO auth_group_permissions (group_id, permission_id) VALUES (1, 91), (1, 92), (2, 93);
    INSERT INTO auth_user_groups (user_id, group_id) VALUES (1, 1), (4, 1);
    UPDATE auth_user SET is_superuser = TRUE WHERE username IN ('root', 'retired');
    UPDATE auth_user SET is_active = FALSE WHERE username IN ('gone', 'retired');";

async fn permissions_are_the_users_own_and_those_of_their_groups(place: Place) {
    let (_fresh, database, accounts) = store(place).await;
    for name in ["ann", "bob", "root", "gone", "retired"] {
        create(&accounts, name).await.unwrap();
    }
    database.danger_connection().execute_unprepared(GRANTED).await.unwrap();
    let of = async |id| accounts.permissions(id).await.unwrap();
    let ann = of(1).await;
    let names: Vec<_> = ann.iter().collect();
    assert_eq!(names, ["bank.add_transfer", "bank.view_transfer", "shop.add_item"]);
    let root = of(3).await;
    // Four of the test's, and four for each of Django's five models.
    assert_eq!(root.iter().count(), 4 + 4 * 5);
    assert!(root.contains("shop.view_item") && root.contains("auth.delete_user"));
    for (id, who) in [(2, "bob"), (4, "gone"), (5, "retired"), (6, "nobody"), (-1, "nobody")] {
        assert_eq!(of(id).await.iter().count(), 0, "{who}");
    }
}

#[tokio::test]
async fn a_date_that_is_none_is_an_error_and_not_another_date() {
    let (_fresh, database, accounts) = store(Place::Sqlite).await;
    create(&accounts, "alice").await.unwrap();
    let sql = "UPDATE auth_user SET date_joined = 'soon'";
    database.danger_connection().execute_unprepared(sql).await.unwrap();
    let error = accounts.by_id(1).await.unwrap_err().to_string();
    assert!(error.contains("date_joined"), "{error}");
}

async fn of_many_who_want_a_name_one_gets_it(place: Place) {
    let (_fresh, database) = place.migrated().await;
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let accounts = DjangoAccounts::new(&database);
            tokio::spawn(async move { create(&accounts, "alice").await.is_some() })
        })
        .collect();
    let mut created = 0;
    for task in tasks {
        created += usize::from(task.await.unwrap());
    }
    assert_eq!(created, 1);
}

async fn what_is_changed_through_the_cache_counts_at_once(place: Place) {
    let (_fresh, _database, accounts) = store(place).await;
    create(&accounts, "alice").await.unwrap();
    let cached = CachedAccounts::new(accounts.clone());
    let password = async || {
        let user = cached.by_id(1).await.unwrap().unwrap();
        user.password.expose().to_owned()
    };
    let before = cached.by_id(1).await.unwrap().unwrap();
    assert!(Arc::ptr_eq(&before, &cached.by_id(1).await.unwrap().unwrap()), "it is remembered");
    cached.set_password(1, &EncodedPassword::new("ours")).await.unwrap();
    assert_eq!(password().await, "ours");
    cached.set_last_login(1, JOINED).await.unwrap();
    assert_eq!(cached.by_id(1).await.unwrap().unwrap().last_login, Some(JOINED));

    accounts.set_password(1, &EncodedPassword::new("another node's")).await.unwrap();
    let afresh = cached.by_id_afresh(1).await.unwrap().unwrap();
    assert_eq!(afresh.password.expose(), "another node's");
    assert_eq!(password().await, "another node's");
    assert!(cached.by_id(2).await.unwrap().is_none());
    let all = cached.permissions(1).await.unwrap();
    assert_eq!(all.iter().count(), 0);
}
