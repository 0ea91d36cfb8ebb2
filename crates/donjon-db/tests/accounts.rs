//! The contract of an account store, kept by Django's table.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "the helpers of tests stop a test")]

use std::sync::Arc;

use donjon_core::account::{AccountStore, EncodedPassword, NewUser, User, UserCreation};
use donjon_core::clock::UnixTime;
use donjon_db::{Database, DjangoAccounts};
use sea_orm::ConnectionTrait;

const JOINED: UnixTime = UnixTime::from_micros(1_700_000_000_123_456);

async fn store() -> (Database, DjangoAccounts) {
    let database = Database::sqlite_in_memory().await.unwrap();
    database.migrate().await.unwrap();
    let accounts = DjangoAccounts::new(&database);
    (database, accounts)
}

async fn create(accounts: &DjangoAccounts, username: &str) -> Option<Arc<User>> {
    let new = NewUser {
        username: username.into(),
        password: EncodedPassword::new("pbkdf2_sha256$1$salt$hash"),
        email: "a@example.com".into(),
        date_joined: JOINED,
    };
    match accounts.create(new).await.unwrap() {
        UserCreation::Created(user) => Some(user),
        UserCreation::NameTaken => None,
    }
}

#[tokio::test]
async fn a_new_user_has_djangos_defaults() {
    let (_database, accounts) = store().await;
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

#[tokio::test]
async fn names_are_unique_and_exact() {
    let (_database, accounts) = store().await;
    assert_eq!(create(&accounts, "alice").await.unwrap().id, 1);
    assert_eq!(create(&accounts, "Alice").await.unwrap().id, 2);
    assert!(create(&accounts, "alice").await.is_none());
    assert_eq!(accounts.by_username("Alice").await.unwrap().unwrap().id, 2);
    for name in ["ALICE", "alice ", "ali%", "", "' OR ''='"] {
        assert!(accounts.by_username(name).await.unwrap().is_none(), "{name}");
    }
    for id in [0, 3, -1, i64::MAX] {
        assert!(accounts.by_id(id).await.unwrap().is_none(), "{id}");
    }
}

#[tokio::test]
async fn passwords_and_log_ins_are_noted() {
    let (_database, accounts) = store().await;
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

#[tokio::test]
async fn a_row_of_django_is_read_whatever_the_order_of_its_columns() {
    let (database, accounts) = store().await;
    let sql = "INSERT INTO auth_user (first_name, date_joined, is_active, is_staff, email, last_name, username, is_superuser, last_login, password, id) \
               VALUES ('Zoë', '2023-11-14 22:13:20.123456', 0, 1, 'z@example.com', 'Last', 'zoë', 1, '2023-11-14 22:13:20', 'md5$salt$hash', 7)";
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
    UPDATE auth_user SET is_superuser = 1 WHERE username IN ('root', 'retired');
    UPDATE auth_user SET is_active = 0 WHERE username IN ('gone', 'retired');";

#[tokio::test]
async fn permissions_are_the_users_own_and_those_of_their_groups() {
    let (database, accounts) = store().await;
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
    let (database, accounts) = store().await;
    create(&accounts, "alice").await.unwrap();
    let sql = "UPDATE auth_user SET date_joined = 'soon'";
    database.danger_connection().execute_unprepared(sql).await.unwrap();
    let error = accounts.by_id(1).await.unwrap_err().to_string();
    assert!(error.contains("date_joined"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_want_a_name_one_gets_it() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::sqlite(folder.path().join("site.sqlite3")).await.unwrap();
    database.migrate().await.unwrap();
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
