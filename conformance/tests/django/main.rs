//! Side by side: a real Django and a Donjon site on the same database, with the same keys and the
//! same browser.
//!
//! `DONJON_DJANGO_PYTHON` names a Python that has Django; `cargo xtask test` sets it.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod browser;
mod files;
#[macro_use]
mod place;
mod schema;
mod world;

use browser::Browser;
use donjon::password::{Pbkdf2, Verification};
use donjon_core::account::AccountStore;
use donjon_core::clock::Clock;
use http::StatusCode;
use place::Kind;
use serde_json::{Value, json};
use world::{Django, Donjon, ITERATIONS, KEYS, Keys, World};

const PASSWORD: &str = "correct horse ☂ battery";

fn hasher() -> Pbkdf2 {
    Pbkdf2::with_iterations(ITERATIONS)
}

on_each! {
    who_logs_in_on_one_is_logged_in_on_both
    who_logs_out_on_one_is_logged_out_on_both
    values_of_one_are_read_and_changed_by_the_other
    what_one_never_touched_stays_as_the_other_wrote_it
    the_end_that_one_sets_is_the_end_for_the_other
    a_session_flushed_or_cycled_by_one_is_so_for_the_other
    passwords_of_either_are_verified_by_the_other
    both_say_the_same_of_what_users_may_do
    both_let_the_same_users_in
    messages_that_overflow_the_cookie_go_to_the_same_places
}

/// Both sites on a database that Django has migrated, and their ports.
async fn sites(kind: Kind) -> (World, Django, Donjon, [(u16, u16); 2]) {
    both(World::by_django(kind).await).await
}

async fn both(world: World) -> (World, Django, Donjon, [(u16, u16); 2]) {
    let (django, donjon) = (world.django(KEYS).await, world.donjon(KEYS).await);
    let (here, there) = (donjon.port, django.port);
    (world, django, donjon, [(there, here), (here, there)])
}

async fn who_logs_in_on_one_is_logged_in_on_both(kind: Kind) {
    let (world, _django, _donjon, ways) = sites(kind).await;
    world.add_user("ann", PASSWORD, hasher()).await;
    for (one, other) in ways {
        let mut browser = Browser::default();
        assert_eq!(browser.who(other).await, Value::Null);
        let reply = browser.log_in(one, "ann", "wrong").await;
        assert_eq!((reply.status, browser.who(other).await), (StatusCode::OK, Value::Null));
        let before = Clock::system().now().micros() as f64 / 1e6;
        let reply = browser.log_in(one, "ann", PASSWORD).await;
        assert!(reply.status.is_redirection(), "{}", reply.body);
        assert_eq!(reply.headers["location"], "/who/");
        let (there, here) = (browser.get(other, "/who/").await, browser.get(one, "/who/").await);
        assert_eq!(there.json()["user"], "ann");
        assert_eq!(there.json(), here.json(), "both read the same last log-in");
        let last_login = there.json()["last_login"].as_f64().unwrap();
        assert!((0.0..60.0).contains(&(last_login - before)), "{last_login} {before}");
    }
}

async fn who_logs_out_on_one_is_logged_out_on_both(kind: Kind) {
    let (world, _django, _donjon, ways) = sites(kind).await;
    world.add_user("ann", PASSWORD, hasher()).await;
    for (one, other) in ways {
        let mut browser = Browser::default();
        browser.log_in(one, "ann", PASSWORD).await;
        assert_eq!(browser.who(other).await, "ann");
        let mut thief = browser.clone();
        assert!(browser.log_out(other).await.status.is_redirection());
        assert_eq!(browser.cookie("sessionid"), None);
        for site in [one, other] {
            assert_eq!(browser.who(site).await, Value::Null);
            assert_eq!(thief.who(site).await, Value::Null, "the session itself is gone");
        }
    }
}

#[tokio::test]
async fn a_form_of_one_posts_to_the_other() {
    let (_world, _django, _donjon, ways) = both(World::by_donjon(Kind::Sqlite).await).await;
    for (one, other) in ways {
        let mut browser = Browser::default();
        let page = browser.get(one, "/form/").await;
        let token = page.token();
        assert_eq!(token.len(), 64);
        assert!(page.body.contains("value=\"a &lt; b\""));
        let cookie = browser.cookie("csrftoken").unwrap().to_owned();
        let fields = [("csrfmiddlewaretoken", &*token), ("text", "naïve & <b>")];
        let reply = browser.post(other, "/form/", &fields).await;
        assert_eq!((reply.status, reply.json()), (StatusCode::OK, json!({"got": "naïve & <b>"})));
        let again = browser.get(other, "/form/").await.token();
        assert_ne!(again, token, "each page has a mask of its own");
        assert_eq!(browser.cookie("csrftoken"), Some(&*cookie), "and all have one secret");
        let bare = [("csrfmiddlewaretoken", &*cookie)];
        assert_eq!(browser.post(other, "/form/", &bare).await.status, StatusCode::OK);

        let foreign = Browser::default().get(one, "/form/").await.token();
        for wrong in [foreign, String::new(), token.replace(&token[..1], "-")] {
            let reply = browser.post(other, "/form/", &[("csrfmiddlewaretoken", &*wrong)]).await;
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "{wrong}");
        }
    }
}

#[tokio::test]
async fn a_form_shown_before_a_log_in_on_the_other_is_refused_after_it() {
    let (world, _django, _donjon, ways) = both(World::by_donjon(Kind::Sqlite).await).await;
    world.add_user("ann", PASSWORD, hasher()).await;
    for (one, other) in ways {
        let mut browser = Browser::default();
        let token = browser.get(one, "/form/").await.token();
        browser.log_in(other, "ann", PASSWORD).await;
        let stale = browser.post(one, "/form/", &[("csrfmiddlewaretoken", &token)]).await;
        assert_eq!(stale.status, StatusCode::FORBIDDEN);
    }
}

async fn values_of_one_are_read_and_changed_by_the_other(kind: Kind) {
    let (_world, _django, _donjon, ways) = both(World::by_donjon(kind).await).await;
    let values = [
        ("text", json!("plain")),
        ("unicode", json!("ünïcødé ☂ 😀 \u{2028} \" \\ </script>")),
        ("int", json!(-9_007_199_254_740_993_i64)),
        ("float", json!(0.1)),
        ("whole", json!(1.0)),
        ("tiny", json!(1e-9)),
        ("null", json!(null)),
        ("true", json!(true)),
        ("nested", json!({"list": [1, [2, {"deep": []}], "x"], "empty": {}})),
        ("ключ", json!(["key", "of", "another", "script"])),
        ("long", json!("long text that is worth compressing ".repeat(50))),
    ];
    for (one, other) in ways {
        let mut browser = Browser::default();
        for (name, value) in &values {
            browser.session(one, json!(["set", name, value])).await;
        }
        let key = browser.cookie("sessionid").unwrap().to_owned();
        for (name, value) in &values {
            let read = browser.session(other, json!(["get", name])).await;
            assert_eq!(read["value"], *value, "{name}");
            browser.session(other, json!(["set", name, [value]])).await;
        }
        for (name, value) in &values {
            let popped = browser.session(one, json!(["pop", name])).await;
            assert_eq!(popped["value"], json!([value]), "{name}");
        }
        let left = browser.session(other, json!(["data"])).await;
        assert_eq!(left["data"], json!({}));
        assert_eq!(browser.cookie("sessionid"), Some(&*key), "all of it in one session");
    }
}

async fn what_one_never_touched_stays_as_the_other_wrote_it(kind: Kind) {
    let (world, _django, donjon, _) = sites(kind).await;
    let script = "from django.contrib.sessions.backends.db import SessionStore as S\n\
        s = S(); s['big'] = 10**40; s['float'] = 1e22; s['inf'] = [1, 2]; s.create(); print(s.session_key)";
    let key = world.script(script).lines().last().unwrap().to_owned();
    let mut browser = Browser::default();
    browser.plant("sessionid", &key);
    browser.session(donjon.port, json!(["set", "ours", 1])).await;
    let read = format!(
        "from django.contrib.sessions.backends.db import SessionStore as S\n\
         s = S('{key}'); print(s['big'] == 10**40, s['float'], s['inf'], s['ours'])"
    );
    assert_eq!(world.script(&read).lines().last(), Some("True 1e+22 [1, 2] 1"));
}

async fn the_end_that_one_sets_is_the_end_for_the_other(kind: Kind) {
    let (_world, _django, _donjon, ways) = sites(kind).await;
    for (one, other) in ways {
        let mut browser = Browser::default();
        browser.session(one, json!(["set", "a", 1])).await;
        for (expiry, age, at_close) in
            [(json!(300), 300, false), (json!(0), 1_209_600, true), (json!(null), 1_209_600, false)]
        {
            browser.session(one, json!(["set_expiry", expiry])).await;
            let read = browser.session(other, json!(["data"])).await;
            assert_eq!(
                (&read["age"], &read["at_close"]),
                (&json!(age), &json!(at_close)),
                "{expiry}"
            );
        }
        let soon = Clock::system().now().plus_seconds(1_000);
        browser.session(one, json!(["set_expiry", soon.to_iso()])).await;
        let age = browser.session(other, json!(["data"])).await["age"].as_i64().unwrap();
        assert!((900..=1_000).contains(&age), "{age}");

        let past = Clock::system().now().plus_seconds(-1);
        browser.session(one, json!(["set_expiry", past.to_iso()])).await;
        let read = browser.session(other, json!(["get", "a"])).await;
        assert_eq!(read["value"], Value::Null, "an expired session is none");
    }
}

async fn a_session_flushed_or_cycled_by_one_is_so_for_the_other(kind: Kind) {
    let (_world, _django, _donjon, ways) = both(World::by_donjon(kind).await).await;
    for (one, other) in ways {
        let mut browser = Browser::default();
        browser.session(one, json!(["set", "a", 1])).await;
        let mut old = browser.clone();
        browser.session(other, json!(["cycle_key"])).await;
        assert_ne!(browser.cookie("sessionid"), old.cookie("sessionid"));
        assert_eq!(browser.session(one, json!(["get", "a"])).await["value"], 1);
        assert_eq!(old.session(one, json!(["get", "a"])).await["value"], Value::Null);

        let mut copy = browser.clone();
        browser.session(other, json!(["flush"])).await;
        assert_eq!(browser.cookie("sessionid"), None);
        assert_eq!(copy.session(one, json!(["get", "a"])).await["value"], Value::Null);
    }
}

#[tokio::test]
async fn what_a_former_key_signed_is_believed_by_both() {
    const BEFORE: Keys = Keys { current: "the-key-of-last-year-0123456789", fallbacks: &[] };
    const AFTER: Keys = Keys { current: KEYS.current, fallbacks: &[BEFORE.current] };
    let world = World::by_donjon(Kind::Sqlite).await;
    world.add_user("ann", PASSWORD, hasher()).await;
    let (old_django, old_donjon) = (world.django(BEFORE).await, world.donjon(BEFORE).await);
    let (django, donjon) = (world.django(AFTER).await, world.donjon(AFTER).await);
    let (strict_django, strict_donjon) = (world.django(KEYS).await, world.donjon(KEYS).await);
    for (old, new, strict) in [
        (old_django.port, donjon.port, strict_donjon.port),
        (old_donjon.port, django.port, strict_django.port),
    ] {
        let mut browser = Browser::default();
        browser.session(old, json!(["set", "cart", ["tea"]])).await;
        browser.log_in(old, "ann", PASSWORD).await;
        let before = browser.clone();
        assert_eq!(browser.who(new).await, "ann");
        assert_eq!(browser.session(new, json!(["get", "cart"])).await["value"], json!(["tea"]));
        assert_ne!(browser.cookie("sessionid"), before.cookie("sessionid"), "under a new key");
        for site in [django.port, donjon.port, strict_django.port, strict_donjon.port] {
            assert_eq!(browser.who(site).await, "ann", "signed anew with the new key");
        }
        let mut stranger = Browser::default();
        stranger.log_in(old, "ann", PASSWORD).await;
        assert_eq!(stranger.who(strict).await, Value::Null, "without the fallback it is nobody's");
    }
}

async fn passwords_of_either_are_verified_by_the_other(kind: Kind) {
    let world = World::by_django(kind).await;
    world.script(&format!(
        "from django.contrib.auth.models import User; User.objects.create_user('bob', 'b@example.com', '{PASSWORD}')"
    ));
    let bob = AccountStore::by_username(&world.accounts(), "bob").await.unwrap().unwrap();
    assert_eq!((&*bob.username, &*bob.email, bob.is_active), ("bob", "b@example.com", true));
    // Whether it is outdated depends on which Django it is.
    assert_ne!(Pbkdf2::default().verify(PASSWORD, &bob.password), Verification::Wrong);

    world.add_user("cid", PASSWORD, Pbkdf2::default()).await;
    let said = world.script(&format!(
        "from django.contrib.auth.models import User; u = User.objects.get(username='cid')\n\
         print(u.check_password('wrong'), u.check_password('{PASSWORD}'), u.email, u.is_active, u.is_staff)"
    ));
    assert_eq!(said.lines().last(), Some("False True cid@example.com True False"));
}

/// Grants by Django's own models, and tells what Django says each user may do.
const GRANTS: &str = r#"
import itertools, json
from django.contrib.auth.models import Group, Permission, User
permissions = list(Permission.objects.all())
groups = [Group.objects.create(name=f"group {n}") for n in range(4)]
for n, group in enumerate(groups):
    group.permissions.set(permissions[n::5])
flags = itertools.product([True, False], repeat=2)
for n, (active, superuser) in enumerate([*flags, (True, False), (True, False), (True, False)]):
    user = User.objects.create(username=f"user{n}", is_active=active, is_superuser=superuser)
    user.groups.set(groups[:n] if n < 6 else [])
    user.user_permissions.set(permissions[n::3] if n != 4 else [])
print(json.dumps({user.pk: sorted(user.get_all_permissions()) for user in User.objects.all()}))
"#;

async fn both_say_the_same_of_what_users_may_do(kind: Kind) {
    for world in [World::by_django(kind).await, World::by_donjon(kind).await] {
        let said = world.script(GRANTS);
        let said: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
        let said = said.as_object().unwrap();
        assert_eq!(said.len(), 7);
        for (id, expected) in said {
            let ours = world.accounts().permissions(id.parse().unwrap()).await.unwrap();
            assert_eq!(json!(ours.iter().collect::<Vec<_>>()), *expected, "user {id}");
        }
        let counts: Vec<_> = said.values().map(|all| all.as_array().unwrap().len()).collect();
        assert!(counts.contains(&0) && counts.iter().filter(|count| **count > 0).count() >= 4);
    }
}

async fn both_let_the_same_users_in(kind: Kind) {
    let (world, django, donjon, _) = sites(kind).await;
    world.add_user("ann", PASSWORD, hasher()).await;
    let mut browser = Browser::default();
    let mut ran = Vec::new();
    for step in ["stranger", "log in", "view_user", "add_user"] {
        match step {
            "stranger" => {}
            "log in" => drop(browser.log_in(donjon.port, "ann", PASSWORD).await),
            codename => drop(world.script(&format!(
                "from django.contrib.auth.models import Permission, User\n\
                 permission = Permission.objects.get(codename='{codename}')\n\
                 User.objects.get(username='ann').user_permissions.add(permission)"
            ))),
        }
        for path in ["/desk/", "/desk/?a=b&c", "/till/"] {
            let ours = browser.get(donjon.port, path).await;
            let theirs = browser.get(django.port, path).await;
            let location = |reply: &browser::Reply| reply.headers.get("location").cloned();
            assert_eq!(
                (ours.status, location(&ours), ours.body == "ran"),
                (theirs.status, location(&theirs), theirs.body == "ran"),
                "{step}: {path}"
            );
            ran.push(ours.status.as_u16());
        }
    }
    let expected = [302, 302, 302, 403, 403, 302, 200, 200, 302, 200, 200, 200];
    assert_eq!(ran, expected);
}

#[tokio::test]
async fn a_database_of_donjon_leaves_django_nothing_to_migrate() {
    let world = World::by_donjon(Kind::Sqlite).await;
    world.place.manage(&["migrate", "--check"]);
    world.place.manage(&["makemigrations", "--check", "--dry-run"]);
    let said = world.place.manage(&["migrate"]);
    assert!(said.contains("No migrations to apply."), "{said}");
    let counts = "from django.contrib.auth.models import Permission as P\n\
        from django.contrib.contenttypes.models import ContentType as C\n\
        print(P.objects.count(), C.objects.count())";
    let (ours, theirs) =
        (world.script(counts), World::by_django(Kind::Sqlite).await.script(counts));
    assert_eq!(ours.lines().last(), theirs.lines().last());
}

/// What a site is told to say: level, text, extra tags, and whether the text is markup.
fn said() -> Value {
    json!([
        [20, "plain & <b>", "", false],
        [25, "<b>markup</b> ☂ 😀", "loud red", true],
        [10, "below the level", "", false],
        [30, "", "empty", false],
        [33, "a level of one's own", "", false],
        [40, "\u{e9}\u{2028}\"\\", "\u{e4} \"", false],
    ])
}

#[tokio::test]
async fn messages_of_one_are_shown_once_by_the_other() {
    let (_world, _django, _donjon, ways) = both(World::by_donjon(Kind::Sqlite).await).await;
    let mut pages = Vec::new();
    for (one, other) in ways {
        let mut browser = Browser::default();
        assert_eq!(browser.post_json(one, "/say/", said()).await.status, StatusCode::OK);
        let here = browser.clone().get(one, "/messages/").await.body;
        let there = browser.get(other, "/messages/").await.body;
        assert_eq!(here, there);
        assert!(
            there.contains("<b>markup</b>") && there.contains("plain &amp; &lt;b&gt;"),
            "{there}"
        );
        assert_eq!(there.matches("<li").count(), 4, "{there}");
        assert_eq!(browser.cookie("messages"), None);
        assert_eq!(browser.get(one, "/messages/").await.body.matches("<li").count(), 0);
        pages.push(there);
    }
    assert_eq!(pages[0], pages[1]);
}

async fn messages_that_overflow_the_cookie_go_to_the_same_places(kind: Kind) {
    let (_world, _django, _donjon, ways) = both(World::by_donjon(kind).await).await;
    let many: Vec<_> = (1..80_u64).map(|number| json!([20, noise(number), "", false])).collect();
    let mut kept = Vec::new();
    for (one, other) in ways {
        let mut browser = Browser::default();
        browser.post_json(one, "/say/", json!(many)).await;
        let stored = browser.session(other, json!(["get", "_messages"])).await["value"].clone();
        assert!(browser.cookie("messages").unwrap().len() <= 2048);
        let page = browser.get(other, "/messages/").await.body;
        assert_eq!(page.matches("<li").count(), many.len());
        assert_eq!(browser.session(one, json!(["get", "_messages"])).await["value"], Value::Null);
        kept.push((stored, page));
    }
    assert_eq!(kept[0], kept[1], "the session's text is the same to the letter");
}

/// Text that does not compress well.
fn noise(number: u64) -> String {
    format!("{:020}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15))
        + &format!("{:020}", number.wrapping_mul(0xD1B5_4A32_D192_ED03))
}

#[tokio::test]
async fn a_forged_message_is_shown_by_neither() {
    let (_world, django, donjon, ways) = both(World::by_donjon(Kind::Sqlite).await).await;
    for (one, _) in ways {
        let mut browser = Browser::default();
        browser.post_json(one, "/say/", said()).await;
        let good = browser.cookie("messages").unwrap().to_owned();
        for bad in [format!("{good}x"), good.replacen(&good[1..2], "_", 1), "x:y:z".to_owned()] {
            for site in [django.port, donjon.port] {
                let mut victim = Browser::default();
                victim.plant("messages", &bad);
                let page = victim.get(site, "/messages/").await;
                assert_eq!((page.status, page.body.matches("<li").count()), (StatusCode::OK, 0));
            }
        }
    }
}
