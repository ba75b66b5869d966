//! Calendar objects (RFC 5545, RFC 5546): one event, written by hand, since there is only one shape of it. Every text from
//! outside passes [`text`] or [`parameter`]; nothing else reaches a line.

use crate::vocabulary::UnixMillis;
use std::fmt::Write as _;

/// The longest content line, in octets without the line break (RFC 5545 section 3.1).
const LINE: usize = 75;

/// What the object asks a calendar to do (RFC 5546 section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Put the event in, or change it.
    Request,
    /// Take it out.
    Cancel,
}

impl Method {
    /// The word of the METHOD property and of the media type's parameter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "REQUEST",
            Self::Cancel => "CANCEL",
        }
    }
}

/// When a meeting is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct When {
    pub(crate) start: UnixMillis,
    pub(crate) end: UnixMillis,
    /// RRULE's value, checked by whoever made the plan.
    pub(crate) rule: Option<String>,
    /// The time zone's name, a VTIMEZONE block and start and end as local times of it (`19980119T020000`); without it, UTC
    /// is written.
    pub(crate) zone: Option<Zone>,
}

/// A time zone as calendars want it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Zone {
    pub(crate) name: String,
    /// `BEGIN:VTIMEZONE` to `END:VTIMEZONE`, lines ended by CRLF.
    pub(crate) block: String,
    pub(crate) local_start: String,
    pub(crate) local_end: String,
}

/// Somebody of an event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Party<'a> {
    pub(crate) name: &'a str,
    pub(crate) address: &'a str,
}

/// One meeting as one person's calendar shows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event<'a> {
    pub(crate) method: Method,
    /// The same for all mails of a meeting.
    pub(crate) uid: &'a str,
    pub(crate) sequence: i64,
    pub(crate) stamp: UnixMillis,
    pub(crate) when: &'a When,
    pub(crate) summary: &'a str,
    /// The join information.
    pub(crate) description: &'a str,
    /// The personal link.
    pub(crate) url: &'a str,
    pub(crate) organiser: Party<'a>,
    pub(crate) attendee: Party<'a>,
    /// Minutes before the start; none for no reminder.
    pub(crate) alarm: Option<u32>,
}

/// The whole object, with CRLF line ends.
pub(crate) fn write(event: &Event<'_>) -> String {
    let mut lines = Lines::default();
    lines.raw("BEGIN:VCALENDAR");
    lines.raw("VERSION:2.0");
    lines.raw("PRODID:-//Partyline//Partyline//EN");
    lines.raw("CALSCALE:GREGORIAN");
    lines.line("METHOD", event.method.as_str());
    if let Some(zone) = &event.when.zone {
        lines.0.push_str(&zone.block);
    }
    lines.raw("BEGIN:VEVENT");
    lines.line("UID", &text(event.uid));
    lines.line("SEQUENCE", &event.sequence.to_string());
    lines.line("DTSTAMP", &utc(event.stamp));
    lines.when(event.when);
    lines.line("SUMMARY", &text(event.summary));
    lines.line("DESCRIPTION", &text(event.description));
    lines.line("LOCATION", &text(event.url));
    lines.line("URL", &uri(event.url));
    lines.party("ORGANIZER", event.organiser, "");
    lines.party(
        "ATTENDEE",
        event.attendee,
        ";CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE",
    );
    lines.line("STATUS", if event.method == Method::Cancel { "CANCELLED" } else { "CONFIRMED" });
    lines.raw("TRANSP:OPAQUE");
    if let (Some(minutes), Method::Request) = (event.alarm, event.method) {
        lines.raw("BEGIN:VALARM");
        lines.raw("ACTION:DISPLAY");
        lines.line("DESCRIPTION", &text(event.summary));
        lines.line("TRIGGER", &format!("-PT{minutes}M"));
        lines.raw("END:VALARM");
    }
    lines.raw("END:VEVENT");
    lines.raw("END:VCALENDAR");
    lines.0
}

#[derive(Default)]
struct Lines(String);

impl Lines {
    fn raw(&mut self, line: &str) {
        fold(&mut self.0, line);
    }

    fn line(&mut self, name: &str, value: &str) {
        fold(&mut self.0, &format!("{name}:{value}"));
    }

    fn when(&mut self, when: &When) {
        match &when.zone {
            Some(zone) => {
                let name = parameter(&zone.name);
                self.raw(&format!("DTSTART;TZID={name}:{}", zone.local_start));
                self.raw(&format!("DTEND;TZID={name}:{}", zone.local_end));
            }
            None => {
                self.line("DTSTART", &utc(when.start));
                self.line("DTEND", &utc(when.end));
            }
        }
        if let Some(rule) = &when.rule {
            // RRULE's characters are a closed set: whatever else stands there is not one.
            let plain: String =
                rule.chars().filter(|c| c.is_ascii_alphanumeric() || "=;,+-".contains(*c)).collect();
            self.line("RRULE", &plain);
        }
    }

    fn party(&mut self, name: &str, party: Party<'_>, parameters: &str) {
        let address = uri(&format!("mailto:{}", party.address));
        self.raw(&format!("{name};CN={}{parameters}:{address}", parameter(party.name)));
    }
}

/// Ends a content line, and breaks it before it grows too long, never within a character.
fn fold(out: &mut String, line: &str) {
    let mut used = 0;
    for c in line.chars() {
        if used + c.len_utf8() > LINE {
            out.push_str("\r\n ");
            used = 1;
        }
        out.push(c);
        used += c.len_utf8();
    }
    out.push_str("\r\n");
}

/// Characters that end a line for somebody, or that no reader needs.
fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// A TEXT value (RFC 5545 section 3.3.11).
pub(crate) fn text(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' | ';' | ',' => out.extend(['\\', c]),
            '\r' if rest.peek() == Some(&'\n') => {}
            '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push_str("\\n"),
            c if is_control(c) => {}
            c => out.push(c),
        }
    }
    out
}

/// A quoted parameter value (RFC 5545 section 3.2), with the escapes of RFC 6868 for what it cannot hold.
pub(crate) fn parameter(value: &str) -> String {
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '"' => out.push_str("^'"),
            '^' => out.push_str("^^"),
            c if is_control(c) => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A URI: whatever may not stand in one is percent-encoded (RFC 3986 section 2.1).
fn uri(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out.push(char::from(byte)),
            _ if b"-._~:/?#[]@!$&'()*+=%".contains(&byte) => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// A date with UTC time (RFC 5545 section 3.3.5, form 2).
pub(crate) fn utc(at: UnixMillis) -> String {
    let Civil { year, month, day, hour, minute, second, .. } = Civil::utc(at);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// A moment on the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: u64,
    pub(crate) month: u64,
    pub(crate) day: u64,
    /// Monday is 0.
    pub(crate) weekday: u64,
    pub(crate) hour: u64,
    pub(crate) minute: u64,
    pub(crate) second: u64,
}

impl Civil {
    /// The moment in UTC, by the proleptic Gregorian calendar: years are counted from 1 March of year 0, so that the leap
    /// day comes last, and in eras of 400 years, which all have 146,097 days.
    pub(crate) fn utc(at: UnixMillis) -> Self {
        let seconds = at.0 / 1000;
        let days = seconds / 86_400;
        let in_day = seconds % 86_400;
        let shifted = days + 719_468;
        let (era, of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * of_year + 2) / 153;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        Self {
            year: year_of_era + era * 400 + u64::from(month <= 2),
            month,
            day: of_year - (153 * march_month + 2) / 5 + 1,
            weekday: (days + 3) % 7,
            hour: in_day / 3600,
            minute: in_day / 60 % 60,
            second: in_day % 60,
        }
    }
}

#[cfg(test)]
#[path = "calendar_tests.rs"]
mod tests;
