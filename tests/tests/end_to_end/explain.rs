//! A call explained: the trunks, the rules, the messages without secrets; copies for a capture server; a signature.

use std::net::UdpSocket;
use std::time::Duration;

use partyline_tests::api::CallTarget;
use partyline_tests::carrier;
use partyline_tests::stage::StageConfig;
use partyline_tests::voice::Voice;

use crate::support::{LONG, call_one, eventually, on_stage_with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i52_d66_a_call_is_explained_while_it_runs_and_afterwards() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let address = server.local_addr().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let file = std::env::temp_dir().join(format!("partyline-explain-{}.pem", address.port()));
    std::fs::write(&file, key.serialize_pem()).unwrap();
    let change = |mut config: StageConfig| {
        let x5u = "https://certificates.acme.test/signer.pem";
        let sections = format!(
            "[hep]\nserver = \"{address}\"\n\n[stir]\nsign = {{ key = \"{}\", x5u = \"{x5u}\" }}\n\n[media]",
            file.display()
        );
        config.configuration = config.configuration.replacen("[media]", &sections, 1);
        Ok(config)
    };
    on_stage_with(change, async |stage| {
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let ticket = call_one(&room, CallTarget::number(carrier::BUSY, "attendee")).await?;
        room.host.events.wait_call(&ticket.id, &["failed"], LONG).await?;
        let path = format!("/v1/calls/{}/explain", ticket.id);
        // The record of the end follows its event.
        let mut told = serde_json::Value::Null;
        for source in ["running", "stored"] {
            eventually(source, LONG, async || {
                told = room
                    .api
                    .send("GET", &path, &[], None)
                    .await
                    .map(|answer| answer.body)
                    .unwrap_or_default();
                told["ladder_source"] == source && told["trunks"][0]["used"] == true
            })
            .await;
            let lines: Vec<&str> = told["ladder"]
                .as_array()
                .unwrap()
                .iter()
                .map(|rung| rung["line"].as_str().unwrap())
                .collect();
            assert!(lines[0].starts_with("INVITE sip:+12025550120@"), "{lines:?}");
            for wanted in ["SIP/2.0 486", "ACK "] {
                assert!(lines.iter().any(|line| line.starts_with(wanted)), "{wanted}: {lines:?}");
            }
            let invite = told["ladder"][0]["text"].as_str().unwrap();
            let identity = invite.lines().find(|line| line.starts_with("Identity: ")).expect("it is signed");
            assert!(
                identity
                    .ends_with(";info=<https://certificates.acme.test/signer.pem>;alg=ES256;ppt=\"shaken\"")
            );
        }
        assert_eq!(
            told["call"]["call"]["cause"].as_str().or_else(|| told["call"]["cause"].as_str()),
            Some("busy"),
            "{told}"
        );
        let mut packet = [0; 8_192];
        let length = server.recv(&mut packet).expect("a copy");
        assert!(packet[..length].starts_with(b"HEP3"));
        let (pia, _) = stage.login("pia").await?;
        assert_ne!(pia.send("GET", &path, &[], None).await?.status, 200, "for Hosts only");
        Ok(())
    })
    .await;
    let _ = std::fs::remove_file(file);
}
