use super::*;

const NOW: Duration = Duration::ZERO;

struct Dns {
    base: Instant,
    locator: Locator,
    asked: Vec<String>,
}

fn dns() -> Dns {
    let transports = vec![Transport::Udp, Transport::Tcp, Transport::Tls];
    Dns { base: Instant::now(), locator: Locator::new(transports, true, false, [7; 32]), asked: Vec::new() }
}

fn domain(name: &str) -> Destination {
    Destination { host: Host::Name(name.into()), port: None, transport: None, secure: false }
}

fn srv(priority: u16, weight: u16, port: u16, target: &str) -> Record {
    Record::Srv { priority, weight, port, target: target.into() }
}

fn naptr(order: u16, services: &str, replacement: &str) -> Record {
    let (flags, services, replacement) = ("s".into(), services.into(), replacement.into());
    Record::Naptr { order, preference: 10, flags, services, replacement }
}

fn address(text: &str) -> Record {
    Record::Address(text.parse().unwrap())
}

impl Dns {
    /// Asks; what is missing is answered from the zone, and nothing else exists.
    fn find(
        &mut self,
        after: Duration,
        destination: &Destination,
        zone: &[(&str, RecordKind, Vec<Record>)],
    ) -> Located {
        for _ in 0..8 {
            let located = self.locator.locate(self.base + after, destination);
            let mut questions = 0;
            while let Some(question) = self.locator.poll_question() {
                questions += 1;
                self.asked.push(format!("{:?} {}", question.kind, question.name));
                let found =
                    zone.iter().find(|(name, kind, _)| *name == question.name && *kind == question.kind);
                let records = found.map(|(.., records)| records.clone()).unwrap_or_default();
                let answer = Ok(Answer { records, ttl: Duration::from_secs(60) });
                self.locator.handle_answer(self.base + after, &question, answer);
            }
            if questions == 0 {
                return located;
            }
        }
        panic!("asks for ever");
    }
}

fn targets(located: &Located) -> Vec<String> {
    let Located::Targets(targets) = located else { panic!("{located:?}") };
    targets.iter().map(|target| format!("{} {}", target.transport, target.address)).collect()
}

#[test]
fn an_address_needs_no_name_server() {
    let mut dns = dns();
    let destination =
        Destination { host: Host::parse("192.0.2.1").unwrap(), port: None, transport: None, secure: false };
    assert_eq!(targets(&dns.find(NOW, &destination, &[])), ["udp 192.0.2.1:5060"]);
    let secure = Destination { secure: true, ..destination.clone() };
    assert_eq!(targets(&dns.find(NOW, &secure, &[])), ["tls 192.0.2.1:5061"]);
    let named = Destination { transport: Some(Transport::Tcp), port: Some(5070), ..destination };
    assert_eq!(targets(&dns.find(NOW, &named, &[])), ["tcp 192.0.2.1:5070"]);
    assert_eq!(dns.asked, Vec::<String>::new());
}

#[test]
fn a_name_with_a_port_is_a_host() {
    let mut dns = dns();
    let destination = Destination { port: Some(5080), ..domain("Sip.Example.com") };
    let zone = [("sip.example.com", RecordKind::A, vec![address("192.0.2.1"), address("192.0.2.2")])];
    assert_eq!(targets(&dns.find(NOW, &destination, &zone)), ["udp 192.0.2.1:5080", "udp 192.0.2.2:5080"]);
    assert_eq!(dns.asked, ["A sip.example.com"]);
}

#[test]
fn naptr_srv_and_addresses_in_their_order() {
    let mut dns = dns();
    let zone = [
        (
            "example.com",
            RecordKind::Naptr,
            vec![
                naptr(50, "SIPS+D2T", "_sips._tcp.example.com."),
                naptr(90, "SIP+D2U", "_sip._udp.example.com."),
                naptr(10, "SIP+D2S", "_sip._sctp.example.com."),
            ],
        ),
        (
            "_sips._tcp.example.com",
            RecordKind::Srv,
            vec![srv(2, 0, 5061, "b.example.com"), srv(1, 0, 5071, "a.example.com")],
        ),
        (
            "_sip._udp.example.com",
            RecordKind::Srv,
            vec![srv(1, 0, 5060, "a.example.com"), srv(0, 0, 5060, ".")],
        ),
        ("a.example.com", RecordKind::A, vec![address("192.0.2.1")]),
        ("b.example.com", RecordKind::A, vec![address("192.0.2.2")]),
    ];
    let all = ["tls 192.0.2.1:5071", "tls 192.0.2.2:5061", "udp 192.0.2.1:5060"];
    assert_eq!(targets(&dns.find(NOW, &domain("example.com"), &zone)), all);
    let secure = Destination { secure: true, ..domain("example.com") };
    assert_eq!(targets(&dns.find(NOW, &secure, &zone)), all[..2]);
}

#[test]
fn without_naptr_each_service_is_asked_for_and_without_any_the_host() {
    let mut dns = dns();
    let zone = [
        ("_sip._tcp.example.com", RecordKind::Srv, vec![srv(1, 0, 5060, "a.example.com")]),
        ("a.example.com", RecordKind::A, vec![address("192.0.2.1")]),
        ("plain.test", RecordKind::A, vec![address("192.0.2.9")]),
    ];
    assert_eq!(targets(&dns.find(NOW, &domain("example.com"), &zone)), ["tcp 192.0.2.1:5060"]);
    let named = Destination { transport: Some(Transport::Tls), ..domain("plain.test") };
    assert_eq!(targets(&dns.find(NOW, &domain("plain.test"), &zone)), ["udp 192.0.2.9:5060"]);
    assert_eq!(targets(&dns.find(NOW, &named, &zone)), ["tls 192.0.2.9:5061"]);
    assert_eq!(dns.find(NOW, &domain("nowhere.test"), &zone), Located::Nothing);
}

#[test]
fn weights_are_shares_of_the_calls() {
    let mut dns = dns();
    let zone = [
        (
            "_sip._udp.example.com",
            RecordKind::Srv,
            vec![
                srv(1, 75, 5060, "a.example.com"),
                srv(1, 25, 5060, "b.example.com"),
                srv(2, 0, 5060, "c.example.com"),
            ],
        ),
        ("a.example.com", RecordKind::A, vec![address("192.0.2.1")]),
        ("b.example.com", RecordKind::A, vec![address("192.0.2.2")]),
        ("c.example.com", RecordKind::A, vec![address("192.0.2.3")]),
    ];
    let mut first = 0;
    for _ in 0..1_000 {
        let found = targets(&dns.find(NOW, &domain("example.com"), &zone));
        assert_eq!((found.len(), found[2].as_str()), (3, "udp 192.0.2.3:5060"));
        first += usize::from(found[0] == "udp 192.0.2.1:5060");
    }
    assert!((700..800).contains(&first), "{first}");
}

#[test]
fn f13_an_old_answer_is_used_until_there_is_a_newer_one() {
    let mut dns = dns();
    let host = Destination { port: Some(5060), ..domain("a.test") };
    let zone = |last: &str| [("a.test", RecordKind::A, vec![address(last)])];
    assert_eq!(targets(&dns.find(NOW, &host, &zone("192.0.2.1"))), ["udp 192.0.2.1:5060"]);
    let later = Duration::from_secs(100);
    // The name server is slow: one question, and the old answer meanwhile.
    for _ in 0..3 {
        let found = dns.locator.locate(dns.base + later, &host);
        assert_eq!(targets(&found), ["udp 192.0.2.1:5060"]);
    }
    let question = dns.locator.poll_question().unwrap();
    assert_eq!(dns.locator.poll_question(), None);
    // It fails: not asked again at once, and still the old answer.
    dns.locator.handle_answer(dns.base + later, &question, Err(LookupFailed));
    assert_eq!(targets(&dns.locator.locate(dns.base + later, &host)), ["udp 192.0.2.1:5060"]);
    assert_eq!(dns.locator.poll_question(), None);
    // It has changed.
    let later = later + FAILURE_LASTS;
    assert_eq!(targets(&dns.find(later, &host, &zone("192.0.2.2"))), ["udp 192.0.2.2:5060"]);
}

#[test]
fn f13_a_name_server_that_fails_or_never_answers_is_asked_again() {
    let mut dns = dns();
    let host = Destination { port: Some(5060), ..domain("a.test") };
    assert_eq!(dns.locator.locate(dns.base, &host), Located::Waiting);
    let question = dns.locator.poll_question().unwrap();
    assert_eq!(dns.locator.locate(dns.base + PATIENCE / 2, &host), Located::Waiting);
    assert_eq!(dns.locator.poll_question(), None);
    assert_eq!(dns.locator.locate(dns.base + PATIENCE, &host), Located::Waiting);
    assert_eq!(dns.locator.poll_question(), Some(question.clone()));
    dns.locator.handle_answer(dns.base + PATIENCE, &question, Err(LookupFailed));
    assert_eq!(dns.locator.locate(dns.base + PATIENCE, &host), Located::Nothing);
    let zone = [("a.test", RecordKind::A, vec![address("192.0.2.1")])];
    assert_eq!(targets(&dns.find(PATIENCE + FAILURE_LASTS, &host, &zone)), ["udp 192.0.2.1:5060"]);
}

#[test]
fn no_answer_makes_us_hold_more_than_the_limits() {
    let mut dns = dns();
    let many = (0..1_000).map(|port| srv(1, 1, port, &format!("h{port}.test"))).collect();
    let zone = [("_sip._udp.many.test", RecordKind::Srv, many)];
    dns.find(NOW, &domain("many.test"), &zone);
    assert!(dns.asked.len() < 2 * MOST_RECORDS, "{}", dns.asked.len());
    for name in 0..2 * MOST_QUESTIONS {
        let host = Destination { port: Some(1), ..domain(&format!("n{name}.test")) };
        dns.locator.locate(dns.base, &host);
        while dns.locator.poll_question().is_some() {}
    }
    assert!(dns.locator.entries.len() <= MOST_QUESTIONS);
}
