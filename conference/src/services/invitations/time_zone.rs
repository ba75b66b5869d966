//! Time zones as calendars want them: a VTIMEZONE with every change of the clocks in reach (RFC 5545 section 3.6.5).

use super::calendar::Zone;
use crate::vocabulary::UnixMillis;
use chrono::{DateTime, Duration, Offset as _, TimeZone as _, Utc};
use chrono_tz::{OffsetComponents as _, OffsetName as _, Tz};
use std::fmt::Write as _;

/// How far ahead changes of the clocks are written down: no series is planned longer without a change of the meeting.
const YEARS: i64 = 10;
/// Clocks are changed for longer than this: a look at each end finds every change.
const STEP: Duration = Duration::days(7);

/// The zone of an event from `start` to `end`; `None` for a name nobody knows.
pub(super) fn zone(name: &str, start: UnixMillis, end: UnixMillis) -> Option<Zone> {
    let tz: Tz = name.parse().ok()?;
    let (start, end) = (moment(start)?, moment(end)?);
    let local = |at: DateTime<Utc>| at.with_timezone(&tz).format("%Y%m%dT%H%M%S").to_string();
    Some(Zone {
        name: tz.name().to_owned(),
        block: block(tz, start),
        local_start: local(start),
        local_end: local(end),
    })
}

fn moment(at: UnixMillis) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(i64::try_from(at.0).ok()?)
}

fn seconds(tz: Tz, at: DateTime<Utc>) -> i32 {
    tz.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()
}

fn block(tz: Tz, start: DateTime<Utc>) -> String {
    let mut text = format!("BEGIN:VTIMEZONE\r\nTZID:{}\r\n", tz.name());
    let mut at = start - Duration::days(366);
    observance(&mut text, tz, at, seconds(tz, at));
    let last = start + Duration::days(366 * YEARS);
    while at < last {
        let next = at + STEP;
        let before = seconds(tz, at);
        if before != seconds(tz, next) {
            observance(&mut text, tz, change(tz, at, next), before);
        }
        at = next;
    }
    text.push_str("END:VTIMEZONE\r\n");
    text
}

/// The first second of the new offset, between `before` and `after`.
fn change(tz: Tz, mut before: DateTime<Utc>, mut after: DateTime<Utc>) -> DateTime<Utc> {
    let old = seconds(tz, before);
    while after - before > Duration::seconds(1) {
        let middle = before + (after - before) / 2;
        if seconds(tz, middle) == old { before = middle } else { after = middle }
    }
    after
}

/// One observance; its start is told in the offset before it.
fn observance(text: &mut String, tz: Tz, at: DateTime<Utc>, before: i32) {
    let offset = tz.offset_from_utc_datetime(&at.naive_utc());
    let kind = if offset.dst_offset().is_zero() { "STANDARD" } else { "DAYLIGHT" };
    let onset = (at + Duration::seconds(i64::from(before))).format("%Y%m%dT%H%M%S");
    let name = offset.abbreviation().unwrap_or("LOCAL");
    let _ = write!(
        text,
        "BEGIN:{kind}\r\nDTSTART:{onset}\r\nTZOFFSETFROM:{}\r\nTZOFFSETTO:{}\r\nTZNAME:{name}\r\nEND:{kind}\r\n",
        hours(before),
        hours(offset.fix().local_minus_utc()),
    );
}

/// `+0100`, with seconds where there are some (RFC 5545 section 3.3.14).
fn hours(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let all = seconds.unsigned_abs();
    let rest = if all.is_multiple_of(60) { String::new() } else { format!("{:02}", all % 60) };
    format!("{sign}{:02}{:02}{rest}", all / 3600, all / 60 % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 15 January 2027, 08:00 UTC.
    const WINTER: UnixMillis = UnixMillis(1_800_000_000_000);

    #[test]
    fn i16_a_zone_says_when_its_clocks_change() {
        let zone = zone("Europe/Berlin", WINTER, UnixMillis(WINTER.0 + 1_800_000)).unwrap();
        assert_eq!(
            (zone.local_start.as_str(), zone.local_end.as_str()),
            ("20270115T090000", "20270115T093000")
        );
        for observance in [
            "BEGIN:DAYLIGHT\r\nDTSTART:20270328T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nTZNAME:CEST\r\n",
            "BEGIN:STANDARD\r\nDTSTART:20271031T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nTZNAME:CET\r\n",
            "DTSTART:20360330T020000",
        ] {
            assert!(zone.block.contains(observance), "{observance} in {}", zone.block);
        }
        assert!(zone.block.lines().count() < 200, "{}", zone.block);
    }

    #[test]
    fn zones_without_changes_and_south_of_the_equator() {
        let utc = zone("Etc/UTC", WINTER, WINTER).unwrap();
        assert_eq!(utc.block.matches("BEGIN:STANDARD").count(), 1);
        let sydney = zone("Australia/Sydney", WINTER, WINTER).unwrap();
        assert_eq!(sydney.local_start, "20270115T190000");
        assert!(sydney.block.contains("TZOFFSETFROM:+1100\r\nTZOFFSETTO:+1000"), "{}", sydney.block);
        assert_eq!(zone("Asia/Kathmandu", WINTER, WINTER).unwrap().local_start, "20270115T134500");
        assert!(zone("Nowhere/Land", WINTER, WINTER).is_none());
    }
}
