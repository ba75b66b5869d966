//! What a mail looks like on the wire, with hostile names.

use super::*;
use conference::services::outbox::{Attachment, Method};
use conference::vocabulary::UnixMillis;

fn carrier() -> MailCarrier {
    let config = "server = \"127.0.0.1\"\nport = 1\ntls = \"none\"\nfrom = \"meetings@acme.test\"";
    MailCarrier::new(toml::from_str(config).expect("a configuration"), None).expect("a carrier")
}

fn letter(name: &str, subject: &str) -> Letter {
    let correspondent =
        |name: &str, address: &str| Correspondent { name: name.to_owned(), address: address.to_owned() };
    Letter {
        message_id: "<o1@acme.test>".to_owned(),
        date: UnixMillis(1_800_000_000_000),
        from_name: name.to_owned(),
        reply_to: Some(correspondent(name, "hana@acme.test")),
        to: correspondent(name, "ari@acme.test"),
        subject: subject.to_owned(),
        text: "text".to_owned(),
        html: "<p>text</p>".to_owned(),
        calendar: Some(Attachment { method: Method::Request, text: "BEGIN:VCALENDAR\r\n".to_owned() }),
    }
}

/// The names of the head's fields, folded lines taken together.
fn fields(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let head = text.split("\r\n\r\n").next().unwrap_or_default().to_owned();
    let lines = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
    lines.map(|line| line.split(':').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn w5_i93_hostile_names_and_subjects_add_no_field_and_no_recipient() {
    let carrier = carrier();
    let (_, plain) = carrier.written(&letter("Ari", "Invitation")).expect("written");
    let usual = fields(&plain);
    for hostile in [
        "x\r\nBcc: evil@else.test",
        "x\nBcc: evil@else.test",
        "x\r\n\r\n<script>",
        "x\0y",
        "x\u{2028}Bcc: evil@else.test",
        "=?utf-8?q?evil=40else=2Etest?=",
        "Evil <evil@else.test>,",
        "\"quoted\" <evil@else.test>",
        "a, b; c: d",
        "\u{FEFF}\u{202E}ürgh 漢字",
    ] {
        let (envelope, bytes) = carrier.written(&letter(hostile, hostile)).expect("written");
        assert_eq!(fields(&bytes), usual, "{hostile:?}");
        assert_eq!(envelope.to().len(), 1, "{hostile:?}");
        assert_eq!(AsRef::<str>::as_ref(&envelope.to()[0]), "ari@acme.test", "{hostile:?}");
    }
    let refused = carrier.written(&Letter {
        to: Correspondent { name: String::new(), address: "a@b.test\r\nRCPT TO:<c@d.test>".to_owned() },
        ..letter("x", "y")
    });
    assert!(matches!(refused, Err(Outcome::Refused { .. })));
}

#[test]
fn the_same_letter_has_the_same_message_id_and_date() {
    let carrier = carrier();
    let (_, bytes) = carrier.written(&letter("Ari", "Invitation")).expect("written");
    let text = String::from_utf8(bytes).expect("UTF-8");
    assert!(text.contains("Message-ID: <o1@acme.test>\r\n"), "{text}");
    assert!(text.contains("Date: Fri, 15 Jan 2027 08:00:00 +0000\r\n"), "{text}");
    assert!(text.contains("method=REQUEST"), "{text}");
}

#[tokio::test]
async fn f16_nobody_there_is_unreachable() {
    let outcome = carrier().deliver(Parcel::Mail(Box::new(letter("Ari", "x")))).await;
    assert!(matches!(outcome, Outcome::Unreachable { .. }), "{outcome:?}");
}
