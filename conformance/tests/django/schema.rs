//! The schema, side by side: what Donjon's migration leaves is what Django's leaves, on each kind of
//! database, and what either writes the other reads.

use donjon::password::Pbkdf2;
use donjon_core::account::{AccountStore, NewUser, UserCreation};
use donjon_core::clock::UnixTime;
use donjon_core::session::{SessionCodec, SessionData, SessionKey, SessionRecord, SessionStore};
use donjon_db::{Database, DjangoAccounts, DjangoSessions};

use crate::place::{Kind, Place};
use crate::world::{ITERATIONS, KEYS};

/// Prints the schema.
const SCHEMA: &str = include_str!("../../django/schema.py");

on_each! { both_make_the_same }

async fn both_make_the_same(kind: Kind) {
    let [ours, theirs] = [kind.place(), kind.place()];
    let database = Database::connect(&ours.url).await.unwrap();
    assert_eq!(database.migrate().await.unwrap().len(), 15);
    theirs.manage(&["migrate", "-v0"]);
    let schema = theirs.shell(SCHEMA);
    assert!(schema.lines().count() > 60, "{schema}");
    similar(&ours.shell(SCHEMA), &schema);

    ours.manage(&["migrate", "--check"]);
    ours.manage(&["makemigrations", "--check", "--dry-run"]);
    let said = ours.manage(&["migrate"]);
    assert!(said.contains("No migrations to apply."), "{said}");

    let django = Database::connect(&theirs.url).await.unwrap();
    assert_eq!(django.migrate().await.unwrap(), [], "Django has made everything");
    similar(&theirs.shell(SCHEMA), &schema);
    similar(&ours.shell(NOTED), &theirs.shell(NOTED));
    rows_go_both_ways(&ours, &database).await;
    rows_go_both_ways(&theirs, &django).await;
}

/// Compares line by line, so that a failure names the line.
fn similar(ours: &str, theirs: &str) {
    for (ours, theirs) in ours.lines().zip(theirs.lines()) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.lines().count(), theirs.lines().count());
}

/// What Django notes when it has migrated.
const NOTED: &str = r"
from django.contrib.auth.models import Permission
from django.db.migrations.recorder import MigrationRecorder

for row in MigrationRecorder.Migration.objects.order_by('app', 'name'):
    print(row.app, row.name)
for row in Permission.objects.order_by('content_type__app_label', 'content_type__model', 'codename'):
    print(row, row.codename)
";

const WRITTEN_BY_DJANGO: &str = r"
from datetime import UTC, datetime
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session

joined = datetime(2031, 5, 6, 7, 8, 9, 123456, UTC)
user = User.objects.create(username='zoë', date_joined=joined, password='x', is_staff=True)
data = Session.get_session_store_class()().encode({'☂': 1})
Session.objects.create(session_key='of-django', session_data=data, expire_date=joined)
print(user.pk)
";

const READ_BY_DJANGO: &str = r"
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session

user = User.objects.get(username='ann')
session = Session.objects.get(session_key='of-donjon')
print(user.date_joined.isoformat(), user.last_login, user.is_active, user.check_password('secret'))
print(session.expire_date.isoformat(), session.get_decoded())
";

async fn rows_go_both_ways(place: &Place, database: &Database) {
    // 2031-05-06 07:08:09.123456
    let time = UnixTime::from_micros(1_935_817_689_123_456);
    let codec = SessionCodec::new(&donjon_core::secret::Keys::new(KEYS.current));
    let (sessions, accounts) =
        (DjangoSessions::new(database, codec), DjangoAccounts::new(database));

    let id = place.shell(WRITTEN_BY_DJANGO).trim().parse().unwrap();
    let user = accounts.by_id(id).await.unwrap().unwrap();
    assert_eq!((&*user.username, user.date_joined, user.is_staff), ("zoë", time, true));
    let key = SessionKey::parse("of-django").unwrap();
    let stored = sessions.load(&key, time.plus_seconds(-1)).await.unwrap().unwrap();
    assert_eq!(stored.record.expires, time);
    assert_eq!(stored.record.data.value::<u32>("☂").unwrap(), Some(1));

    let new = NewUser {
        username: "ann".into(),
        password: Pbkdf2::with_iterations(ITERATIONS).hash("secret"),
        email: String::new(),
        date_joined: time,
    };
    assert!(matches!(accounts.create(new).await.unwrap(), UserCreation::Created(_)));
    let mut data = SessionData::default();
    data.insert("☂", &2).unwrap();
    let key = SessionKey::parse("of-donjon").unwrap();
    sessions.create(&key, &SessionRecord { data, expires: time }).await.unwrap();
    let read = "2031-05-06T07:08:09.123456+00:00";
    let expected = format!("{read} None True True\n{read} {{'☂': 2}}\n");
    assert_eq!(place.shell(READ_BY_DJANGO), expected);
}
