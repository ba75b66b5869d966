//! Records: written once, closed after a crash, kept as long as is wanted, and without a trace of who was erased.

use super::records::RecordWriter;
use super::tests::dump_rows;
use super::*;
use crate::ids::{CallId, MeetingId, PersonId, TenantId};
use crate::live::event::{CallStory, Record};
use crate::live::leg_record::{CallDirection, InstanceRecord, LegRecord};
use crate::services::calls::CallTarget;
use crate::services::cursor::Page;
use crate::services::meetings::NewMeeting;
use crate::services::people::NewPerson;
use crate::services::record_views::Retention;
use crate::services::records::CdrQuery;
use crate::services::retention::Erasure;
use crate::services::testing::Bench;
use crate::services::{Actor, ErrorKind};
use crate::vocabulary::{Access, CallState, Cause, LegKind, Role, UnixMillis};
use sqlx::Row as _;
use std::time::Duration;

const START: u64 = 1_800_000_000_000;

async fn login(bench: &Bench, name: &str) -> Actor {
    let login = bench.services.login(name, &format!("{name}-demo")).await.unwrap();
    bench.services.authenticate(&login.token).await.unwrap()
}

/// A meeting of Hana's with Kim (known by mail) and a call to a number.
async fn meeting(bench: &Bench) -> (Actor, MeetingId, CallId) {
    let hana = login(bench, "hana").await;
    let kim = NewPerson {
        email: Some("kim@else.test".to_owned()),
        name: Some("Kim Kaur".to_owned()),
        ..Default::default()
    };
    let new = NewMeeting { title: "M1".to_owned(), people: vec![kim], ..Default::default() };
    let meeting = bench.services.create_meeting(&hana, new).await.unwrap();
    bench.services.join_by_browser(&hana, &meeting.id, "v=0\r\n").await.unwrap();
    let target = CallTarget {
        number: Some("5550177".to_owned()),
        name: Some("Tom Teller".to_owned()),
        ..Default::default()
    };
    let answers = bench.services.place_calls(&hana, &meeting.id, &[target], Some("key-1")).await.unwrap();
    (hana, meeting.id, answers[0].id.clone().unwrap())
}

async fn tenant(bench: &Bench) -> TenantId {
    login(bench, "tia").await.tenant().clone()
}

fn leg(tenant: &TenantId, meeting: &MeetingId, call: Option<&CallId>, id: &str) -> LegRecord {
    LegRecord {
        id: id.to_owned(),
        tenant: tenant.clone(),
        meeting: meeting.clone(),
        instance: Some("i1".to_owned()),
        call: call.cloned(),
        person: "p1".into(),
        user: None,
        display_name: "Tom Teller".to_owned(),
        role: Role::Attendee,
        access: Access::Collaborate,
        kind: LegKind::Sip,
        direction: CallDirection::Out,
        acting_host: None,
        from: Some("+12025550100".to_owned()),
        to: Some("+12025550177".to_owned()),
        device: None,
        trunk: Some(1),
        sip_call_id: Some("s1".to_owned()),
        started_at: UnixMillis(START),
        ringing_at: None,
        answered_at: Some(UnixMillis(START + 1_000)),
        joined_at: Some(UnixMillis(START + 2_000)),
        ended_at: None,
        cause: None,
        sip_code: Some(200),
        codec: Some("pcmu".to_owned()),
        quality: None,
    }
}

fn joined(call: &CallId) -> Record {
    Record::CallState {
        call: call.clone(),
        state: CallState::Joined,
        cause: None,
        sip_code: Some(200),
        detail: None,
        at: UnixMillis(START + 2_000),
        sip_call_id: "s1".to_owned(),
        story: CallStory::default(),
    }
}

async fn count(store: &Store, statement: &'static str) -> i64 {
    sqlx::query(statement).fetch_one(&store.pool).await.unwrap().try_get(0).unwrap()
}

#[tokio::test]
async fn f4_records_given_again_after_a_lost_answer_are_written_once() {
    let bench = Bench::new().await;
    let (_, meeting, call) = meeting(&bench).await;
    let over = Record::LegOver(Box::new(LegRecord {
        ended_at: Some(UnixMillis(START + 9_000)),
        ..leg(&tenant(&bench).await, &meeting, Some(&call), "l1")
    }));
    let records = [joined(&call), over];
    let mut writer = RecordWriter::new(bench.store.clone());
    writer.write_all(&records).await.unwrap();
    let before = count(&bench.store, "SELECT count(*) FROM call_events").await;
    // The commit went through, the answer did not come: the same writer gives the same records again.
    writer.forget_last(records.len());
    writer.write_all(&records).await.unwrap();
    assert_eq!(count(&bench.store, "SELECT count(*) FROM call_events").await, before);
    assert_eq!(count(&bench.store, "SELECT count(*) FROM cdrs").await, 1);
    writer.write(&joined(&call)).await.unwrap();
    assert_eq!(count(&bench.store, "SELECT count(*) FROM call_events").await, before + 1, "and it goes on");
}

#[tokio::test]
async fn f1_after_a_kill_every_leg_has_one_record_that_ended_when_the_process_did() {
    let scratch = Scratch::new().await.unwrap();
    let bench = Bench::on(Store::open(&scratch.url()).await.unwrap()).await;
    let (hana, meeting, call) = meeting(&bench).await;
    let second = CallTarget { number: Some("5550178".to_owned()), ..Default::default() };
    let queued = bench.services.place_calls(&hana, &meeting, &[second], None).await.unwrap();
    let queued = queued[0].id.clone().unwrap();
    let tenant = tenant(&bench).await;
    let mut writer = RecordWriter::new(bench.store.clone());
    let instance = InstanceRecord {
        id: "i1".to_owned(),
        tenant: tenant.clone(),
        meeting: meeting.clone(),
        started_at: UnixMillis(START),
        active_at: None,
        ended_at: None,
        peak: 2,
    };
    let up = leg(&tenant, &meeting, Some(&call), "l1");
    let ended = LegRecord { ended_at: Some(UnixMillis(START + 5_000)), ..leg(&tenant, &meeting, None, "l2") };
    let records = [
        Record::Instance(Box::new(instance)),
        Record::LegUp(Box::new(up)),
        Record::LegUp(Box::new(leg(&tenant, &meeting, None, "l2"))),
        joined(&call),
        Record::LegOver(Box::new(ended)),
    ];
    writer.write_all(&records).await.unwrap();
    writer.alive(UnixMillis(START + 60_000)).await.unwrap();
    // kill -9: the database is opened again, twice.
    drop(Store::open(&scratch.url()).await.unwrap());
    let again = Bench::on(Store::open(&scratch.url()).await.unwrap()).await;
    let tia = login(&again, "tia").await;
    let cdrs = again.services.cdrs(&tia, &CdrQuery::default()).await.unwrap().cdrs;
    assert_eq!(cdrs.len(), 3);
    let of_call = |id: &CallId| cdrs.iter().find(|cdr| cdr.call.as_ref() == Some(id)).unwrap();
    let lost = of_call(&call);
    assert_eq!((lost.cause, lost.ended_at), (Some(Cause::Lost), Some(UnixMillis(START + 60_000))));
    assert_eq!(lost.trunk.as_deref(), Some("carrier"));
    // Written down, perhaps dialled, but no leg of it was known yet.
    assert_eq!((of_call(&queued).cause, of_call(&queued).answered_at), (Some(Cause::Lost), None));
    let clean = cdrs.iter().find(|cdr| cdr.id == "l2").unwrap();
    assert_eq!(clean.ended_at, Some(UnixMillis(START + 5_000)), "what had ended stays as it ended");
    let record = again.services.call(&tia, &call).await.unwrap().call;
    assert_eq!((record.state, record.ended_at), (CallState::Ended, Some(UnixMillis(START + 60_000))));
    let instances = again.services.instances(&tia, &meeting, &Page::default()).await.unwrap().instances;
    assert_eq!((instances[0].ended_at, instances[0].peak), (Some(UnixMillis(START + 60_000)), 2));
    assert_eq!(count(&again.store, "SELECT count(*) FROM open_legs").await, 0);
}

#[tokio::test]
async fn d63_writing_transactions_run_one_after_the_other_on_both_databases() {
    let bench = Bench::new().await;
    let tenant = tenant(&bench).await;
    let add = |store: Store, tenant: TenantId| async move {
        let mut transaction = store.begin().await?;
        let row = sqlx::query("SELECT name FROM tenants WHERE id = $1")
            .bind(tenant.as_str())
            .fetch_one(&mut *transaction)
            .await?;
        let length = row.try_get::<String, _>(0)?;
        tokio::task::yield_now().await;
        sqlx::query("UPDATE tenants SET name = $1 WHERE id = $2")
            .bind(format!("{length}+"))
            .bind(tenant.as_str())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok::<_, StoreError>(())
    };
    // Two handles with pools of their own are what two processes would be.
    let other = match &bench.store.scratch {
        Some(scratch) => Store::connect(&scratch.url()).await.unwrap(),
        None => bench.store.clone(),
    };
    let mut tasks = tokio::task::JoinSet::new();
    for turn in 0..40 {
        let store = if turn % 2 == 0 { bench.store.clone() } else { other.clone() };
        tasks.spawn(add(store, tenant.clone()));
    }
    while let Some(result) = tasks.join_next().await {
        result.unwrap().unwrap();
    }
    let row = sqlx::query("SELECT name FROM tenants WHERE id = $1").bind(tenant.as_str());
    let name: String = row.fetch_one(&bench.store.pool).await.unwrap().try_get(0).unwrap();
    assert_eq!(name, format!("acme{}", "+".repeat(40)), "no update is lost");
}

#[tokio::test]
async fn a_transaction_that_is_dropped_leaves_nothing_and_holds_nobody_up() {
    let bench = Bench::new().await;
    for _ in 0..20 {
        let mut transaction = bench.store.begin().await.unwrap();
        sqlx::query("UPDATE tenants SET country = 'XX'").execute(&mut *transaction).await.unwrap();
    }
    bench.store.set_setting("name", "value").await.unwrap();
    assert_eq!(count(&bench.store, "SELECT count(*) FROM tenants WHERE country = 'XX'").await, 0);
}

#[tokio::test]
async fn i89_records_are_kept_as_long_as_the_tenant_wants() {
    let bench = Bench::new().await;
    let (hana, meeting, call) = meeting(&bench).await;
    let tia = login(&bench, "tia").await;
    let tenant = tenant(&bench).await;
    let mut writer = RecordWriter::new(bench.store.clone());
    for (id, days) in [("l1", 0_u64), ("l2", 100), ("l3", 364)] {
        let at = UnixMillis(START + days * 24 * 3600 * 1000);
        let leg = LegRecord { started_at: at, ended_at: Some(at), ..leg(&tenant, &meeting, None, id) };
        writer.write(&Record::LegOver(Box::new(leg))).await.unwrap();
    }
    bench.services.end_call(&hana, &call).await.unwrap();
    writer
        .write(&Record::CallState {
            call: call.clone(),
            state: CallState::Cancelled,
            cause: Some(Cause::Cancelled),
            sip_code: None,
            detail: None,
            at: UnixMillis(START + 1),
            sip_call_id: "s1".to_owned(),
            story: CallStory::default(),
        })
        .await
        .unwrap();
    bench.clock.advance(Duration::from_secs(364 * 24 * 3600));
    assert_eq!(bench.services.sweep().await.unwrap(), 0, "a year, unless it is said");
    let refused = bench.services.set_retention(&tia, Retention { keep_days: Some(0) }).await.unwrap_err();
    assert_eq!((refused.kind, refused.field.as_deref()), (ErrorKind::Invalid, Some("keep_days")));
    bench.services.set_retention(&tia, Retention { keep_days: Some(30) }).await.unwrap();
    assert_eq!(bench.services.retention(&tia).await.unwrap().keep_days, Some(30));
    assert_eq!(bench.services.sweep().await.unwrap(), 2);
    assert_eq!(count(&bench.store, "SELECT count(*) FROM cdrs").await, 1);
    assert_eq!(count(&bench.store, "SELECT count(*) FROM calls").await, 0);
    assert_eq!(count(&bench.store, "SELECT count(*) FROM call_events").await, 0);
    assert_eq!(count(&bench.store, "SELECT count(*) FROM audit WHERE action = 'retention.changed'").await, 1);
}

#[tokio::test]
async fn i89_an_erased_person_leaves_no_name_address_or_number() {
    let scratch = Scratch::new().await.unwrap();
    let bench = Bench::on(Store::open(&scratch.url()).await.unwrap()).await;
    let (hana, meeting, call) = meeting(&bench).await;
    let tia = login(&bench, "tia").await;
    let tenant = tenant(&bench).await;
    let people = bench.services.meeting(&hana, &meeting).await.unwrap().people;
    let tom = people.iter().find(|person| person.display_name == "Tom Teller").unwrap();
    let kim = people.iter().find(|person| person.display_name == "Kim Kaur").unwrap();
    let link = kim.link.clone().unwrap().rsplit('/').next().unwrap().to_owned();
    let mut writer = RecordWriter::new(bench.store.clone());
    let over = |id: &str, person: &PersonId| LegRecord {
        person: person.clone(),
        ended_at: Some(UnixMillis(START + 9_000)),
        ..leg(&tenant, &meeting, Some(&call), id)
    };
    let came = Record::PersonJoined {
        meeting: meeting.clone(),
        instance: None,
        person: tom.id.clone(),
        user: None,
        display_name: "Tom Teller".to_owned(),
        role: Role::Attendee,
        access: Access::Collaborate,
        leg_kind: LegKind::Sip,
        at: UnixMillis(START),
    };
    writer.write_all(&[Record::LegOver(Box::new(over("l1", &tom.id))), came]).await.unwrap();
    let whom = |mail: Option<&str>, number: Option<&str>| Erasure {
        mail: mail.map(str::to_owned),
        number: number.map(str::to_owned),
        person: None,
    };
    assert_eq!(
        bench.services.erase(&hana, &whom(Some("kim@else.test"), None)).await.unwrap_err().kind,
        ErrorKind::Forbidden
    );
    assert_eq!(bench.services.erase(&tia, &whom(None, None)).await.unwrap_err().kind, ErrorKind::Invalid);
    assert_eq!(
        bench.services.erase(&tia, &whom(Some("pia@acme.test"), None)).await.unwrap_err().kind,
        ErrorKind::Conflict
    );
    let erased = bench.services.erase(&tia, &whom(None, Some("555 0177"))).await.unwrap();
    assert_eq!((erased.people, erased.calls, erased.cdrs, erased.attendance), (1, 1, 1, 1));
    assert_eq!(bench.services.erase(&tia, &whom(Some("Kim@else.test"), None)).await.unwrap().people, 1);
    assert!(bench.services.preview_link(&link).await.is_err(), "the link is gone with them");
    let shown = bench.services.meeting(&hana, &meeting).await.unwrap();
    assert!(!shown.people.iter().any(|person| person.display_name.contains("Kim")), "{:?}", shown.people);
    // Every live row, not the file: SQLite keeps freed pages until they are used again.
    let rows = dump_rows(&bench.store).await;
    for trace in ["Kim Kaur", "kim@else.test", "Tom Teller", "2025550177"] {
        assert!(!rows.contains(trace), "{trace} is still there");
    }
    assert_eq!(count(&bench.store, "SELECT count(*) FROM audit WHERE action = 'person.erased'").await, 2);
}

#[tokio::test]
async fn i95_after_a_restart_the_meeting_shows_its_earlier_calls_until_it_is_ended() {
    let scratch = Scratch::new().await.unwrap();
    let bench = Bench::on(Store::open(&scratch.url()).await.unwrap()).await;
    let (_, meeting, call) = meeting(&bench).await;
    let tenant = tenant(&bench).await;
    let instance = |id: &str, at: u64, ended: Option<u64>| {
        Record::Instance(Box::new(InstanceRecord {
            id: id.to_owned(),
            tenant: tenant.clone(),
            meeting: meeting.clone(),
            started_at: UnixMillis(START + at),
            active_at: None,
            ended_at: ended.map(|at| UnixMillis(START + at)),
            peak: 1,
        }))
    };
    let mut writer = RecordWriter::new(bench.store.clone());
    writer.write_all(&[instance("i1", 0, None), joined(&call)]).await.unwrap();
    let again = Bench::on(Store::open(&scratch.url()).await.unwrap()).await;
    let hana = login(&again, "hana").await;
    let calls = again.services.watch(&hana, &meeting).await.unwrap().calls;
    assert_eq!(calls.len(), 1);
    assert_eq!(
        (&calls[0]["id"], &calls[0]["state"], &calls[0]["cause"]),
        (&call.as_str().into(), &"ended".into(), &"lost".into())
    );
    assert_eq!(
        (&calls[0]["number"], &calls[0]["display_name"]),
        (&"+12025550177".into(), &"Tom Teller".into())
    );
    let mut writer = RecordWriter::new(again.store.clone());
    writer.write(&instance("i2", 500, Some(900))).await.unwrap();
    assert!(again.services.watch(&hana, &meeting).await.unwrap().calls.is_empty(), "ended properly since");
}
