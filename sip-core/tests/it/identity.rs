//! Caller ID: mission rows A55 to A57, D33 and I93.

use std::time::Duration;

use bytes::Bytes;
use sip_core::ua::{CallerIdentity, Command, OutgoingInvite, Target};

use crate::support::*;

fn invite_as(network: &mut Network, target: Target, caller: CallerIdentity, peer: &str) -> String {
    let order = OutgoingInvite {
        session: CALL,
        target,
        caller,
        call_id: "c7".into(),
        offer: Bytes::from_static(b"v=0\r\n"),
        replaces: None,
        patience: None,
        attestation: None,
        diverted_by: None,
        identity: None,
    };
    network.command(GATEWAY, Command::Invite(Box::new(order)));
    network.run_for(Duration::from_millis(50));
    network.take_one(peer)
}

fn with_trunk() -> Network {
    let mut network = Network::gateway();
    network.command(GATEWAY, Command::PutTrunk(Box::new(carrier_trunk())));
    network
}

#[test]
fn a55_caller_id_is_the_acting_hosts() {
    let pia = CallerIdentity { number: "+12025550101".into(), display_name: "Pia".into(), hidden: false };
    for caller in [hana(), pia] {
        let invite = invite_as(&mut with_trunk(), to_number(), caller.clone(), CARRIER);
        let address = format!("\"{}\" <sip:{}@acme.test>", caller.display_name, caller.number);
        assert!(header(&invite, "From").starts_with(&format!("{address};tag=")), "{invite}");
        assert_eq!(header(&invite, "P-Asserted-Identity"), address);
        assert_eq!(header_if_any(&invite, "Privacy"), None);
        assert_eq!(header(&invite, "To"), "<sip:+12025550177@carrier.test>");
    }
}

#[test]
fn a57_a_desk_phone_sees_the_same_number() {
    let mut network = with_phone();
    let invite = invite_as(&mut network, to_phone(), hana(), PHONE);
    assert!(invite.starts_with("INVITE sip:103a@10.0.0.9:5060;ob SIP/2.0\r\n"));
    assert!(header(&invite, "From").starts_with("\"Hana Host\" <sip:+12025550100@acme.test>;tag="));
    assert_eq!(header(&invite, "P-Asserted-Identity"), "\"Hana Host\" <sip:+12025550100@acme.test>");
    assert_eq!(header(&invite, "To"), "<sip:103a@acme.test>");
}

#[test]
fn d33_a_hidden_number_is_told_to_trunks_only() {
    let hidden = CallerIdentity { hidden: true, ..hana() };
    let invite = invite_as(&mut with_trunk(), to_number(), hidden.clone(), CARRIER);
    assert!(header(&invite, "From").starts_with("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag="));
    assert_eq!(header(&invite, "Privacy"), "id");
    assert!(header(&invite, "P-Asserted-Identity").contains("+12025550100"));
    let invite = invite_as(&mut with_phone(), to_phone(), hidden, PHONE);
    assert_eq!(header(&invite, "Privacy"), "id");
    assert!(!invite.contains("12025550100"), "{invite}");
}

#[test]
fn i93_names_and_numbers_cannot_inject_header_fields() {
    let evil = CallerIdentity {
        number: "+1202\r\nX-Number: 1".into(),
        display_name: "Eve\" <sip:x@y>\r\nX-Name: 1\0\n\n".into(),
        hidden: false,
    };
    let mut network = with_trunk();
    let order = OutgoingInvite {
        session: CALL,
        target: Target::Trunk { trunk: sip_core::ua::TrunkId(1), number: "1\r\nX-To: 1@x> SIP/2.0".into() },
        caller: evil,
        call_id: "c7\r\nX-Call: 1".into(),
        offer: Bytes::new(),
        replaces: None,
        patience: None,
        attestation: None,
        diverted_by: None,
        identity: None,
    };
    network.command(GATEWAY, Command::Invite(Box::new(order)));
    network.run_for(Duration::from_millis(50));
    let invite = network.take(CARRIER).remove(0);
    assert!(!invite.contains("\r\nX-") && !invite.contains('\0'), "{invite}");
    assert!(
        header(&invite, "From")
            .starts_with(r#""Eve\" <sip:x@y>X-Name: 1" <sip:+1202%0D%0AX-Number%3A%201@acme.test>"#)
    );
}
