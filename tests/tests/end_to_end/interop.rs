//! Phones of others do what people do with phones, in one meeting, each by a transport of its own: they are called, hold,
//! resume, press keys and transfer.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use partyline_tests::api::{Api, CallTarget};
use partyline_tests::baresip::{Baresip, BaresipConfig};
use partyline_tests::carrier;
use partyline_tests::error::LabResult;
use partyline_tests::gateway::TempFolder;
use partyline_tests::linphone::{Linphone, LinphoneConfig};
use partyline_tests::rtp_leg::KeyPress;
use partyline_tests::stage::{Room, Stage, StageConfig};
use partyline_tests::tone;
use partyline_tests::voice::Voice;
use serde_json::json;

use crate::real_phones::set_device;
use crate::support::{LONG, call_and_join, eventually, on_stage_with};
use crate::transports::{certificates, free_port, with_listener};

/// A number whose owner presses 1 at once; he speaks with [`tone::OUTSIDE`].
const COLLEAGUE: &str = "+12025550160";
/// A premium number, which the policy refuses.
const PREMIUM: &str = "+19005550100";

/// A phone of somebody else's making.
pub(crate) enum RealPhone {
    Baresip(Baresip),
    Linphone(Linphone),
}

impl RealPhone {
    async fn hold(&mut self) -> LabResult<()> {
        match self {
            Self::Baresip(phone) => phone.order("hold", "").await,
            Self::Linphone(phone) => phone.tell("pause").await,
        }
    }

    async fn resume(&mut self) -> LabResult<()> {
        match self {
            Self::Baresip(phone) => phone.order("resume", "").await,
            Self::Linphone(phone) => phone.tell("resume 1").await,
        }
    }

    async fn press(&mut self, keys: &str) -> LabResult<()> {
        match self {
            Self::Baresip(phone) => {
                for key in keys.chars() {
                    phone.order("sndcode", &key.to_string()).await?;
                    // It sends a key for as long as no other one is pressed.
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                phone.order("sndcode", "\\u0004").await
            }
            Self::Linphone(phone) => phone.tell(keys).await,
        }
    }

    async fn transfer(&mut self, target: &str) -> LabResult<()> {
        match self {
            Self::Baresip(phone) => phone.order("transfer", target).await,
            Self::Linphone(phone) => phone.tell(&format!("transfer 1 {target}")).await,
        }
    }

    pub(crate) fn words(&self) -> String {
        match self {
            Self::Baresip(phone) => phone.words().join("\n"),
            Self::Linphone(phone) => phone.words().join("\n"),
        }
    }
}

/// Somebody with such a phone.
pub(crate) struct Desk {
    pub(crate) login: &'static str,
    pub(crate) device: &'static str,
    pub(crate) tone: u32,
    pub(crate) phone: RealPhone,
}

/// The addresses of a gateway that listens by UDP, TCP and TLS.
struct Doors {
    tcp: SocketAddr,
    tls: SocketAddr,
    authority: std::path::PathBuf,
    keys: String,
    _folder: TempFolder,
}

impl Doors {
    fn new() -> Self {
        let folder = TempFolder::new().unwrap();
        let (keys, authority) = certificates(&folder);
        Self { tcp: free_port(), tls: free_port(), authority, keys, _folder: folder }
    }

    fn open(&self, config: StageConfig) -> StageConfig {
        let config = with_listener(config, "tcp", self.tcp, "");
        with_listener(config, "tls", self.tls, &self.keys)
    }
}

pub(crate) async fn call_all(room: &Room, desks: &[Desk]) -> LabResult<()> {
    for desk in desks {
        let words = || format!("{} to register; it said:\n{}", desk.device, desk.phone.words());
        let registered = async || {
            let user = room.api.user(desk.login).await;
            user.is_ok_and(|user| user.devices.iter().any(|one| one.name == desk.device && one.registered))
        };
        let deadline = Instant::now() + LONG;
        while !registered().await {
            assert!(Instant::now() < deadline, "{}", words());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let user = room.api.user(desk.login).await?.id;
        call_and_join(room, CallTarget::device(&user, desk.device, "host")).await?;
    }
    Ok(())
}

pub(crate) async fn heard(room: &Room, desks: &[Desk], when: &str) {
    let since = Instant::now();
    for desk in desks {
        let heard = room.host.ear().wait_for(desk.tone, since, LONG).await;
        assert!(heard.is_some(), "{} {when}; it said:\n{}", desk.device, desk.phone.words());
    }
}

/// All of them are silent for most of a second, however they did it.
async fn silent(room: &Room, desks: &[Desk], when: &str) {
    eventually(&format!("silence {when}"), LONG, async || {
        let since = Instant::now();
        tokio::time::sleep(Duration::from_millis(700)).await;
        desks.iter().all(|desk| room.host.ear().first_heard(desk.tone, since).is_none())
    })
    .await;
}

async fn muted(room: &Room, desks: &mut [Desk], wanted: bool) -> LabResult<()> {
    for desk in desks.iter_mut() {
        desk.phone.press("*6").await?;
        let name = room.api.user(desk.login).await?.display_name;
        let seen = room.host.events.wait("muting by *6", LONG, |event| {
            event.kind == "person.muted"
                && event.data["person"]["display_name"] == name.as_str()
                && event.data["person"]["muted_by_self"] == wanted
        });
        seen.await.unwrap_or_else(|error| {
            panic!("{} ({wanted}): {error}; it said:\n{}", desk.device, desk.phone.words())
        });
    }
    Ok(())
}

/// What every phone does once it is in.
pub(crate) async fn hold_resume_and_press(room: &Room, desks: &mut [Desk]) -> LabResult<()> {
    heard(room, desks, "once it has joined").await;
    for desk in desks.iter_mut() {
        desk.phone.hold().await?;
    }
    silent(room, desks, "while all hold").await;
    for desk in desks.iter_mut() {
        desk.phone.resume().await?;
    }
    heard(room, desks, "after it has resumed").await;
    muted(room, desks, true).await?;
    silent(room, desks, "while all are muted").await;
    muted(room, desks, false).await?;
    heard(room, desks, "after it has unmuted itself").await;
    Ok(())
}

/// The third desk is refused a number and stays in; the first one transfers to a colleague outside, the second one to Uma's
/// other phone.
async fn transfer(stage: &Stage, room: &Room, desks: &mut [Desk]) -> LabResult<()> {
    let third = &mut desks[2].phone;
    third.transfer(&format!("sip:{PREMIUM}@acme.test")).await?;
    let refused = room.host.events.wait("the refusal", LONG, |event| event.kind == "call.refused");
    let refused = refused.await.unwrap_or_else(|error| panic!("{error}; it said:\n{}", third.words()));
    assert_eq!(refused.text("cause"), "destination_denied", "{}", refused.data);
    transfer_to_colleague(stage, room, &mut desks[0]).await?;
    transfer_to_other_phone(stage, room, &mut desks[1]).await
}

pub(crate) async fn transfer_to_colleague(stage: &Stage, room: &Room, desk: &mut Desk) -> LabResult<()> {
    let one = Duration::from_millis(500);
    stage
        .carrier
        .set_callee(COLLEAGUE, move |_| carrier::person_who_presses(KeyPress::new('1'), one, tone::OUTSIDE));
    desk.phone.transfer(&format!("sip:{COLLEAGUE}@acme.test")).await?;
    let arrived = room.host.events.wait("the colleague's arrival", LONG, |event| {
        event.kind == "person.joined" && event.data["person"]["number"] == COLLEAGUE
    });
    let arrived = arrived.await.unwrap_or_else(|error| panic!("{error}; it said:\n{}", desk.phone.words()));
    assert_ne!(arrived.data["person"]["role"], "host", "{}", arrived.data);
    let here = room.host.ear().wait_for(tone::OUTSIDE, Instant::now(), LONG).await;
    assert!(here.is_some(), "the colleague is heard");
    // It hangs up when it hears that the transfer has succeeded.
    left(room, desk).await
}

/// To Uma's other phone, which registers directly.
async fn transfer_to_other_phone(stage: &Stage, room: &Room, desk: &mut Desk) -> LabResult<()> {
    let other = stage.registered_phone("103b", tone::GUEST).await?;
    desk.phone.transfer("sip:103b@acme.test").await?;
    let call = other.wait_incoming(0, LONG).await;
    let call = call.unwrap_or_else(|error| panic!("{error}; it said:\n{}", desk.phone.words()));
    call.wait_confirmed(LONG).await?;
    let here = room.host.ear().wait_for(tone::GUEST, Instant::now(), LONG).await;
    assert!(here.is_some(), "the other phone is heard");
    left(room, desk).await
}

async fn left(room: &Room, desk: &Desk) -> LabResult<()> {
    let name = room.api.user(desk.login).await?.display_name;
    let gone = gone(room, &name).await;
    gone.unwrap_or_else(|error| panic!("{}: {error}; it said:\n{}", desk.device, desk.phone.words()));
    Ok(())
}

async fn gone(room: &Room, name: &str) -> LabResult<()> {
    let seen = room.host.events.wait("somebody's leaving", LONG, |event| {
        event.kind == "person.left" && event.data["person"]["display_name"] == name
    });
    seen.await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asks_10_d10_d21_d22_baresip_by_udp_tcp_and_tls_holds_resumes_presses_keys_and_transfers() {
    let doors = Doors::new();
    on_stage_with(
        |config| Ok(doors.open(config)),
        async |stage| {
            let (admin, _) = stage.login("tia").await?;
            set_device(&admin, "101a", json!({ "srtp": "required" })).await?;
            let new = |device, registrar, tone, transport: &str| BaresipConfig {
                transport: transport.to_owned(),
                ..BaresipConfig::new(device, registrar, tone)
            };
            let tls = BaresipConfig {
                authority: Some(doors.authority.clone()),
                encryption: Some("srtp-mand"),
                ..new("101a", doors.tls, tone::PIA, "tls")
            };
            let mut desks = Vec::new();
            for (login, config) in [
                ("uma", new("103a", stage.sip()?, tone::UMA, "udp")),
                ("ari", new("102a", doors.tcp, tone::BYSTANDER, "tcp")),
                ("pia", tls),
            ] {
                let phone = RealPhone::Baresip(Baresip::start(&config).await?);
                let device = ["103a", "102a", "101a"][desks.len()];
                desks.push(Desk { login, device, tone: config.tone, phone });
            }
            let room = stage.room("hana", "conference", Voice::steady(tone::HANA)).await?;
            call_all(&room, &desks).await?;
            hold_resume_and_press(&room, &mut desks).await?;
            transfer(stage, &room, &mut desks).await
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asks_10_d10_d21_d22_linphone_by_udp_tcp_and_tls_holds_resumes_presses_keys_and_transfers() {
    let doors = Doors::new();
    on_stage_with(
        |config| Ok(doors.open(config)),
        async |stage| {
            let (admin, _) = stage.login("tia").await?;
            set_device(&admin, "101a", json!({ "srtp": "required" })).await?;
            let udp = LinphoneConfig::new("103a", stage.sip()?, tone::UMA, "none");
            let tcp = LinphoneConfig {
                transport: "tcp",
                keys_by_info: true,
                ..LinphoneConfig::new("102a", doors.tcp, tone::BYSTANDER, "none")
            };
            let tls = LinphoneConfig {
                transport: "tls",
                authority: Some(doors.authority.clone()),
                ..LinphoneConfig::new("101a", doors.tls, tone::PIA, "srtp")
            };
            let mut desks = Vec::new();
            for (login, device, config) in [("uma", "103a", udp), ("ari", "102a", tcp), ("pia", "101a", tls)]
            {
                let phone = RealPhone::Linphone(Linphone::start(&config).await?);
                desks.push(Desk { login, device, tone: config.tone, phone });
            }
            let room = stage.room("hana", "conference", Voice::steady(tone::HANA)).await?;
            call_all(&room, &desks).await?;
            hold_resume_and_press(&room, &mut desks).await?;
            transfer(stage, &room, &mut desks).await
        },
    )
    .await;
}

/// Where a registered phone is reached without the gateway.
async fn address_of(admin: &Api, device: &str) -> LabResult<String> {
    let mut address = String::new();
    eventually("the phone to register", LONG, async || {
        let answer = admin.send("GET", &format!("/v1/devices/{device}"), &[], None).await;
        let source =
            answer.ok().and_then(|it| it.body["registrations"][0]["source"].as_str().map(str::to_owned));
        source.is_some_and(|source| {
            address = source;
            true
        })
    })
    .await;
    Ok(address)
}

/// RFC 3891: the phone talks to another one first, and then has the gateway call that one in the place of their talk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asks_10_i45_linphone_transfers_after_asking_the_other_phone() {
    on_stage_with(Ok, async |stage| {
        let (admin, _) = stage.login("tia").await?;
        let mut uma = Linphone::start(&LinphoneConfig::new("103a", stage.sip()?, tone::UMA, "none")).await?;
        let ari = Linphone::start(&LinphoneConfig::new("102a", stage.sip()?, tone::PIA, "none")).await?;
        let room = stage.room("hana", "conference", Voice::steady(tone::HANA)).await?;
        address_of(&admin, "103a").await?;
        let ari_is_at = address_of(&admin, "102a").await?;
        let id = room.api.user("uma").await?.id;
        call_and_join(&room, CallTarget::device(&id, "103a", "host")).await?;
        uma.tell("pause").await?;
        uma.wait_word("is now paused", LONG).await?;
        // With an account it would send this to its registrar, which is no exchange.
        uma.tell("proxy unuse").await?;
        uma.tell(&format!("call sip:102a@{ari_is_at}")).await?;
        uma.wait_word("for call 2", LONG).await?;
        uma.tell("transfer 1 --to-call 2").await?;
        let heard = room.host.ear().wait_for(tone::PIA, Instant::now(), LONG).await;
        assert!(heard.is_some(), "{}\n\n{}", uma.words().join("\n"), ari.words().join("\n"));
        gone(&room, "Uma Ueda").await?;
        let ended = ari.words().iter().any(|line| line.starts_with("Call 1 ") && line.contains(" ended"));
        assert!(ended, "the talk is over: {}", ari.words().join("\n"));
        Ok(())
    })
    .await;
}
