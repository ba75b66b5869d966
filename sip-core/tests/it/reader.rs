//! The reader by tables: what it takes, what it refuses, and what it answers.

use bytes::Bytes;
use sip_core::message::header::{Contact, Expires, MaxForwards, Route, Via};
use sip_core::message::{Answer, HeaderName, Limits, Message, Method, ReadErrorKind, Received, read};

const ESSENTIAL: &str = "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n\
                         Call-ID: c1\r\nCSeq: 1 OPTIONS\r\n";

fn read_text(text: impl AsRef<[u8]>) -> Result<Received<Message>, sip_core::message::ReadError> {
    read(&Bytes::copy_from_slice(text.as_ref()), &Limits::default())
}

fn options(more: &str) -> String {
    format!("OPTIONS sip:b@h SIP/2.0\r\n{ESSENTIAL}{more}\r\n")
}

fn request(text: impl AsRef<[u8]>) -> sip_core::message::Request {
    match read_text(text).unwrap().message {
        Message::Request(request) => request,
        Message::Response(_) => panic!("a response"),
    }
}

#[test]
fn compact_names_folding_and_odd_white_space_are_the_same_message() {
    let compact = "OPTIONS sip:b@h SIP/2.0\r\nv:SIP / 2.0 /UDP\r\n\th ;branch=z9hG4bK1\r\nF  : <sip:a@h>\r\n  ;tag=1\r\n\
                   T\t:\t<sip:b@h>\r\ni: c1 \r\ncSeQ: 0001\r\n \r\n OPTIONS\r\nL: 0\r\n\r\n";
    let folded = read_text(compact).unwrap();
    let plain = read_text(options("")).unwrap();
    assert_eq!(folded.essential, plain.essential);
}

#[test]
fn every_compact_form_is_known() {
    for (compact, name) in [
        ("v", HeaderName::Via),
        ("f", HeaderName::From),
        ("t", HeaderName::To),
        ("i", HeaderName::CallId),
        ("m", HeaderName::Contact),
        ("c", HeaderName::ContentType),
        ("l", HeaderName::ContentLength),
        ("e", HeaderName::ContentEncoding),
        ("s", HeaderName::Subject),
        ("k", HeaderName::Supported),
        ("u", HeaderName::AllowEvents),
        ("o", HeaderName::Event),
        ("r", HeaderName::ReferTo),
        ("b", HeaderName::ReferredBy),
        ("x", HeaderName::SessionExpires),
    ] {
        assert_eq!(HeaderName::parse(compact), Some(name.clone()));
        assert_eq!(HeaderName::parse(&compact.to_uppercase()), Some(name.clone()));
        assert_eq!(HeaderName::parse(&name.as_str().to_uppercase()), Some(name));
    }
    assert_eq!(HeaderName::parse("X-Foo"), HeaderName::parse("x-fOO"));
    assert_eq!(HeaderName::parse("no token"), None);
}

#[test]
fn values_may_be_listed_on_one_line_or_on_several() {
    let text = options(
        "Contact: \"A, B\" <sip:a@h>;q=0.5, <sip:b@h>\r\nm: sip:c@h\r\nRoute: <sip:p1;lr>,<sip:p2,x@h;lr>\r\n\
         Via: SIP/2.0/TCP h2, SIP/2.0/UDP h3\r\n",
    );
    let received = read_text(text).unwrap();
    assert_eq!(received.essential.via_count, 3);
    let Message::Request(request) = received.message else { panic!() };
    assert_eq!(request.headers.typed_list::<Contact>().unwrap().len(), 3);
    assert_eq!(request.headers.typed_list::<Route>().unwrap().len(), 2);
    assert_eq!(request.headers.typed_list::<Via>().unwrap()[2].to_string(), "SIP/2.0/UDP h3");
}

#[test]
fn bodies_end_where_content_length_or_the_datagram_says() {
    for (length, body) in
        [("", "12345\r\n6"), ("Content-Length: 3\r\n", "123"), ("l: 0\r\n", ""), ("l:8\r\n", "12345\r\n6")]
    {
        assert_eq!(request(format!("{}12345\r\n6", options(length))).body, body);
    }
}

#[test]
fn any_byte_may_stand_in_values_and_bodies() {
    let mut bytes = options("Subject: caf\u{e9} ").into_bytes();
    bytes.truncate(bytes.len() - 2);
    bytes.extend(b"\xff\xfe \x01\x7f \\\x00\r\n\r\n\x00\xff");
    let request = request(&bytes);
    assert!(
        request
            .headers
            .first(&HeaderName::Subject)
            .unwrap()
            .as_bytes()
            .ends_with(b"\xff\xfe \x01\x7f \\\x00")
    );
    assert_eq!(request.body.as_ref(), b"\x00\xff");
}

#[test]
fn start_lines_read() {
    for (line, method) in [
        ("OPTIONS sip:b@h SIP/2.0", Method::Options),
        ("\r\n\r\nOPTIONS sip:b@h sip/2.0  ", Method::Options),
        ("OPTIONS tel:+12025550100 SIP/2.0", Method::Options),
        ("OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0", Method::Options),
        ("OPTIONS sip:[2001:db8::1]:5060;transport=udp SIP/2.0", Method::Options),
    ] {
        assert_eq!(request(format!("{line}\r\n{ESSENTIAL}\r\n")).method, method, "{line}");
    }
    for (line, status, reason) in [
        ("SIP/2.0 200 OK", 200, "OK"),
        ("SIP/2.0 100 ", 100, ""),
        ("SIP/2.0 486", 486, ""),
        ("SIP/2.0 699  a  b ", 699, "a  b"),
    ] {
        let Message::Response(response) = read_text(format!("{line}\r\n{ESSENTIAL}\r\n")).unwrap().message
        else {
            panic!()
        };
        assert_eq!((response.status, response.reason.as_str()), (status, reason));
    }
}

#[test]
fn malformed_messages_are_refused_with_the_right_answer() {
    use ReadErrorKind as Kind;
    let is = |text: String, kind: fn(&Kind) -> bool, status: Option<u16>| {
        let error = read_text(&text).unwrap_err();
        assert!(kind(&error.kind), "{text:?}: {error:?}");
        let answer = match &error.answer {
            Answer::Drop => None,
            Answer::Reject(rejection) => Some(rejection.status),
        };
        assert_eq!(answer, status, "{text:?}: {error}");
    };
    let line = |line: &str| format!("{line}\r\n{ESSENTIAL}\r\n");
    let swap = |from: &str, to: &str| options("").replace(from, to);
    is(String::new(), |kind| *kind == Kind::Empty, None);
    is("\r\n\r\n".into(), |kind| *kind == Kind::Empty, None);
    is("\0\0\0\0".into(), |kind| *kind == Kind::Nul, None);
    is("hello".into(), |kind| *kind == Kind::Unfinished, None);
    for bad in
        ["OPTIONS", "OPTIONS sip:b@h", "OPT IONS sip:b@h SIP/2.0", "O@ sip:b@h SIP/2.0", " sip:b@h SIP/2.0"]
    {
        is(line(bad), |kind| matches!(kind, Kind::StartLine | Kind::RequestUri(_)), Some(400));
    }
    is(line("OPTIONS sip:b@h SIP/3.0"), |kind| *kind == Kind::Version, Some(505));
    is(line("OPTIONS sip:b@h HTTP/1.1"), |kind| *kind == Kind::StartLine, Some(400));
    for bad in
        ["SIP/2.0 99 x", "SIP/2.0 1000 x", "SIP/2.0 +20 x", "SIP/2.0 700 x", "SIP/2.0", "SIP/3.0 200 OK"]
    {
        is(line(bad), |kind| matches!(kind, Kind::StartLine | Kind::Version), None);
    }
    for uri in ["<sip:b@h>", "sip:b@h; lr", " sip:b@h", "b", "sip:a@b@c", "sip:"] {
        is(line(&format!("OPTIONS {uri} SIP/2.0")), |kind| matches!(kind, Kind::RequestUri(_)), Some(400));
    }
    is(swap("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"), |kind| *kind == Kind::CSeqMethod, Some(400));
    is(line("ACK sip:b@h SIP/2.0"), |kind| *kind == Kind::CSeqMethod, None);
    is(swap("Call-ID: c1", "Call-ID: c 1"), |kind| matches!(kind, Kind::Header(_)), Some(400));
    is(
        swap("From: <sip:a@h>;tag=1", "From: \"x <sip:a@h>"),
        |kind| matches!(kind, Kind::Header(_)),
        Some(400),
    );
    is(swap("To: <sip:b@h>\r\n", ""), |kind| matches!(kind, Kind::Header(_)), Some(400));
    is(swap("Via: ", "X-Via: "), |kind| matches!(kind, Kind::Header(_)), None);
    is(swap("UDP h;", "UDP h;;"), |kind| matches!(kind, Kind::Header(_)), Some(400));
    is(options("no colon\r\n"), |kind| *kind == Kind::HeaderLine, Some(400));
    is(options("bad name: x\r\n"), |kind| *kind == Kind::HeaderLine, Some(400));
    is(options(": x\r\n"), |kind| *kind == Kind::HeaderLine, Some(400));
    is(format!("OPTIONS sip:b@h SIP/2.0\r\n{ESSENTIAL}"), |kind| *kind == Kind::Unfinished, Some(400));
}

#[test]
fn p4_smuggling_is_refused() {
    use ReadErrorKind as Kind;
    for (more, wanted) in [
        ("X: a\nY: b\r\n", Kind::BareLineEnd),
        ("X: a\rY: b\r\n", Kind::BareLineEnd),
        ("X: a\r\r\n", Kind::BareLineEnd),
        ("X: a\0b\r\n", Kind::Nul),
        ("Content-Length: 0\r\nl: 0\r\n", Kind::Duplicate("Content-Length")),
        ("From: <sip:x@h>;tag=2\r\n", Kind::Duplicate("From")),
        ("t: <sip:x@h>\r\n", Kind::Duplicate("To")),
        ("I: other\r\n", Kind::Duplicate("Call-ID")),
        ("CSeq: 2 OPTIONS\r\n", Kind::Duplicate("CSeq")),
        ("Max-Forwards: 1\r\nMax-Forwards: 2\r\n", Kind::Duplicate("Max-Forwards")),
        ("Content-Length: 1\r\n", Kind::ContentLength),
        ("Content-Length: -1\r\n", Kind::ContentLength),
        ("Content-Length: 0x0\r\n", Kind::ContentLength),
        ("Content-Length:\r\n", Kind::ContentLength),
        ("Content-Length: 99999999999999999999\r\n", Kind::ContentLength),
    ] {
        assert_eq!(read_text(options(more)).unwrap_err().kind, wanted, "{more:?}");
    }
}

#[test]
fn p3_limits_are_kept() {
    use ReadErrorKind as Kind;
    let kind = |text: String| read_text(text).unwrap_err().kind;
    assert_eq!(kind(options(&"Z: y\r\n".repeat(10_000))), Kind::HeaderLimit);
    assert_eq!(kind(options(&format!("Z: {}\r\n", "y".repeat(9_000)))), Kind::HeaderLimit);
    assert_eq!(kind(options(&format!("Z: y{}\r\n", "\r\n y".repeat(5_000)))), Kind::HeaderLimit);
    assert_eq!(kind(options(&"Via: SIP/2.0/UDP h\r\n".repeat(71))), Kind::HeaderLimit);
    let long_line = format!("OPTIONS sip:{}@h SIP/2.0\r\n{ESSENTIAL}\r\n", "b".repeat(5_000));
    assert_eq!(kind(long_line), Kind::StartLineTooLong);
    let long_body = format!("{}{}", options(""), "b".repeat(70_000));
    assert_eq!(kind(long_body), Kind::TooLong);
    // As many as a start line or header field may hold: read in no time, or refused.
    let parameters = format!("Contact: <sip:a@h>{}\r\n", ";a=b".repeat(2_000));
    assert!(request(options(&parameters)).headers.typed::<Contact>().is_ok());
}

#[test]
fn typed_fields_are_read_when_asked_for() {
    let request = request(options("Expires: many\r\nMax-Forwards: 0068\r\n"));
    assert!(request.headers.typed::<Expires>().is_err());
    assert_eq!(request.headers.typed::<MaxForwards>(), Ok(Some(MaxForwards(68))));
    let error = request.headers.typed::<Expires>().unwrap_err();
    assert_eq!(error.to_string(), "Expires: is not a number of seconds");
}

#[test]
fn the_answer_to_a_malformed_request_carries_what_was_read() {
    let text = options("").replace("CSeq: 1 OPTIONS", "CSeq: x");
    let Answer::Reject(rejection) = read_text(text).unwrap_err().answer else { panic!() };
    let names: Vec<&str> = rejection.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Via", "From", "To", "Call-ID", "CSeq"]);
}

#[test]
fn w6_a_reason_phrase_has_no_nul() {
    let text = b"SIP/2.0 486 Busy\\\0Here\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n";
    let received = read(&Bytes::from_static(text), &Limits::default()).unwrap();
    let Message::Response(response) = received.message else { panic!("it is a response") };
    assert_eq!(response.reason, "Busy\\ Here");
}
