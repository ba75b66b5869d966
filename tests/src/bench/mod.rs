//! The bench of the API: the running program on SQLite with a large tenant, while a meeting with phones goes on.
//!
//! Requests of the open loops leave at their own times, whatever became of those before, and each is timed from the
//! moment it was due: a slow answer makes the ones behind it slower, not fewer.

mod dial;
mod figures;
mod http;
mod lists;
mod multi;
pub mod setups;
mod tenant;
mod writes;

use std::path::PathBuf;
use std::time::Duration;

use crate::api::Api;
use crate::error::{LabError, LabResult};
use crate::gateway::find_binary;
use crate::stage::{Room, Stage, StageConfig};
use crate::tone;
use crate::voice::Voice;

pub use figures::{Figure, Report};
use http::Client;

/// What to measure.
#[derive(Debug, Clone)]
pub struct BenchConfig {
    /// The program; beside this one when missing.
    pub binary: Option<PathBuf>,
    /// Which parts: `writes`, `dial`, `lists`, `multi`; all when empty.
    pub parts: Vec<String>,
    /// How long requests are written, and how long calls are made.
    pub seconds: u64,
    /// The size of the tenant: users, people of meetings; a fifth of it are meetings.
    pub people: u32,
}

/// The house in which everything is measured.
struct House {
    stage: Stage,
    client: Client,
    room: Room,
    /// Keep sounding as long as they are kept.
    _phones: Vec<crate::phone::Phone>,
    hana: Api,
    sam: Api,
    tia: Api,
}

/// Measures; the figures come as each part is done.
///
/// # Errors
/// When the house does not start, or an answer is none.
pub async fn run(config: &BenchConfig, mut told: impl FnMut(&Report)) -> LabResult<Report> {
    let house = open(config).await?;
    let wanted = |part: &str| config.parts.is_empty() || config.parts.iter().any(|one| one == part);
    let duration = Duration::from_secs(config.seconds);
    let mut all = Report::default();
    let mut add = |report: Report| {
        told(&report);
        all.figures.extend(report.figures);
    };
    if wanted("writes") {
        add(writes::measure(&house, duration).await?);
    }
    if wanted("lists") {
        add(lists::measure(&house, config.people).await?);
    }
    if wanted("multi") {
        add(multi::measure(&house).await?);
    }
    if wanted("dial") {
        add(dial::measure(&house, duration.min(Duration::from_secs(20))).await?);
    }
    Ok(all)
}

/// A house with a large tenant and a meeting of four: a browser and three phones, each with sound.
async fn open(config: &BenchConfig) -> LabResult<House> {
    let binary = config.binary.clone().map_or_else(find_binary, Ok)?;
    let stage = StageConfig { binary, ..StageConfig::demo_on_free_ports()? }.set("mask", "false")?;
    let mut stage = Stage::start(stage).await?;
    stage.stop().await?;
    tenant::fill(&stage.data().join("partyline.db"), config.people).await?;
    stage.restart().await?;
    let room = stage.room("hana", "conference", Voice::steady(tone::HANA)).await?;
    let mut phones = Vec::new();
    for (device, hz) in [("101a", tone::PIA), ("102a", tone::BYSTANDER), ("103a", tone::UMA)] {
        let phone = stage.registered_phone(device, hz).await?;
        phone.call(&room.meeting.number).await?.wait_confirmed(Duration::from_secs(10)).await?;
        phones.push(phone);
    }
    let (sam, _) = stage.login("sam").await?;
    let (tia, _) = stage.login("tia").await?;
    let client = Client::new(&stage.gateway()?.ready.api)?;
    Ok(House { client, hana: room.api.clone(), room, _phones: phones, sam, tia, stage })
}

impl House {
    fn token(api: &Api) -> LabResult<&str> {
        api.token().ok_or_else(|| LabError::Other("a client without token".to_owned()))
    }
}
