//! Answers that calendars send by mail: iTIP REPLY (RFC 5546 section 3.2.3) in iMIP (RFC 6047).

use crate::services::views::Rsvp;
use mail_parser::{Message, MimeHeaders as _};

/// What a calendar answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CalendarReply {
    /// The address the invitation came from, which says whose answer it is.
    pub(super) organiser: String,
    pub(super) rsvp: Rsvp,
    /// SEQUENCE of what is answered.
    pub(super) sequence: Option<i64>,
    /// It is about one run of a series alone.
    pub(super) one_run: bool,
}

/// Finds the answer in a mail; `None` where there is none.
pub(super) fn read(message: &Message<'_>) -> Option<CalendarReply> {
    let is_calendar = |part: &&mail_parser::MessagePart<'_>| {
        part.content_type().is_some_and(|kind| {
            let subtype = kind.subtype().unwrap_or_default();
            (kind.ctype().eq_ignore_ascii_case("text") && subtype.eq_ignore_ascii_case("calendar"))
                || (kind.ctype().eq_ignore_ascii_case("application") && subtype.eq_ignore_ascii_case("ics"))
        })
    };
    let mut parts = message.parts.iter().filter(is_calendar);
    parts.find_map(|part| reply(&String::from_utf8_lossy(part.contents())))
}

/// Reads one calendar object.
pub(super) fn reply(text: &str) -> Option<CalendarReply> {
    let text = text.replace("\r\n", "\n").replace("\n ", "").replace("\n\t", "");
    let lines: Vec<Line<'_>> = text.lines().filter_map(Line::read).collect();
    if !lines.iter().any(|line| line.is("METHOD") && line.value.eq_ignore_ascii_case("REPLY")) {
        return None;
    }
    let event =
        lines.iter().skip_while(|line| !(line.is("BEGIN") && line.value.eq_ignore_ascii_case("VEVENT")));
    let event: Vec<_> = event.take_while(|line| !line.is("END")).collect();
    let one = |name: &str| event.iter().find(|line| line.is(name));
    let attendee = one("ATTENDEE")?;
    let rsvp = match attendee.parameter("PARTSTAT")?.to_ascii_uppercase().as_str() {
        "ACCEPTED" => Rsvp::Accepted,
        "DECLINED" => Rsvp::Declined,
        "TENTATIVE" => Rsvp::Tentative,
        _ => return None,
    };
    let organiser = one("ORGANIZER")?.value;
    let scheme = organiser.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"))?;
    Some(CalendarReply {
        organiser: organiser.get(scheme.len()..)?.to_owned(),
        rsvp,
        sequence: one("SEQUENCE").and_then(|line| line.value.trim().parse().ok()),
        one_run: one("RECURRENCE-ID").is_some(),
    })
}

/// A content line, unfolded (RFC 5545 section 3.1).
#[derive(Clone, Copy, Debug)]
struct Line<'a> {
    name: &'a str,
    parameters: &'a str,
    value: &'a str,
}

impl<'a> Line<'a> {
    /// The value begins behind the first colon that stands in no quotes.
    fn read(line: &'a str) -> Option<Self> {
        let (head, value) = split_outside_quotes(line, ':')?;
        let (name, parameters) = head.split_once(';').unwrap_or((head, ""));
        Some(Self { name: name.trim(), parameters, value: value.trim() })
    }

    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    fn parameter(&self, name: &str) -> Option<&'a str> {
        let mut rest = self.parameters;
        while !rest.is_empty() {
            let (one, more) = split_outside_quotes(rest, ';').unwrap_or((rest, ""));
            if let Some((known, value)) = one.split_once('=')
                && known.trim().eq_ignore_ascii_case(name)
            {
                return Some(value.trim().trim_matches('"'));
            }
            rest = more;
        }
        None
    }
}

fn split_outside_quotes(text: &str, at: char) -> Option<(&str, &str)> {
    let mut quoted = false;
    let found = text.char_indices().find(|(_, c)| {
        quoted ^= *c == '"';
        *c == at && !quoted
    });
    let (index, _) = found?;
    Some((text.get(..index)?, text.get(index + at.len_utf8()..)?))
}
