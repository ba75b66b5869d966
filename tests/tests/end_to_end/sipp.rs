//! SIPp in the trunk's place: an implementation that is neither ours nor the lab's.

use std::net::{SocketAddr, UdpSocket};
use std::process::Stdio;
use std::time::{Duration, Instant};

use partyline_tests::api::{CallTarget, PersonToInvite};
use partyline_tests::error::{LabError, LabResult};
use partyline_tests::participant::Participant;
use partyline_tests::shared::token;
use partyline_tests::sipp::Sipp;
use partyline_tests::stage::{Stage, StageConfig};
use partyline_tests::tone;
use partyline_tests::voice::Voice;

use crate::support::{LONG, call_one, eventually, on_stage_with};

const HANA: &str = "12025550100";
const PIA: &str = "12025550101";
const NUMBER: &str = "+12025550177";

fn foreign(config: StageConfig) -> LabResult<StageConfig> {
    // SIPp plays one scenario, which begins with INVITE: it would take OPTIONS for a mistake.
    let peer = format!("peer = \"127.0.0.1:{}\"", config.ports.carrier);
    let configuration = config.configuration.replace(&peer, &format!("{peer}\nsettings.probe = false"));
    let config = StageConfig { foreign_trunk: true, configuration, ..config };
    config.set("ring_timeout_s", "5")
}

fn trunk(stage: &Stage) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], stage.ports.carrier))
}

/// One call by Hana to SIPp with `scenario`; the final state and cause.
async fn one_call(stage: &Stage, scenario: &str, status: u16, cancel: bool) -> LabResult<(String, String)> {
    let sipp = Sipp::serve(scenario, trunk(stage), HANA, status).await?;
    let room = stage.room("hana", "conference", Voice::silent()).await?;
    let ticket = call_one(&room, CallTarget::number(NUMBER, "attendee")).await?;
    if cancel {
        room.host.events.wait_call(&ticket.id, &["ringing"], LONG).await?;
        room.api.end_call(&ticket.id).await?;
    }
    let last = ["failed", "ended", "refused", "cancelled"];
    let over = room.host.events.wait_call(&ticket.id, &last, Duration::from_secs(45)).await?;
    // SIPp itself checks From and P-Asserted-Identity, and that its dialog ends as it must.
    sipp.finished(LONG).await?;
    Ok((over.text("state").to_owned(), over.text("cause").to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a55_d36_sipp_refuses_and_each_refusal_has_its_cause() {
    on_stage_with(foreign, async |stage| {
        let expected = [
            (486, "busy"),
            (603, "declined"),
            (404, "not_working_number"),
            (480, "no_answer"),
            (503, "trunk_down"),
        ];
        for (status, cause) in expected {
            let ended = one_call(stage, "refuse", status, false).await?;
            assert_eq!(ended, ("failed".to_owned(), cause.to_owned()), "{status}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i53_i54_sipp_never_answers_and_is_cancelled() {
    on_stage_with(foreign, async |stage| {
        let ended = one_call(stage, "never_answers", 0, false).await?;
        assert_eq!(ended, ("failed".to_owned(), "no_answer".to_owned()), "after the ring time-out");
        let ended = one_call(stage, "never_answers", 0, true).await?;
        assert_eq!(ended.0, "cancelled");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i50_sipp_answers_presses_nothing_and_is_hung_up() {
    on_stage_with(foreign, async |stage| {
        let ended = one_call(stage, "answers", 0, false).await?;
        assert_eq!(ended.1, "not_confirmed");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d20_d21_d68_sipp_presses_one_as_a_tone_is_let_in_and_heard() {
    on_stage_with(foreign, async |stage| {
        let sipp = Sipp::serve("speaks", trunk(stage), HANA, 0).await?;
        let room = stage.room("hana", "conference", Voice::steady(tone::HANA)).await?;
        let ticket = call_one(&room, CallTarget::number(NUMBER, "presenter")).await?;
        let event = room.host.events.wait_call(&ticket.id, &["joined", "failed", "ended"], LONG).await?;
        assert_eq!(event.text("state"), "joined", "{}", event.data);
        let joined = Instant::now();
        assert!(room.host.ear().wait_for(tone::OUTSIDE, joined, LONG).await.is_some(), "its tone");
        room.api.end_call(&ticket.id).await?;
        sipp.finished(LONG).await
    })
    .await;
}

/// SIPp with a scenario of its own, which it plays to the end.
fn own_scenario(name: &str, more: &[&str]) -> LabResult<tokio::process::Child> {
    let mut command = tokio::process::Command::new("sipp");
    command.args(["-sn", name, "-i", "127.0.0.1", "-nostdin", "-timeout", "60s", "-timeout_error"]);
    command.args(more);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command.spawn().map_err(LabError::io("starting sipp (Debian package sip-tester)"))
}

async fn played(sipp: tokio::process::Child) -> LabResult<()> {
    let done = sipp.wait_with_output().await.map_err(LabError::io("running sipp"))?;
    let words = [done.stdout, done.stderr].map(|words| String::from_utf8_lossy(&words).into_owned());
    assert!(done.status.success(), "{:?}\n{}", done.status, words.join("\n"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d10_sipp_calls_and_is_called_by_its_own_scenarios() {
    let trusting = |config: StageConfig| foreign(config)?.set("trusted_peers", "[\"127.0.0.0/8\"]");
    on_stage_with(trusting, async |stage| {
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let (number, gateway) = (&room.meeting.number, stage.sip()?.to_string());
        played(own_scenario("uac", &["-m", "10", "-r", "10", "-d", "300", "-s", number, &gateway])?).await?;
        for calls in 1..=2 {
            let sipp = own_scenario("uas", &["-m", "1", "-p", &trunk(stage).port().to_string()])?;
            let listens = async || UdpSocket::bind(trunk(stage)).is_err();
            eventually("sipp to listen", LONG, listens).await;
            let ticket = call_one(&room, CallTarget::number(NUMBER, "attendee")).await?;
            room.host.events.wait_call(&ticket.id, &["confirming"], LONG).await?;
            room.api.end_call(&ticket.id).await?;
            room.host.events.wait_call(&ticket.id, &["ended", "cancelled"], LONG).await?;
            played(sipp).await?;
            assert_eq!(room.api.calls(&room.meeting.id).await?.len(), calls, "nobody is rung twice");
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a56_sipp_sees_pias_number_when_pia_calls() {
    on_stage_with(foreign, async |stage| {
        let sipp = Sipp::serve("refuse", trunk(stage), PIA, 486).await?;
        let (hana, _) = stage.login("hana").await?;
        let user = hana.user("pia").await?;
        let people = [PersonToInvite::user(&user.id, "host")];
        let meeting = hana.create_meeting("Pia calls", "conference", &people).await?;
        hana.start_meeting(&meeting.id).await?;
        let (pia, _) = stage.login("pia").await?;
        let host = Participant::join(&pia, &meeting.id, Voice::silent()).await?;
        let tickets = pia.call(&meeting.id, &[CallTarget::number(NUMBER, "attendee")], &token()).await?;
        host.events.wait_call(&tickets[0].id, &["failed"], LONG).await?;
        sipp.finished(LONG).await
    })
    .await;
}
