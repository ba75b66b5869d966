//! Floods in the short form that fits into every run; docs/LAB.md has the long one.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use partyline_tests::api::CallTarget;
use partyline_tests::carrier;
use partyline_tests::flood::{self, FloodConfig};
use partyline_tests::sip::digest::Credentials;
use partyline_tests::tone;
use partyline_tests::voice::Voice;

use crate::support::{call_and_join, on_stage_alone};

/// What the machine can generate beside the gateway on two cores.
const RATE: u32 = 20_000;
const SECONDS: Duration = Duration::from_secs(4);

const fn address(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, last))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l4_a_flood_from_one_address_harms_nobody_elsewhere() {
    on_stage_alone(async |stage| {
        let target = stage.sip()?;
        let pid = stage.gateway()?.ready.pid;
        let room = stage.room("hana", "conference", Voice::steady(tone::HANA)).await?;
        call_and_join(&room, CallTarget::number(carrier::PRESSES_ONE, "presenter")).await?;
        let before = flood::resident(pid);
        let config = FloodConfig { target, from: address(2), per_second: RATE, duration: SECONDS };
        let hostile = tokio::task::spawn_blocking(move || flood::flood(&config));
        let honest = tokio::task::spawn_blocking(move || {
            let account = Credentials::new("103b", "103b-secret-demo");
            flood::honest(target, address(3), (&account, "acme.test"), SECONDS)
        });
        // A call of somebody else is made meanwhile, and the one that runs is heard.
        let another = call_and_join(&room, CallTarget::number(carrier::ANSWERS, "attendee"));
        let heard = room.host.ear().wait_for(tone::OUTSIDE, Instant::now(), SECONDS);
        let (_, heard) = tokio::join!(another, heard);
        assert!(heard.is_some(), "the running call is heard");
        let (sent, honest) = (hostile.await.expect("it runs")?, honest.await.expect("it runs")?);
        let grown = flood::resident(pid).saturating_sub(before) / 1_048_576;
        eprintln!("{sent} hostile messages in {SECONDS:?}; {honest}; memory up by {grown} MB");
        assert!(sent > 10_000, "a flood worth its name: {sent}");
        assert!(honest.answers.len() * 100 >= honest.asked * 99, "{honest}");
        assert!(honest.registered * 100 >= honest.registrations * 99, "{honest}");
        assert!(honest.percentile(99) < Duration::from_millis(250), "{honest}");
        assert!(grown < 64, "memory grew by {grown} MB");
        Ok(())
    })
    .await;
}
