//! Delivery reports (RFC 3464), as mail servers send them when they could not deliver after all.

use mail_parser::{Message, MimeHeaders as _};

/// What a report says about mails of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// They will not arrive, in the words of whoever gave up.
    Failed {
        /// Identifiers that stand where ours stand in a Message-ID; the first one that is ours is meant.
        parcels: Vec<String>,
        /// RFC 3464 sections 2.3.4 and 2.3.6.
        words: String,
    },
    /// They are late, or have arrived.
    Other,
}

/// The most identifiers looked at: a report brings one mail back, with what it refers to.
const PARCELS_MAX: usize = 20;
/// Length of an identifier's random part, in hex.
const HEX: usize = 32;

/// Reads a report; `None` for any other mail.
pub(super) fn read(message: &Message<'_>) -> Option<Report> {
    let is_status = |part: &&mail_parser::MessagePart<'_>| {
        part.content_type().is_some_and(|kind| {
            kind.ctype().eq_ignore_ascii_case("message")
                && kind.subtype().is_some_and(|subtype| {
                    ["delivery-status", "global-delivery-status"]
                        .iter()
                        .any(|known| subtype.eq_ignore_ascii_case(known))
                })
        })
    };
    let status = message.parts.iter().find(is_status)?;
    let status = String::from_utf8_lossy(status.contents()).replace("\r\n", "\n");
    let failed = status.split("\n\n").find_map(failure);
    let Some(words) = failed else { return Some(Report::Other) };
    let mut parcels = Vec::new();
    collect_parcels(message.raw_message(), &mut parcels);
    for part in &message.parts {
        collect_parcels(part.contents(), &mut parcels);
    }
    Some(Report::Failed { parcels, words })
}

/// The words of one recipient's fields, if their mail has failed.
fn failure(group: &str) -> Option<String> {
    let group = group.replace("\n ", " ").replace("\n\t", " ");
    let field = |name: &str| {
        group.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    if !field("Action")?.eq_ignore_ascii_case("failed") {
        return None;
    }
    let diagnostic =
        field("Diagnostic-Code").map(|text| text.split_once(';').map_or(text, |(_, words)| words));
    let words = diagnostic.map(str::trim).filter(|words| !words.is_empty());
    Some(words.or_else(|| field("Status")).unwrap_or("no reason was given").to_owned())
}

/// Everything of the form `o<32 hex digits>@`, once.
fn collect_parcels(text: &[u8], found: &mut Vec<String>) {
    for (at, _) in text.iter().enumerate().filter(|(_, byte)| **byte == b'o') {
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        let Some(id) = text.get(at..=at + HEX) else { return };
        let hex = id.iter().skip(1).all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !hex || before.is_some_and(u8::is_ascii_alphanumeric) || text.get(at + HEX + 1) != Some(&b'@') {
            continue;
        }
        let id = String::from_utf8_lossy(id).into_owned();
        if found.len() < PARCELS_MAX && !found.contains(&id) {
            found.push(id);
        }
    }
}
