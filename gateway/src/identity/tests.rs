use super::*;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use sip_core::ua::{CallerIdentity, EndCause, Origin, Transport};

const NOW: UnixMillis = UnixMillis(1_790_000_000_000);
const X5U: &str = "https://certificates.example.org/signers/acme.pem";

/// A folder with an authority, a signer of it, and the signer's key beside.
struct Place(std::path::PathBuf);

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Place {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("partyline-stir-{name}-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("trust/signers")).unwrap();
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        std::fs::write(
            folder.join("trust/authority.pem"),
            authority.self_signed(&authority_key).unwrap().pem(),
        )
        .unwrap();
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate().unwrap();
        let signer = CertificateParams::new(Vec::new()).unwrap().signed_by(&key, &issuer).unwrap();
        std::fs::write(folder.join("trust/signers/acme.pem"), signer.pem()).unwrap();
        std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
        let stranger = KeyPair::generate().unwrap();
        let unknown = CertificateParams::new(Vec::new()).unwrap().self_signed(&stranger).unwrap();
        std::fs::write(folder.join("trust/signers/stranger.pem"), unknown.pem()).unwrap();
        std::fs::write(folder.join("stranger.pem"), stranger.serialize_pem()).unwrap();
        Self(folder)
    }

    fn desk(&self, section: &str) -> Desk {
        let path = self.0.join("partyline.toml");
        let text =
            format!("[sip]\nlisten = \"127.0.0.1:5060\"\n[api]\nlisten = \"127.0.0.1:8080\"\n{section}");
        std::fs::write(&path, text).unwrap();
        Desk::new(&Config::load(&path).unwrap(), || None).unwrap()
    }

    fn both(&self, key: &str, x5u: &str) -> Desk {
        self.desk(&format!("[stir]\nsign = {{ key = \"{key}\", x5u = \"{x5u}\" }}\ntrust = \"trust\""))
    }
}

fn order(to: &str, attestation: Option<Attestation>) -> Command {
    Command::Invite(Box::new(OutgoingInvite {
        session: SessionId::Outgoing(1),
        target: Target::Trunk { trunk: TrunkId(1), number: to.into() },
        caller: CallerIdentity { number: "+12025550100".into(), display_name: "Hana".into(), hidden: false },
        call_id: "c".into(),
        offer: bytes::Bytes::new(),
        replaces: None,
        patience: None,
        attestation,
        diverted_by: None,
        identity: None,
    }))
}

fn signed(desk: &mut Desk, to: &str, attestation: Option<Attestation>, wall: UnixMillis) -> Option<String> {
    let mut command = order(to, attestation);
    desk.sign(&mut command, wall, || [7; 16]);
    let Command::Invite(order) = command else { panic!() };
    order.identity
}

fn incoming(number: u64, origin: Origin, identity: Vec<String>) -> Event {
    Event::Incoming(Box::new(IncomingInvite {
        session: SessionId::Incoming(number),
        origin,
        source: "192.0.2.1:5060".parse().unwrap(),
        transport: Transport::Udp,
        request_user: "+12025550177".into(),
        request_domain: "acme.test".into(),
        from_user: "+12025550100".into(),
        from_display: String::new(),
        body: bytes::Bytes::new(),
        call_id: "in".into(),
        identity,
        verstat: None,
        replaces: None,
    }))
}

fn verstat(desk: &mut Desk, wall: UnixMillis, identity: Vec<String>) -> Option<Verstat> {
    let event = desk.take(incoming(1, Origin::Trunk(TrunkId(1)), identity), wall);
    let Some(Event::Incoming(invite)) = event else { panic!("{event:?}") };
    invite.verstat
}

const CALLED: &str = "+1 (202) 555-0177";

#[test]
fn d34_a_signed_call_is_believed_at_the_level_of_its_attestation() {
    let place = Place::new("signed");
    let mut desk = place.both("key.pem", X5U);
    for level in [Attestation::Full, Attestation::Partial, Attestation::Gateway] {
        let identity = signed(&mut desk, CALLED, Some(level), NOW).unwrap();
        assert!(identity.ends_with(&format!(";info=<{X5U}>;alg=ES256;ppt=\"shaken\"")), "{identity}");
        assert_eq!(verstat(&mut desk, NOW, vec![identity]), Some(Verstat::Passed(level)));
    }
    let identity = signed(&mut desk, CALLED, None, NOW).unwrap();
    assert_eq!(verstat(&mut desk, NOW, vec![identity.clone()]), Some(Verstat::Passed(Attestation::Gateway)));
    let token = Token::read(&identity).unwrap().unwrap();
    assert_eq!(
        (token.claims.from.as_str(), &token.claims.to[..]),
        ("12025550100", &["12025550177".to_owned()][..])
    );
    assert_eq!(token.claims.origin, "07070707-0707-4707-8707-070707070707");
    assert_eq!(signed(&mut desk, "sip-only", Some(Attestation::Full), NOW), None, "no number, no signature");
}

#[test]
fn s5_what_is_signed_for_another_call_or_by_nobody_known_is_not_believed() {
    let place = Place::new("refused");
    let mut desk = place.both("key.pem", X5U);
    let good = signed(&mut desk, CALLED, Some(Attestation::Full), NOW).unwrap();
    let other = signed(&mut desk, "+12025550199", Some(Attestation::Full), NOW).unwrap();
    let at = good.find('.').unwrap() + 9;
    let mut bent = good.clone().into_bytes();
    bent[at] ^= 1;
    let forged = signed(&mut place.both("stranger.pem", X5U), CALLED, Some(Attestation::Full), NOW).unwrap();
    let stranger = "https://certificates.example.org/stranger.pem";
    let unknown =
        signed(&mut place.both("stranger.pem", stranger), CALLED, Some(Attestation::Full), NOW).unwrap();
    let moved = good.replace("info=<https://certificates", "info=<https://elsewhere");
    for (what, identity) in [
        ("for another number", other),
        ("changed on the way", String::from_utf8(bent).unwrap()),
        ("with another key", forged),
        ("by a certificate of no authority", unknown),
        ("info elsewhere", moved),
        ("no token at all", "nonsense".to_owned()),
        ("too long", "x".repeat(10_000)),
    ] {
        assert_eq!(verstat(&mut desk, NOW, vec![identity]), Some(Verstat::Failed), "{what}");
    }
    let late = UnixMillis(NOW.0 + 61_000);
    assert_eq!(verstat(&mut desk, late, vec![good.clone()]), Some(Verstat::Failed), "an old one, sent again");
    let early = UnixMillis(NOW.0 - 61_000);
    assert_eq!(verstat(&mut desk, early, vec![good.clone()]), Some(Verstat::Failed), "from the future");
    assert_eq!(verstat(&mut desk, NOW, Vec::new()), Some(Verstat::NotValidated));
    let nowhere =
        signed(&mut place.both("key.pem", "https://x.example.org/unknown.pem"), CALLED, None, NOW).unwrap();
    assert_eq!(
        verstat(&mut desk, NOW, vec![nowhere]),
        Some(Verstat::NotValidated),
        "nothing is fetched unless told"
    );
    let phone = incoming(
        1,
        Origin::Device(sip_core::ua::AddressOfRecord::new("103a", "acme.test")),
        vec![good.clone()],
    );
    let Some(Event::Incoming(invite)) = desk.take(phone, NOW) else { panic!() };
    assert_eq!(invite.verstat, None, "a phone of ours has proved more");
    assert_eq!(
        verstat(&mut place.desk(""), NOW, vec![good]),
        None,
        "nothing is said where nothing is checked"
    );
}

#[test]
fn each_trunk_may_have_a_signer_of_its_own() {
    let place = Place::new("trunks");
    let own = "https://certificates.example.org/own.pem";
    let mut desk =
        place.desk(&format!("[stir.trunk.\"sip.carrier.test\"]\nkey = \"key.pem\"\nx5u = \"{own}\""));
    assert_eq!(signed(&mut desk, CALLED, None, NOW), None, "a trunk without a signer");
    let trunk = sip_core::ua::Trunk::new(
        TrunkId(1),
        "192.0.2.9:5060".parse::<std::net::SocketAddr>().unwrap(),
        "SIP.carrier.test",
    );
    desk.sign(&mut Command::PutTrunk(Box::new(trunk)), NOW, || [0; 16]);
    assert!(signed(&mut desk, CALLED, None, NOW).unwrap().contains(own));
    desk.sign(&mut Command::RemoveTrunk(TrunkId(1)), NOW, || [0; 16]);
    assert_eq!(signed(&mut desk, CALLED, None, NOW), None);
}

#[tokio::test]
async fn a_call_waits_for_its_certificate_and_is_forgotten_if_it_ends_meanwhile() {
    let place = Place::new("waits");
    let x5u = "https://certificates.example.org/fetched.pem";
    let identity = signed(&mut place.both("key.pem", x5u), CALLED, Some(Attestation::Partial), NOW).unwrap();
    let mut desk = place.both("key.pem", X5U);
    let carrier =
        WebhookCarrier::new(Default::default(), Arc::new(crate::webhook_sender::SystemResolver)).unwrap();
    desk.fetcher = Some(Arc::new(carrier));
    for number in [1, 2] {
        assert_eq!(desk.take(incoming(number, Origin::TrustedPeer, vec![identity.clone()]), NOW), None);
    }
    let gone = Event::Ended { session: SessionId::Incoming(2), cause: EndCause::RemoteCancel };
    assert_eq!(desk.take(gone, NOW), None, "nobody has heard of it");
    let pem = std::fs::read(place.0.join("trust/signers/acme.pem")).unwrap();
    let brought = |number, pem: Option<&Vec<u8>>| Brought {
        session: SessionId::Incoming(number),
        x5u: x5u.into(),
        pem: pem.cloned(),
    };
    assert_eq!(desk.judge(brought(2, Some(&pem)), NOW), None);
    let Some(Event::Incoming(invite)) = desk.judge(brought(1, Some(&pem)), NOW) else { panic!() };
    assert_eq!(invite.verstat, Some(Verstat::Passed(Attestation::Partial)));
    assert_eq!(verstat(&mut desk, NOW, vec![identity]), invite.verstat, "and from now on at once");
    let key = PrivatePkcs8KeyDer::from_pem_file(place.0.join("key.pem")).unwrap();
    let mut plain = place.both("key.pem", X5U);
    plain.general = Signer::new(key.secret_pkcs8_der(), "http://certificates.example.org/plain.pem").ok();
    let plain = signed(&mut plain, CALLED, None, NOW).unwrap();
    assert_eq!(verstat(&mut desk, NOW, vec![plain]), Some(Verstat::NotValidated), "by HTTPS or not at all");
    let day = UnixMillis(NOW.0 + 25 * 3_600_000);
    let later = signed(&mut place.both("key.pem", x5u), CALLED, None, day).unwrap();
    assert_eq!(desk.take(incoming(3, Origin::TrustedPeer, vec![later]), day), None, "until it is too old");
    let Some(Event::Incoming(invite)) = desk.judge(brought(3, None), day) else { panic!() };
    assert_eq!(invite.verstat, Some(Verstat::NotValidated), "it could not be had");
}
