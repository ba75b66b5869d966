//! Calendar objects read back, line by line, also with hostile texts.

use super::*;
use proptest::prelude::*;

fn when() -> When {
    When { start: UnixMillis(1_800_003_600_000), end: UnixMillis(1_800_007_200_000), rule: None, zone: None }
}

fn event<'a>(when: &'a When, summary: &'a str, name: &'a str) -> Event<'a> {
    Event {
        method: Method::Request,
        uid: "m1@acme.test",
        sequence: 2,
        stamp: UnixMillis(1_800_000_000_000),
        when,
        summary,
        description: "Join by browser: https://meet.acme.test/join/x\nMeeting number: 123 456 789",
        url: "https://meet.acme.test/join/x",
        organiser: Party { name: "Hana Hale", address: "hana@acme.test" },
        attendee: Party { name, address: "ari@acme.test" },
        alarm: Some(10),
    }
}

/// Content lines as a reader sees them: unfolded (RFC 5545 section 3.1).
fn unfolded(object: &str) -> Vec<String> {
    assert!(object.ends_with("\r\n"));
    for line in object.trim_end_matches("\r\n").split("\r\n") {
        assert!(line.len() <= LINE, "{} octets: {line}", line.len());
        assert!(!line.chars().any(|c| is_control(c)), "{line:?}");
    }
    object.replace("\r\n ", "").trim_end_matches("\r\n").split("\r\n").map(str::to_owned).collect()
}

fn names(lines: &[String]) -> Vec<&str> {
    lines.iter().map(|line| line.split([':', ';']).next().unwrap()).collect()
}

const SHAPE: [&str; 25] = [
    "BEGIN",
    "VERSION",
    "PRODID",
    "CALSCALE",
    "METHOD",
    "BEGIN",
    "UID",
    "SEQUENCE",
    "DTSTAMP",
    "DTSTART",
    "DTEND",
    "SUMMARY",
    "DESCRIPTION",
    "LOCATION",
    "URL",
    "ORGANIZER",
    "ATTENDEE",
    "STATUS",
    "TRANSP",
    "BEGIN",
    "ACTION",
    "DESCRIPTION",
    "TRIGGER",
    "END",
    "END",
];

#[test]
fn i16_the_object_has_every_property_once() {
    let when = when();
    let lines = unfolded(&write(&event(&when, "Planning; Q1, next", "Ari Arlo")));
    assert_eq!(names(&lines)[..25], SHAPE);
    for expected in [
        "METHOD:REQUEST",
        "UID:m1@acme.test",
        "SEQUENCE:2",
        "DTSTAMP:20270115T080000Z",
        "DTSTART:20270115T090000Z",
        "DTEND:20270115T100000Z",
        "SUMMARY:Planning\\; Q1\\, next",
        "URL:https://meet.acme.test/join/x",
        "ORGANIZER;CN=\"Hana Hale\":mailto:hana@acme.test",
        "STATUS:CONFIRMED",
        "TRIGGER:-PT10M",
    ] {
        assert!(lines.iter().any(|line| line == expected), "{expected} in {lines:#?}");
    }
    let cancelled = write(&Event { method: Method::Cancel, ..event(&when, "M1", "Ari") });
    assert!(cancelled.contains("METHOD:CANCEL\r\n") && cancelled.contains("STATUS:CANCELLED\r\n"));
    assert!(!cancelled.contains("VALARM"), "nothing rings for what does not happen");
}

#[test]
fn i16_a_series_names_its_zone() {
    let zone = Zone {
        name: "Europe/Berlin".to_owned(),
        block: "BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nEND:VTIMEZONE\r\n".to_owned(),
        local_start: "20270115T100000".to_owned(),
        local_end: "20270115T110000".to_owned(),
    };
    let when = When { rule: Some("FREQ=WEEKLY;BYDAY=FR\r\nX:1".to_owned()), zone: Some(zone), ..when() };
    let lines = unfolded(&write(&event(&when, "M1", "Ari")));
    assert!(lines.contains(&"DTSTART;TZID=\"Europe/Berlin\":20270115T100000".to_owned()), "{lines:#?}");
    assert!(lines.contains(&"RRULE:FREQ=WEEKLY;BYDAY=FRX1".to_owned()), "{lines:#?}");
    assert!(lines.contains(&"BEGIN:VTIMEZONE".to_owned()));
}

#[test]
fn w5_hostile_texts_make_no_line_of_their_own() {
    let when = when();
    for hostile in [
        "x\r\nATTENDEE:mailto:evil@else.test",
        "x\nMETHOD:CANCEL",
        "x\rEND:VEVENT",
        "x\u{2028}UID:2",
        "x\u{2029}UID:2",
        "x\u{85}UID:2",
        "x\0UID:2",
        "\"quoted\";ROLE=CHAIR:mailto:evil@else.test",
        "a,b;c\\n\\",
        "=?utf-8?q?x?=",
        "\u{FEFF}\u{202E}reverse",
    ] {
        let lines = unfolded(&write(&event(&when, hostile, hostile)));
        assert_eq!(names(&lines)[..25], SHAPE, "{hostile:?}");
        assert_eq!(lines.len(), 26, "{hostile:?}");
        let attendee = lines.iter().find(|line| line.starts_with("ATTENDEE")).unwrap();
        assert!(attendee.ends_with(":mailto:ari@acme.test"), "{attendee}");
        // The name is one quoted value: exactly two quotation marks in the line.
        assert_eq!(attendee.matches('"').count(), 2, "{attendee}");
    }
}

#[test]
fn dates_of_four_centuries() {
    for (at, expected) in [
        (0, "19700101T000000Z"),
        (951_782_399, "20000228T235959Z"),
        (951_782_400, "20000229T000000Z"),
        (951_868_800, "20000301T000000Z"),
        (4_107_542_399, "21000228T235959Z"),
        (4_107_542_400, "21000301T000000Z"),
        (1_800_000_000, "20270115T080000Z"),
    ] {
        assert_eq!(utc(UnixMillis(at * 1000)), expected);
    }
    assert_eq!(Civil::utc(UnixMillis(1_800_000_000_000)).weekday, 4, "15 January 2027 is a Friday");
}

proptest! {
    #[test]
    fn w5_any_text_comes_back_as_one_value(summary in any::<String>(), name in any::<String>()) {
        let when = when();
        let lines = unfolded(&write(&event(&when, &summary, &name)));
        prop_assert_eq!(lines.len(), 26);
        prop_assert_eq!(&names(&lines)[..25], &SHAPE[..]);
    }

    #[test]
    fn w5_texts_are_escaped_without_loss(plain in "[ -~äöü漢]{0,300}") {
        let escaped = text(&plain);
        let mut back = String::new();
        let mut rest = escaped.chars();
        while let Some(c) = rest.next() {
            back.push(if c == '\\' { rest.next().unwrap() } else { c });
        }
        prop_assert_eq!(back, plain);
    }
}
