//! The torture suite of this repository: one message per section of RFC 3261 (and of those it leans on), written for
//! these tests alone. Each says which rule it bends, and what has to come of it.

use bytes::Bytes;
use sip_core::message::header::{Contact, Expires, RecordRoute, RetryAfter, Route, Via};
use sip_core::message::{HeaderName, Limits, Message, Received, Request, read, session_description};
use sip_core::ua::Command;

use crate::support::*;

const STRANGER: &str = "203.0.113.77:5060";

/// What has to come of a message.
#[derive(Clone, Copy)]
enum Wanted {
    /// It is read, and this holds.
    Read(fn(&Seen) -> bool),
    /// A user agent that knows nobody answers so.
    Status(u16),
    /// Nothing comes of it.
    Silence,
}

use Wanted::{Read, Silence, Status};

/// A request that was read.
struct Seen(Received<Request>);

impl Seen {
    fn value(&self, name: &str) -> String {
        let name = HeaderName::parse(name).unwrap();
        self.0.message.headers.first(&name).map(|value| value.text().into_owned()).unwrap_or_default()
    }

    fn uri(&self) -> String {
        self.0.message.uri.to_string()
    }

    fn display(&self) -> String {
        self.0.essential.from.0.display.clone().unwrap_or_default()
    }

    fn contacts(&self) -> Vec<Contact> {
        self.0.message.headers.typed_list::<Contact>().unwrap()
    }

    fn body(&self) -> &[u8] {
        &self.0.message.body
    }
}

/// The plain message that the cases bend: each swap replaces one piece of it, which must be there.
fn bent(swaps: &[(&str, &str)]) -> String {
    let mut text = "OPTIONS sip:desk@acme.test SIP/2.0\r\nVia: SIP/2.0/UDP edge.test:5060;branch=z9hG4bKbent\r\n\
                    Max-Forwards: 9\r\nFrom: \"Vera\" <sip:vera@edge.test>;tag=v1\r\nTo: <sip:desk@acme.test>\r\n\
                    Call-ID: bent-1@edge.test\r\nCSeq: 41 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        .to_owned();
    for (from, to) in swaps {
        assert!(text.contains(from), "{from} is not in {text}");
        text = text.replacen(from, to, 1);
    }
    text
}

/// The plain message with further header fields.
fn more(fields: &str) -> String {
    bent(&[("Content-Length", &format!("{fields}\r\nContent-Length"))])
}

fn refused(swaps: &[(&str, &str)]) -> (String, Wanted) {
    (bent(swaps), Status(400))
}

fn check(section: &str, rule: &str, text: &str, wanted: Wanted) {
    let mut network = Network::gateway();
    network.command(GATEWAY, Command::PutDevice(account("103a", "acme.test", "103a-secret")));
    network.send(STRANGER, text);
    let answers = network.take(STRANGER);
    let status = answers.first().map(|answer| answer.split(' ').nth(1).unwrap().parse::<u16>().unwrap());
    let words = format!("{section}, {rule}: {text:?} got {answers:?}");
    match wanted {
        Read(holds) => {
            let received = read(&Bytes::copy_from_slice(text.as_bytes()), &Limits::default());
            let received = received.unwrap_or_else(|error| panic!("{words}: {error}"));
            let Message::Request(message) = received.message else { panic!("{words}") };
            assert!(holds(&Seen(Received { message, essential: received.essential })), "{words}");
            assert!(status.is_some_and(|status| status != 400), "{words}");
        }
        Status(expected) => assert_eq!(status, Some(expected), "{words}"),
        Silence => assert_eq!(status, None, "{words}"),
    }
    network.send(STRANGER, &bent(&[("z9hG4bKbent", "z9hG4bKafter")]));
    assert_eq!(network.take(STRANGER).len(), 1, "{words}: it lives");
    network.run_until_idle();
}

fn check_all(cases: Vec<(&str, &str, (String, Wanted))>) {
    for (section, rule, (text, wanted)) in cases {
        check(section, rule, &text, wanted);
    }
}

#[test]
fn d23_start_lines_and_versions_sections_7_1_to_7_2() {
    check_all(vec![
        ("7.1", "methods are any token", (bent(&[("OPTIONS sip", "V3R1FY+~ sip"), ("41 OPTIONS", "41 V3R1FY+~")]), Status(501))),
        ("7.1", "methods differ by case", (bent(&[("OPTIONS sip", "options sip"), ("41 OPTIONS", "41 options")]), Status(501))),
        ("7.1", "one space, no tab, between the parts", refused(&[("OPTIONS sip", "OPTIONS\tsip")])),
        ("7.1", "no bare URI without version", refused(&[(" SIP/2.0\r\nVia", "\r\nVia")])),
        ("7.1", "the version has no leading zero", (bent(&[("SIP/2.0\r\nVia", "SIP/02.0\r\nVia")]), Status(505))),
        ("7.1", "the version compares without case", (bent(&[("SIP/2.0\r\nVia", "sip/2.0\r\nVia")]), Status(200))),
        ("7.1", "another protocol is none of ours", (bent(&[("SIP/2.0\r\nVia", "HTTP/1.1\r\nVia")]), Status(400))),
        ("7.2", "a response that nobody waits for", ("SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\nCall-ID: r\r\nCSeq: 1 INVITE\r\n\r\n".into(), Silence)),
        ("7.2", "a status of two digits", ("SIP/2.0 20 OK\r\nVia: SIP/2.0/UDP h\r\n\r\n".into(), Silence)),
    ]);
}

#[test]
fn d23_header_lines_section_7_3() {
    check_all(vec![
        (
            "7.3.1",
            "white space before and after the colon",
            (
                bent(&[("Call-ID: bent", "Call-ID \t : \t bent")]),
                Read(|seen| seen.0.essential.call_id == "bent-1@edge.test"),
            ),
        ),
        (
            "7.3.1",
            "no white space at all",
            (bent(&[("Call-ID: ", "Call-ID:"), ("To: ", "To:")]), Status(200)),
        ),
        (
            "7.3.1",
            "a value folded before its first word",
            (
                more("Subject:\r\n lunch\r\n \t at noon"),
                Read(|seen| seen.value("Subject") == "lunch at noon"),
            ),
        ),
        (
            "7.3.1",
            "a line of blanks continues the value",
            (
                more("Subject: a\r\n \r\n b"),
                Read(|seen| seen.value("Subject").split_whitespace().eq(["a", "b"])),
            ),
        ),
        (
            "7.3.1",
            "a first line that continues nothing: its Via is none",
            (bent(&[("Via: SIP", " Via: SIP")]), Silence),
        ),
        ("7.3.1", "a name is a token", refused(&[("Max-Forwards: 9", "Max Forwards: 9")])),
        ("7.3.1", "a line has a name", refused(&[("Max-Forwards: 9", ": 9")])),
        ("7.3.1", "a line has a colon", refused(&[("Max-Forwards: 9", "Max-Forwards 9")])),
        (
            "7.3.1",
            "names without case",
            (bent(&[("Call-ID", "cALL-iD"), ("CSeq", "CSEQ"), ("Via", "vIa")]), Status(200)),
        ),
        ("7.3.1", "unknown fields are ignored", (more("Zeitgeist: ;;,,\"<>@"), Status(200))),
        ("7.3.1", "an empty value", (more("Subject:"), Read(|seen| seen.value("Subject").is_empty()))),
        (
            "7.3.3",
            "compact forms",
            (
                bent(&[
                    ("Via:", "v:"),
                    ("From:", "f:"),
                    ("To:", "t:"),
                    ("Call-ID:", "i:"),
                    ("Content-Length:", "l:"),
                ]),
                Read(|seen| seen.0.essential.call_id == "bent-1@edge.test"),
            ),
        ),
        ("7.3.3", "both forms of a single field are two", (more("i: other@edge.test"), Status(400))),
        (
            "7.3.1",
            "one list over several lines and forms",
            (
                more("m: <sip:a@h1>;q=0.1\r\nContact: <sip:b@h2>, \"C, D\" <sip:c@h3>"),
                Read(|seen| seen.contacts().len() == 3),
            ),
        ),
    ]);
}

#[test]
fn d23_bodies_and_framing_sections_7_4_to_7_5_and_18_3() {
    let with_body = |kind: &str, body: &str| {
        let length = format!("{kind}Content-Length: {}\r\n\r\n{body}", body.len());
        bent(&[("Content-Length: 0\r\n\r\n", &length)])
    };
    check_all(vec![
        (
            "7.4.1",
            "a body of any bytes",
            (
                with_body("Content-Type: application/octet-stream\r\n", "\0\r\n\r\n\u{ff}SIP/2.0"),
                Read(|seen| seen.body().starts_with(b"\0\r\n\r\n") && seen.body().ends_with(b"SIP/2.0")),
            ),
        ),
        (
            "7.4.1",
            "a part of a multipart body is the description",
            (
                with_body(
                    "Content-Type: multipart/mixed; boundary=\"=+b\"\r\n",
                    "--=+b\r\n\r\nhello\r\n--=+b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--=+b--\r\n",
                ),
                Read(|seen| {
                    session_description(&seen.0.message.headers, &seen.0.message.body)
                        .is_ok_and(|body| &body[..] == b"v=0")
                }),
            ),
        ),
        ("7.5", "line ends before the start line", (format!("\r\n\r\n\r\n{}", bent(&[])), Status(200))),
        ("7.5", "a bare LF is no line end", refused(&[("Max-Forwards: 9\r\n", "Max-Forwards: 9\n")])),
        ("7.5", "a bare CR is no line end", refused(&[("Max-Forwards: 9\r\n", "Max-Forwards: 9\r")])),
        (
            "18.3",
            "bytes behind the body are thrown away",
            (format!("{}BYE sip:x@y SIP/2.0\r\n\r\n", bent(&[])), Read(|seen| seen.body().is_empty())),
        ),
        (
            "18.3",
            "without a length the datagram ends the body",
            (
                bent(&[("Content-Length: 0\r\n\r\n", "\r\nall of this")]),
                Read(|seen| seen.body() == b"all of this"),
            ),
        ),
        ("18.3", "a length that is not there", refused(&[("Content-Length: 0", "Content-Length: 1")])),
        ("18.3", "a length in hexadecimal", refused(&[("Content-Length: 0", "Content-Length: 0x0")])),
        (
            "20.14",
            "two equal lengths are still two",
            refused(&[("Content-Length: 0", "Content-Length: 0\r\nl: 0")]),
        ),
        (
            "20.14",
            "a length with leading zeros",
            (bent(&[("Content-Length: 0", "Content-Length: 0000000000")]), Status(200)),
        ),
        (
            "7.3.1",
            "a header section that does not end",
            (bent(&[("Content-Length: 0\r\n\r\n", "Content-Length: 0\r\n")]), Status(400)),
        ),
    ]);
}

#[test]
fn d23_uris_section_19_and_rfc_3966() {
    let uri = |uri: &str| bent(&[("sip:desk@acme.test SIP", &format!("{uri} SIP"))]);
    check_all(vec![
        (
            "19.1.1",
            "a user with its own parameters and a password",
            (
                uri("sip:d;x=1/y?z:pa&ss@acme.test:5060;transport=udp"),
                Read(|seen| seen.uri() == "sip:d;x=1/y?z:pa&ss@acme.test:5060;transport=udp"),
            ),
        ),
        (
            "19.1.1",
            "escapes stay as they are",
            (
                uri("sip:%64esk%3B%40x@acme.test"),
                Read(|seen| {
                    seen.uri().contains("%64esk%3B%40x") && seen.0.message.uri.user_text() == "desk;@x"
                }),
            ),
        ),
        (
            "19.1.1",
            "parameters of any name",
            (uri("sip:acme.test;maddr=[2001:db8::1];ttl=15;Newest=%09;lr"), Status(200)),
        ),
        (
            "19.1.1",
            "header fields behind the question mark",
            (uri("sip:desk@acme.test?subject=a%20b&priority=urgent"), Status(200)),
        ),
        ("19.1.1", "a port above 65535", (uri("sip:desk@acme.test:65536"), Status(400))),
        ("19.1.1", "two at signs", (uri("sip:a@b@acme.test"), Status(400))),
        ("19.1.1", "nothing before the at sign", (uri("sip:@acme.test"), Status(400))),
        ("19.1.1", "nothing behind the at sign", (uri("sip:desk@"), Status(400))),
        ("19.1.2", "a quote must be escaped", (uri("sip:de\"sk@acme.test"), Status(400))),
        (
            "19.1.4",
            "hosts and schemes without case",
            (uri("SIP:desk@ACME.Test"), Read(|seen| seen.uri() == "sip:desk@acme.test")),
        ),
        ("19.1.5", "another scheme", (uri("mailto:desk@acme.test"), Status(416))),
        (
            "19.1.6",
            "a telephone number",
            (uri("tel:+1-(202)-555.0100;ext=3"), Read(|seen| seen.uri() == "tel:+1-(202)-555.0100;ext=3")),
        ),
        ("3966.3", "a telephone number without digits", (uri("tel:;ext=3"), Status(400))),
        ("19.1.1", "no scheme", (uri("desk.acme.test"), Status(400))),
    ]);
}

#[test]
fn d23_addresses_of_ipv6_and_the_themes_of_rfc_5118() {
    check_all(vec![
        (
            "5118.4.1",
            "an address as the target",
            (
                bent(&[("sip:desk@acme.test SIP", "sip:desk@[2001:DB8::a:1]:5062 SIP")]),
                Read(|seen| seen.uri() == "sip:desk@[2001:db8::a:1]:5062"),
            ),
        ),
        (
            "5118.4.2",
            "an address without brackets",
            (bent(&[("sip:desk@acme.test SIP", "sip:desk@2001:db8::a:1 SIP")]), Status(400)),
        ),
        (
            "5118.4.3",
            "what looks like a port inside",
            (
                bent(&[("sip:desk@acme.test SIP", "sip:desk@[2001:db8::1:5062] SIP")]),
                Read(|seen| seen.0.message.uri.as_sip().is_some_and(|uri| uri.port.is_none())),
            ),
        ),
        (
            "5118.4.5",
            "received with and without brackets",
            (bent(&[("branch=", "received=[2001:db8::2];x=2001:db8::3;branch=")]), Status(200)),
        ),
        (
            "5118.4.6",
            "an address of IPv4 inside",
            (
                bent(&[("edge.test:5060", "[::ffff:192.0.2.7]:5060")]),
                Read(|seen| seen.0.essential.via.sent_by().ends_with("]:5060")),
            ),
        ),
        (
            "5118.4.10",
            "the third colon of the old grammar",
            (bent(&[("edge.test:5060", "[2001:db8:::1]:5060")]), Status(200)),
        ),
        ("25.1", "a bracket left open", refused(&[("edge.test:5060", "[2001:db8::1:5060")])),
        (
            "25.1",
            "a zone has no place in an address",
            refused(&[("edge.test:5060", "[fe80::1%25eth0]:5060")]),
        ),
    ]);
}

#[test]
fn d23_the_fields_every_request_has_sections_8_1_1_and_20() {
    check_all(vec![
        ("8.1.1", "no To", refused(&[("To: <sip:desk@acme.test>\r\n", "")])),
        ("8.1.1", "no CSeq", refused(&[("CSeq: 41 OPTIONS\r\n", "")])),
        ("8.1.1", "no Call-ID", refused(&[("Call-ID: bent-1@edge.test\r\n", "")])),
        (
            "8.1.1.7",
            "no Via: nobody to answer",
            (bent(&[("Via: SIP/2.0/UDP edge.test:5060;branch=z9hG4bKbent\r\n", "")]), Silence),
        ),
        ("20.8", "a Call-ID is one word", refused(&[("bent-1@edge.test", "bent 1@edge.test")])),
        (
            "20.10",
            "without brackets the parameters are the field's",
            (more("Contact: sip:a@h;expires=7"), Read(|seen| seen.contacts()[0].expires() == Some(7))),
        ),
        ("20.16", "a CSeq of 2^31", refused(&[("CSeq: 41", "CSeq: 2147483648")])),
        ("20.16", "the CSeq of another method", refused(&[("41 OPTIONS", "41 REGISTER")])),
        (
            "20.19",
            "an expiry beyond all numbers",
            (more("Expires: 99999999999"), Read(|seen| seen.0.message.headers.typed::<Expires>().is_ok())),
        ),
        (
            "20.20",
            "a quoted name with every escape",
            (bent(&[("\"Vera\"", "\"V\\\\e\\\"r, <a>\"")]), Read(|seen| seen.display() == "V\\e\"r, <a>")),
        ),
        (
            "20.20",
            "a name of several words",
            (bent(&[("\"Vera\" <", "Vera of Edge <")]), Read(|seen| seen.display() == "Vera of Edge")),
        ),
        (
            "20.20",
            "a name in another script",
            (bent(&[("\"Vera\"", "\"Véra 雪\"")]), Read(|seen| seen.display() == "Véra 雪")),
        ),
        ("20.20", "a comma outside quotes", refused(&[("\"Vera\" <", "Vera, Edge <")])),
        ("20.20", "a quote left open", refused(&[("\"Vera\"", "\"Vera")])),
        (
            "20.22",
            "the last hop answers itself",
            (bent(&[("Max-Forwards: 9", "Max-Forwards: 0")]), Status(200)),
        ),
        (
            "20.30",
            "a loose route and a strict one",
            (
                more("Route: <sip:p1.test;lr>, <sip:p2.test>\r\nRecord-Route: \"p,3\" <sip:p3.test;lr>;x"),
                Read(|seen| {
                    let headers = &seen.0.message.headers;
                    headers.typed_list::<Route>().unwrap().len() == 2
                        && headers.typed_list::<RecordRoute>().unwrap().len() == 1
                }),
            ),
        ),
        ("20.32", "an extension nobody has", (more("Require: telepathy"), Status(420))),
        (
            "20.33",
            "a time with a comment",
            (
                more("Retry-After: 120 (in a meeting) ;duration=60"),
                Read(|seen| seen.0.message.headers.typed::<RetryAfter>().is_ok()),
            ),
        ),
        (
            "20.42",
            "several hops in one line",
            (
                bent(&[("Via: SIP", "Via: SIP / 2.0 / TLS p.test ;branch=z9hG4bKp;x=\"a,b\" , SIP")]),
                Read(|seen| {
                    seen.0.message.headers.typed_list::<Via>().unwrap().len() == 2
                        && seen.0.essential.via.transport == "TLS"
                }),
            ),
        ),
        ("20.42", "a hop of another version", refused(&[("Via: SIP/2.0", "Via: SIP/3.0")])),
        (
            "8.2.2.1",
            "a REGISTER for an address that is none of SIP",
            (
                bent(&[
                    ("OPTIONS sip:desk@", "REGISTER sip:"),
                    ("41 OPTIONS", "41 REGISTER"),
                    ("To: <sip:desk@acme.test>", "To: <tel:+12025550100>"),
                ]),
                Status(400),
            ),
        ),
        (
            "21.4.7",
            "an INVITE whose caller reads no descriptions",
            (
                bent(&[
                    ("OPTIONS sip", "INVITE sip"),
                    ("41 OPTIONS", "41 INVITE"),
                    ("Content-Length", "Accept: text/html;level=1\r\nContent-Length"),
                ]),
                Status(406),
            ),
        ),
        (
            "20.1",
            "an INVITE whose caller reads everything",
            (
                bent(&[
                    ("OPTIONS sip", "INVITE sip"),
                    ("41 OPTIONS", "41 INVITE"),
                    ("Content-Length", "Accept: text/html, */*;q=0.1\r\nContent-Length"),
                ]),
                Status(401),
            ),
        ),
        ("25.1", "a NUL is nowhere allowed", refused(&[("Max-Forwards: 9", "Max-Forwards: 9\0")])),
        ("25.1", "a semicolon with nothing behind it", refused(&[("tag=v1", "tag=v1;;")])),
    ]);
}
