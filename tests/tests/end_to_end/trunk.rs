//! A trunk with a password: it registers, and its calls are challenged.

use std::net::SocketAddr;

use partyline_tests::api::CallTarget;
use partyline_tests::carrier::{self, Carrier, CarrierConfig};
use partyline_tests::sip::digest::Credentials;
use partyline_tests::stage::StageConfig;
use partyline_tests::voice::Voice;

use crate::support::{LONG, call_one, eventually, on_stage_with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d16_a_trunk_registers_and_answers_the_challenge_of_its_carrier() {
    let with_password = |config: StageConfig| {
        let peer = format!("peer = \"127.0.0.1:{}\"", config.ports.carrier);
        let secret = "user = \"acme-trunk\"\npassword = \"trunk-secret\"\nregister = true";
        let configuration = config.configuration.replace(&peer, &format!("{peer}\n{secret}"));
        assert_ne!(configuration, config.configuration);
        Ok(StageConfig { configuration, foreign_trunk: true, ..config })
    };
    on_stage_with(with_password, async |stage| {
        let secret = Credentials::new("acme-trunk", "trunk-secret");
        let listen = SocketAddr::from(([127, 0, 0, 1], stage.ports.carrier));
        let config = CarrierConfig { listen, challenge: Some(secret.clone()), accounts: vec![secret] };
        let carrier = Carrier::start(config).await?;
        eventually("the trunk to register", LONG * 3, async || {
            carrier.agent.bindings().contains_key("acme-trunk")
        })
        .await;
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let ticket = call_one(&room, CallTarget::number(carrier::BUSY, "attendee")).await?;
        let over = room.host.events.wait_call(&ticket.id, &["failed", "ended"], LONG).await?;
        assert_eq!(over.text("cause"), "busy", "{}", over.data);
        let counts = carrier.counts();
        assert_eq!((counts.challenged, counts.invites), (1, 1), "answered once, with digest");
        Ok(())
    })
    .await;
}
