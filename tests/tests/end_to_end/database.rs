//! The database goes away while a meeting runs: sound, signalling and known phones go on, requests are told so at once, and
//! afterwards everything is written, in order, once. The outages last five seconds, one of them longer, or as many as `PARTYLINE_OUTAGE` says.

use std::time::{Duration, Instant};

use partyline_tests::api::{Api, CallTarget};
use partyline_tests::error::LabResult;
use partyline_tests::gateway::Gateway;
use partyline_tests::phone::Phone;
use partyline_tests::postgres::Cluster;
use partyline_tests::slow_link::SlowLink;
use partyline_tests::stage::{Room, Stage, StageConfig};
use partyline_tests::tone;
use partyline_tests::voice::Voice;
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _};

use crate::records::rows;
use crate::support::{LONG, call_and_join, eventually, on_stage, on_stage_with};

/// An outage as short as a test may be.
const SHORT: u64 = 5;
/// One in which every reader of events has had a heartbeat, and the legs of those who lost theirs have left.
const LONGER: u64 = 23;

fn outage(seconds: u64) -> Duration {
    let told = std::env::var("PARTYLINE_OUTAGE").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(told.unwrap_or(seconds))
}

async fn write(api: &Api) -> LabResult<(u16, Option<String>, Duration)> {
    let asked = Instant::now();
    let body = json!({"title": "Written during the outage"});
    let answer = api.send("POST", "/v1/meetings", &[], Some(body)).await?;
    Ok((answer.status, answer.headers.get("retry-after").cloned(), asked.elapsed()))
}

/// A meeting of Hana in a browser and Uma, who was called, while the database gets into trouble.
struct Scene {
    uma: Phone,
    pia: Phone,
    room: Room,
    /// To Uma.
    call: String,
    /// When it began.
    from: Instant,
}

impl Scene {
    async fn set(stage: &Stage) -> LabResult<Self> {
        let uma = stage.registered_phone("103a", tone::UMA).await?;
        let pia = stage.registered_phone("101a", tone::PIA).await?;
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let user = room.api.user("uma").await?;
        let call = call_and_join(&room, CallTarget::device(&user.id, "103a", "presenter")).await?;
        assert!(room.host.ear().wait_for(tone::UMA, Instant::now(), LONG).await.is_some(), "Hana hears Uma");
        Ok(Self { uma, pia, room, call, from: Instant::now() })
    }

    /// A known phone refreshes, calls in and leaves, and nobody waits for the database.
    async fn a_known_phone_comes_and_goes(&self) -> LabResult<()> {
        let asked = Instant::now();
        self.pia.register(300).await?;
        let incoming = self.pia.call(&self.room.meeting.number).await?;
        incoming.wait_confirmed(LONG).await?;
        let took = asked.elapsed();
        assert!(took < Duration::from_secs(2), "a REGISTER and a call in took {took:?}");
        assert!(self.room.host.ear().wait_for(tone::PIA, self.from, LONG).await.is_some(), "Hana hears Pia");
        incoming.hang_up();
        self.uma.wait_incoming(0, LONG).await.map(drop)
    }

    fn sound_is_unharmed(&self) {
        let (lasted, heard) =
            (self.from.elapsed(), self.room.host.ear().heard_between(self.from, Instant::now()));
        let uma_was =
            heard.iter().find(|heard| heard.hz == tone::UMA).map(|heard| heard.duration).unwrap_or_default();
        assert!(uma_was * 100 >= lasted * 95, "Uma was heard for {uma_was:?} of {lasted:?}");
        eprintln!("Uma was heard for {uma_was:?} of {lasted:?}");
    }

    /// Uma hangs up, and what happened is in the database, in order, once.
    async fn all_is_written(self) -> LabResult<()> {
        self.uma.wait_incoming(0, LONG).await?.hang_up();
        let path = format!("/v1/cdrs?meeting={}", self.room.meeting.id);
        let cdrs = rows(&self.room.api, &path, "cdrs", 2).await?;
        written_once(&self.room.api, &self.call, &cdrs).await?;
        attended_once(&self.room.api, &self.room.meeting.id).await
    }
}

/// Plays the outage between `begin` and `end`.
async fn an_outage(
    stage: &Stage,
    seconds: u64,
    begin: impl AsyncFnOnce(&Stage) -> LabResult<()>,
    end: impl AsyncFnOnce() -> LabResult<()>,
) -> LabResult<()> {
    let scene = Scene::set(stage).await?;
    begin(stage).await?;
    let (status, retry_after, took) = write(&scene.room.api).await?;
    assert_eq!((status, retry_after.as_deref()), (503, Some("2")));
    assert!(took < Duration::from_secs(2), "the refusal took {took:?}");
    eprintln!("503 after {took:?}");
    scene.a_known_phone_comes_and_goes().await?;
    tokio::time::sleep(outage(seconds).saturating_sub(scene.from.elapsed())).await;
    scene.sound_is_unharmed();
    end().await?;
    let back = Instant::now();
    let api = &scene.room.api;
    eventually("a write to be taken again", LONG, async || matches!(write(api).await, Ok((201, ..)))).await;
    eprintln!("written again after {:?}", back.elapsed());
    scene.all_is_written().await
}

/// The call in has one record, the call out each of its states.
async fn written_once(api: &Api, call: &str, cdrs: &[Value]) -> LabResult<()> {
    let calls_in = cdrs.iter().filter(|cdr| cdr["direction"] == "in").count();
    assert_eq!(calls_in, 1, "{cdrs:#?}");
    let record = api.send("GET", &format!("/v1/calls/{call}"), &[], None).await?.body;
    let states = record["events"].as_array().unwrap().iter().filter_map(|event| event["state"].as_str());
    // Written when CALL was pressed, and again when the meeting took it.
    let states: Vec<&str> = states.skip_while(|state| *state == "queued").collect();
    assert_eq!(states, ["dialling", "ringing", "answered", "joined", "ended"], "{record:#}");
    Ok(())
}

/// Pia came once and went once, although the database was away both times.
async fn attended_once(api: &Api, meeting: &str) -> LabResult<()> {
    let attendance = api.send("GET", &format!("/v1/meetings/{meeting}/attendance"), &[], None).await?.body;
    let people = attendance["people"].as_array().unwrap();
    let pia = people.iter().find(|person| person["display_name"].to_string().contains("Pia"));
    let stays = pia.unwrap_or_else(|| panic!("{attendance:#}"))["stays"].as_array().unwrap();
    assert!(stays.len() == 1 && stays[0]["left_at"] != Value::Null, "{attendance:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f4_sqlite_locked_by_another_process_for_five_seconds() {
    on_stage(async |stage| {
        sqlx::any::install_default_drivers();
        let file = format!("sqlite:{}", stage.data().join("partyline.db").display());
        let mut other = sqlx::AnyConnection::connect(&file).await.unwrap();
        let lock = tokio::sync::Mutex::new(&mut other);
        let begin = async |_: &Stage| {
            lock.lock().await.execute("BEGIN EXCLUSIVE").await.unwrap();
            Ok(())
        };
        let end = async || {
            lock.lock().await.execute("ROLLBACK").await.unwrap();
            Ok(())
        };
        an_outage(stage, SHORT, begin, end).await
    })
    .await;
}

async fn on_cluster(cluster: &Cluster, test: impl AsyncFnOnce(&mut Stage) -> LabResult<()>) {
    let url = cluster.database("partyline").await.unwrap_or_else(|error| panic!("{error}"));
    let on_it = |config: StageConfig| config.set("url", &format!("\"{url}\""));
    on_stage_with(on_it, test).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f4_postgresql_halted_for_longer_than_a_heartbeat() {
    let cluster = Cluster::start().await.unwrap_or_else(|error| panic!("{error}"));
    on_cluster(&cluster, async |stage| {
        an_outage(stage, LONGER, async |_: &Stage| cluster.freeze().await, async || cluster.thaw().await)
            .await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f4_postgresql_stopped_and_started_again() {
    let cluster = Cluster::start().await.unwrap_or_else(|error| panic!("{error}"));
    let url = cluster.database("partyline").await.unwrap_or_else(|error| panic!("{error}"));
    let cluster = tokio::sync::Mutex::new(cluster);
    let on_it = |config: StageConfig| config.set("url", &format!("\"{url}\""));
    on_stage_with(on_it, async |stage| {
        let begin = async |_: &Stage| cluster.lock().await.stop().await;
        an_outage(stage, SHORT, begin, async || cluster.lock().await.resume().await).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f5_postgresql_hears_every_statement_half_a_second_late() {
    let cluster = Cluster::start().await.unwrap_or_else(|error| panic!("{error}"));
    let url = cluster.database("partyline").await.unwrap_or_else(|error| panic!("{error}"));
    let link = SlowLink::to(&cluster.socket()).unwrap_or_else(|error| panic!("{error}"));
    let url = format!("{}?host={}", url.split('?').next().unwrap_or_default(), link.folder().display());
    let on_it = |config: StageConfig| config.set("url", &format!("\"{url}\""));
    on_stage_with(on_it, async |stage| {
        let scene = Scene::set(stage).await?;
        link.set_delay(Duration::from_millis(500));
        let api = &scene.room.api;
        let (written, phone) = tokio::join!(write(api), scene.a_known_phone_comes_and_goes());
        phone?;
        let (status, _, took) = written?;
        assert_eq!(status, 201, "after {took:?}");
        assert!(took > Duration::from_secs(2), "the database was not slow: {took:?}");
        eprintln!("written after {took:?}");
        scene.sound_is_unharmed();
        link.set_delay(Duration::ZERO);
        scene.all_is_written().await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f7_a_damaged_database_is_refused_in_one_clear_line() {
    on_stage(async |stage| {
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        drop(room);
        assert_eq!(stage.stop().await?, Some(0));
        let path = stage.data().join("partyline.db");
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 3;
        bytes[middle..middle * 2].fill(0x5a);
        std::fs::write(&path, bytes).unwrap();
        let words = stage.restart().await.unwrap_err().to_string();
        let line = words.lines().last().unwrap_or_default();
        assert!(
            line.starts_with("partyline: the database file is damaged") && line.contains("backup"),
            "{words}"
        );
        assert!(!words.contains("panicked"), "{words}");
        std::fs::write(&path, "this is no database, it is a text that somebody has put here by mistake")
            .unwrap();
        let words = stage.restart().await.unwrap_err().to_string();
        assert!(words.contains("partyline: the database file is damaged"), "{words}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f4_a_start_without_its_database_says_so_in_one_line() {
    let change =
        |config: StageConfig| config.set("url", "\"postgres://partyline@localhost/none?host=/nonexistent\"");
    let config = StageConfig::demo_on_free_ports().and_then(change).unwrap_or_else(|error| panic!("{error}"));
    let folder = partyline_tests::gateway::TempFolder::new().unwrap_or_else(|error| panic!("{error}"));
    let path = folder.path().join("partyline.toml");
    std::fs::write(&path, &config.configuration).unwrap();
    let words = Gateway::start(&config.binary, &path, folder.path()).await.unwrap_err().to_string();
    let line = words.lines().last().unwrap_or_default();
    assert!(line.contains("the database cannot be reached") && line.contains("store.url"), "{words}");
}
