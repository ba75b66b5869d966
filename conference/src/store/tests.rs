//! The database: opening, migrating, what a crash leaves, what a dump shows.

use super::records::RecordWriter;
use super::secrets::LinkKey;
use super::*;
use crate::ids::{CallId, MeetingId};
use crate::live::event::{CallStory, Record};
use crate::services::Live as _;
use crate::services::calls::CallTarget;
use crate::services::meetings::NewMeeting;
use crate::services::testing::{self, Bench, SEED, TestEntropy};
use crate::services::{Actor, Provision};
use crate::vocabulary::UnixMillis;
use crate::vocabulary::{Access, CallState, Cause, LegKind, MeetingState, Role};
use sip_core::ua::{AddressOfRecord, BindingInfo};
use sqlx::Row as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("partyline-store-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Everything the database holds, as bytes.
async fn dump(store: &Store, scratch: &Scratch) -> Vec<u8> {
    let Some(folder) = scratch.folder() else { return dump_rows(store).await.into_bytes() };
    let mut dump = Vec::new();
    store.close().await;
    for file in std::fs::read_dir(folder).unwrap() {
        dump.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    dump
}

/// Every row of every table, as text.
pub(super) async fn dump_rows(store: &Store) -> String {
    let tables = match store.dialect {
        Dialect::Sqlite => "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        Dialect::Postgres => {
            "SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_schema = 'public'"
        }
    };
    let mut dump = String::new();
    for table in sqlx::query(tables).fetch_all(&store.pool).await.unwrap() {
        let table: String = table.try_get(0).unwrap();
        if table == "_sqlx_migrations" {
            continue;
        }
        let rows = match store.dialect {
            Dialect::Sqlite => {
                let columns = sqlx::AssertSqlSafe(format!("SELECT name FROM pragma_table_info('{table}')"));
                let columns = sqlx::query(columns).fetch_all(&store.pool).await.unwrap();
                let columns: Vec<String> = columns.iter().map(|row| row.try_get(0).unwrap()).collect();
                let cells =
                    columns.iter().map(|column| format!("coalesce({column}, '')")).collect::<Vec<_>>();
                format!("SELECT '' || {} FROM {table}", cells.join(" || ' ' || "))
            }
            Dialect::Postgres => format!("SELECT CAST(t AS TEXT) FROM {table} t"),
        };
        for row in sqlx::query(sqlx::AssertSqlSafe(rows)).fetch_all(&store.pool).await.unwrap() {
            dump.push_str(&row.try_get::<String, _>(0).unwrap());
            dump.push('\n');
        }
    }
    dump
}

async fn hana(bench: &Bench) -> Actor {
    let login = bench.services.login("hana", "hana-demo").await.unwrap();
    bench.services.authenticate(&login.token).await.unwrap()
}

/// A meeting with Hana in it, and a call to a number.
async fn placed_call(bench: &Bench) -> (Actor, MeetingId, CallId) {
    let hana = hana(bench).await;
    let new = NewMeeting { title: "M1".to_owned(), ..NewMeeting::default() };
    let meeting = bench.services.create_meeting(&hana, new).await.unwrap();
    bench.services.join_by_browser(&hana, &meeting.id, "v=0\r\n").await.unwrap();
    let target = CallTarget { number: Some("5550177".to_owned()), ..Default::default() };
    let answers = bench.services.place_calls(&hana, &meeting.id, &[target], Some("key-1")).await.unwrap();
    (hana, meeting.id, answers[0].id.clone().unwrap())
}

#[tokio::test]
async fn a_database_of_a_newer_schema_is_refused_in_one_clear_line() {
    let scratch = Scratch::new().await.unwrap();
    let store = Store::open(&scratch.url()).await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (99, 'the future', TRUE, $1, 0)",
    )
    .bind(vec![0_u8])
    .execute(&store.pool)
    .await
    .unwrap();
    store.close().await;
    let error = Store::open(&scratch.url()).await.unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 99, known: _ }), "{error}");
    assert_eq!(error.to_string().lines().count(), 1);
    assert!(error.to_string().contains("newer version"), "{error}");
}

#[tokio::test]
async fn i94_calls_in_flight_at_a_crash_are_lost_and_nothing_is_dialled_again() {
    let scratch = Scratch::new().await.unwrap();
    let bench = Bench::on(Store::open(&scratch.url()).await.unwrap()).await;
    let (_, meeting, call) = placed_call(&bench).await;
    let step = Record::CallState {
        call: call.clone(),
        state: CallState::Ringing,
        cause: None,
        sip_code: Some(180),
        detail: None,
        at: UnixMillis(1_800_000_000_500),
        sip_call_id: "s1".to_owned(),
        story: CallStory::default(),
    };
    let mut writer = RecordWriter::new(bench.store.clone());
    writer.write(&step).await.unwrap();
    let active = Record::MeetingState {
        meeting: meeting.clone(),
        state: MeetingState::Active,
        at: UnixMillis(1_800_000_000_000),
    };
    writer.write(&active).await.unwrap();
    // kill -9: no farewell, the file is simply opened again.
    let again = Bench::on(Store::open(&scratch.url()).await.unwrap()).await;
    let hana = hana(&again).await;
    let record = again.services.call(&hana, &call).await.unwrap();
    assert_eq!((record.call.state, record.call.cause), (CallState::Ended, Some(Cause::Lost)));
    assert_eq!(record.call.ended_at, Some(UnixMillis(1_800_000_000_500)));
    let states: Vec<_> = record.events.iter().map(|event| event.state).collect();
    assert_eq!(states, [CallState::Queued, CallState::Ringing], "the trail is not rewritten");
    assert_eq!(again.live.dials(), 0);
    let meeting = again.services.meeting(&hana, &meeting).await.unwrap();
    assert_eq!(meeting.state, MeetingState::Ended);
}

#[tokio::test]
async fn d35_records_become_the_trail_and_the_state_of_a_call() {
    let bench = Bench::new().await;
    let (hana, meeting, call) = placed_call(&bench).await;
    let mut writer = RecordWriter::new(bench.store.clone());
    let steps = [
        (CallState::Dialling, None, None),
        (CallState::Ringing, None, Some(180)),
        (CallState::Answered, None, Some(200)),
        (CallState::Confirming, None, None),
        (CallState::Failed, Some(Cause::NotConfirmed), None),
        (CallState::Ended, Some(Cause::HungUp), None),
    ];
    for (n, (state, cause, sip_code)) in (1_u64..).zip(steps) {
        let record = Record::CallState {
            call: call.clone(),
            state,
            cause,
            sip_code,
            detail: None,
            at: UnixMillis(1_800_000_000_000 + n),
            sip_call_id: "s1".to_owned(),
            story: CallStory::default(),
        };
        writer.write(&record).await.unwrap();
    }
    let record = bench.services.call(&hana, &call).await.unwrap();
    assert_eq!(record.events.len(), 7);
    assert_eq!(record.call.state, CallState::Failed, "what is over stays over");
    assert_eq!(
        (record.call.cause, record.call.words.as_str()),
        (Some(Cause::NotConfirmed), "Did not press 1")
    );
    assert_eq!(
        (record.call.sip_code, record.call.answered_at),
        (Some(200), Some(UnixMillis(1_800_000_000_003)))
    );
    let joined = Record::PersonJoined {
        meeting: meeting.clone(),
        instance: None,
        person: "p1".into(),
        user: None,
        display_name: "Kim".to_owned(),
        role: Role::Attendee,
        access: Access::Collaborate,
        leg_kind: LegKind::Sip,
        at: UnixMillis(1),
    };
    writer.write(&joined).await.unwrap();
    let left = Record::PersonLeft { meeting, instance: None, person: "p1".into(), at: UnixMillis(2) };
    writer.write(&left).await.unwrap();
    let error =
        sqlx::query("UPDATE call_events SET state = 'joined'").execute(&bench.store.pool).await.unwrap_err();
    assert!(error.to_string().contains("append only"), "{error}");
}

#[tokio::test]
async fn i94_registrations_survive_a_restart_until_they_expire() {
    let scratch = Scratch::new().await.unwrap();
    let bench = Bench::on(Store::open(&scratch.url()).await.unwrap()).await;
    let now = Instant::now();
    let aor = |user: &str| AddressOfRecord { user: user.to_owned(), domain: "acme.test".to_owned() };
    let binding = |user: &str, seconds| BindingInfo {
        contact: format!("sip:{user}@192.0.2.7:5060"),
        source: "192.0.2.7:5060".parse().unwrap(),
        user_agent: "phone".to_owned(),
        call_id: "r1".to_owned(),
        cseq: 7,
        latency: Some(Duration::from_millis(12)),
        last_seen: now,
        expires_at: now + Duration::from_secs(seconds),
        ..testing::binding(aor(user))
    };
    let at = UnixMillis(1_800_000_000_000);
    let mut writer = RecordWriter::new(bench.store.clone());
    for (user, seconds) in [("103a", 600), ("101a", 0), ("102a", 600)] {
        writer.write(&Record::Binding { binding: Box::new(binding(user, seconds)), at }).await.unwrap();
    }
    writer.write(&Record::BindingGone { device: aor("102a"), at }).await.unwrap();
    let again = Bench::on(Store::open(&scratch.url()).await.unwrap()).await;
    let state = again.live.state();
    let restored: Vec<_> = state
        .provisions
        .iter()
        .filter_map(|provision| match provision {
            Provision::Binding(binding) => Some(binding),
            _ => None,
        })
        .collect();
    assert_eq!(restored.len(), 1);
    assert_eq!((restored[0].device.clone(), restored[0].cseq), (aor("103a"), 7));
    assert_eq!(restored[0].expires_in, Duration::from_secs(600));
}

#[tokio::test]
async fn d65_a_dump_of_the_database_holds_no_clear_secret() {
    let scratch = Scratch::new().await.unwrap();
    let bench = Bench::on(Store::open(&scratch.url()).await.unwrap()).await;
    let (hana, meeting, _) = placed_call(&bench).await;
    let login = bench.services.login("pia", "pia-demo").await.unwrap();
    let meeting = bench.services.meeting(&hana, &meeting).await.unwrap();
    let shared = meeting.link.rsplit('/').next().unwrap().to_owned();
    let personal = meeting.people[0].link.clone().unwrap().rsplit('/').next().unwrap().to_owned();
    let joined = bench.services.join_by_link(&shared, Some("Kim"), None).await.unwrap();
    let dump = dump(&bench.store, &scratch).await;
    let holds = |secret: &str| dump.windows(secret.len()).any(|window| window == secret.as_bytes());
    assert!(holds("hana@acme.test"), "the dump is read");
    for secret in [&login.token, &joined.token, &shared, &personal] {
        assert!(!holds(secret), "a token is in the dump");
    }
    for password in ["hana-demo", "pia-demo", "103a-secret-demo", "trunk-secret-demo"] {
        assert!(SEED.contains(password) && !holds(password), "{password} is in the dump");
    }
    let link_key = hex::encode([7; 32]);
    assert!(!holds(&link_key));
}

#[tokio::test]
async fn provisioning_tells_the_running_part_everything() {
    let bench = Bench::new().await;
    let state = bench.live.state();
    let mut devices = Vec::new();
    let mut trunks = Vec::new();
    for provision in &state.provisions {
        match provision {
            Provision::Device(device) => devices.push(device.account.aor.user.clone()),
            Provision::Trunk(trunk) => trunks.push(trunk),
            _ => {}
        }
    }
    devices.sort();
    assert_eq!(devices, ["100a", "101a", "102a", "103a", "103b"]);
    assert_eq!(trunks[0].trunk.credentials.as_ref().unwrap().password, "trunk-secret-demo");
    assert!(trunks[0].trunk.registration.is_none());
}

#[tokio::test]
async fn a_lost_link_key_makes_new_links_that_work() {
    let bench = Bench::new().await;
    let (hana, meeting, _) = placed_call(&bench).await;
    let old = bench.services.meeting(&hana, &meeting).await.unwrap().link;
    let parts = crate::services::Parts {
        store: bench.store.clone(),
        live: bench.services.live.clone(),
        events: bench.services.events.clone(),
        clock: bench.clock.clone(),
        entropy: std::sync::Arc::new(TestEntropy),
        links: LinkKey::new([8; 32]),
        vault: Vault::new(&[[9; 32]], std::sync::Arc::new(TestEntropy)),
        trunk_passwords: Default::default(),
        config: bench.services.config.clone(),
    };
    let services = crate::services::Services::new(parts).await.unwrap();
    let new = services.meeting(&hana, &meeting).await.unwrap().link;
    let token = |link: &str| link.rsplit('/').next().unwrap().to_owned();
    assert!(services.preview_link(&token(&old)).await.is_err());
    assert_eq!(services.preview_link(&token(&new)).await.unwrap().meeting.id, meeting);
    assert!(bench.live.snapshot(meeting).await.is_some());
}

#[test]
fn the_link_key_is_made_once_and_kept() {
    let folder = Folder::new("key");
    let path = folder.0.join("link.key");
    let first = LinkKey::load_or_create(&path, &TestEntropy).unwrap();
    let second = LinkKey::load_or_create(&path, &TestEntropy).unwrap();
    assert_eq!(first.token("m1"), second.token("m1"));
    assert_eq!(first.token("m1").len(), 32);
    assert_ne!(first.token("m1"), first.token("m2"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    std::fs::write(&path, "nonsense").unwrap();
    let error = LinkKey::load_or_create(&path, &TestEntropy).unwrap_err().to_string();
    assert!(error.contains("link.key") && error.contains("restore"), "{error}");
}

#[tokio::test]
async fn the_schema_is_strict_where_the_rules_are() {
    let bench = Bench::new().await;
    let (_, _, _) = placed_call(&bench).await;
    let refused = [
        "UPDATE people SET role = 'host', access = 'view_only'",
        "UPDATE people SET role = 'boss'",
        "UPDATE users SET tenant_role = 'root'",
        "DELETE FROM tenants",
        "UPDATE users SET extension = '100'",
    ];
    for statement in refused {
        assert!(sqlx::query(statement).execute(&bench.store.pool).await.is_err(), "{statement}");
    }
}
