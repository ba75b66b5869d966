use crate::services::invitations::itip::{CalendarReply, reply};
use crate::services::invitations::report::{Report, read};
use crate::services::views::Rsvp;
use mail_parser::MessageParser;

#[test]
fn i17_answers_of_calendars_are_read_in_their_dialects() {
    // Quoted names with colons and semicolons, folded lines, other orders, small letters.
    let outlook = "BEGIN:VCALENDAR\r\nPRODID:-//Example//Mail 16.0//EN\r\nVERSION:2.0\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\n\
        ATTENDEE;PARTSTAT=DECLINED;CN=\"Arlo; Ari: guest\":mailto:ari@acme.test\r\nCOMMENT;LANGUAGE=en-US:\\n\r\n\
        UID:i1@partyline\r\nSUMMARY;LANGUAGE=en-US:Declined: M1\r\nDTSTART:20270301T150000Z\r\nSEQUENCE:2\r\n\
        ORGANIZER;CN=Hana:mailto:replies+i0123456789abcdef0123456789abcd\r\n ef.0123456789abcdef@meet.example\r\n\
        DTSTAMP:20270101T000000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let organiser = "replies+i0123456789abcdef0123456789abcdef.0123456789abcdef@meet.example".to_owned();
    let expected = CalendarReply { organiser, rsvp: Rsvp::Declined, sequence: Some(2), one_run: false };
    assert_eq!(reply(outlook), Some(expected.clone()));
    let small = outlook.replace("METHOD:REPLY", "method:reply").replace("mailto:replies", "MAILTO:replies");
    assert_eq!(reply(&small.replace("\r\n", "\n")), Some(expected));
    let tentative = outlook.replace("DECLINED;CN", "tentative;CN");
    assert_eq!(reply(&tentative).unwrap().rsvp, Rsvp::Tentative);
    let one = outlook.replace("SEQUENCE:2", "RECURRENCE-ID:20270308T150000Z");
    assert_eq!(reply(&one).map(|reply| (reply.one_run, reply.sequence)), Some((true, None)));
    for nothing in [
        outlook.replace("METHOD:REPLY", "METHOD:REQUEST"),
        outlook.replace("PARTSTAT=DECLINED;", ""),
        outlook.replace("DECLINED", "NEEDS-ACTION"),
        outlook.replace("ORGANIZER", "X-NOBODY"),
        outlook.replace("mailto:replies", "urn:replies"),
        String::new(),
    ] {
        assert_eq!(reply(&nothing), None, "{nothing}");
    }
}

#[test]
fn i21_reports_of_mail_servers_are_read_in_their_dialects() {
    let read = |text: &str| read(&MessageParser::default().parse(text.as_bytes()).unwrap());
    let id = format!("o{}", "0a".repeat(16));
    let report = |action: &str, fields: &str, returned: &str| {
        format!(
            "From: MAILER-DAEMON@mx.example\r\nTo: meetings@acme.test\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status; boundary=\"b1\"\r\n\r\n--b1\r\n\
             Content-Type: text/plain\r\n\r\nSorry.\r\n\r\n--b1\r\nContent-Type: message/delivery-status\r\n\r\n\
             Reporting-MTA: dns; mx.example\r\nArrival-Date: Fri, 15 Jan 2027 08:00:00 +0000\r\n\r\n\
             Final-Recipient: rfc822; gone@else.test\r\nAction: {action}\r\nStatus: 5.1.1\r\n{fields}\r\n--b1\r\n{returned}\r\n--b1--\r\n"
        )
    };
    let whole = format!(
        "Content-Type: message/rfc822\r\n\r\nMessage-ID: <{id}@acme.test>\r\nFrom: meetings@acme.test\r\nSubject: M1\r\n\r\nHello\r\n"
    );
    let head =
        format!("Content-Type: text/rfc822-headers\r\n\r\nMessage-Id: <{id}@acme.test>\r\nSubject: M1\r\n");
    let folded = "Diagnostic-Code: smtp; 550 5.1.1 <gone@else.test>:\r\n    Recipient address rejected\r\n";
    let failed = |words: &str| Some(Report::Failed { parcels: vec![id.clone()], words: words.to_owned() });
    let words = "550 5.1.1 <gone@else.test>:    Recipient address rejected";
    assert_eq!(read(&report("failed", folded, &whole)), failed(words));
    assert_eq!(read(&report("Failed", "", &head)), failed("5.1.1"));
    assert_eq!(read(&report("delayed", folded, &whole)), Some(Report::Other));
    assert_eq!(read(&report("delivered", "", &head)), Some(Report::Other));
    let foreign = head.replace(&id, "CAF-something");
    assert_eq!(
        read(&report("failed", "", &foreign)),
        Some(Report::Failed { parcels: Vec::new(), words: "5.1.1".to_owned() })
    );
    assert_eq!(read("From: a@b.test\r\nSubject: I am away\r\n\r\nUntil Monday.\r\n"), None);
}

#[test]
fn any_bytes_are_read_without_a_panic() {
    for text in [
        "",
        "\r\n",
        ":",
        "Content-Type: multipart/report\r\n\r\n--",
        "o",
        "METHOD:REPLY\nBEGIN:VEVENT\nATTENDEE;PARTSTAT",
    ] {
        assert_eq!(reply(text), None);
        if let Some(message) = MessageParser::default().parse(text.as_bytes()) {
            let _ = read(&message);
        }
    }
}
