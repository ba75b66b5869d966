//! When a meeting takes place: one start or a rule (RFC 5545), read in the meeting's own time zone, so that 09:00 stays
//! 09:00 there when the clocks change (I05).

use super::error::ServiceError;
use crate::store::PlanColumns;
use crate::vocabulary::UnixMillis;
use chrono::{DateTime, Datelike as _, Duration, LocalResult, NaiveDateTime, TimeZone as _, Utc};
use chrono_tz::Tz;
use rrule::{RRule, RRuleSet, Unvalidated};

/// The longest meeting.
const DURATION_MAX: u32 = 24 * 60;
/// How long a meeting takes if nobody says.
pub(super) const DURATION: u32 = 60;
/// The longest rule looked at.
const RULE_MAX: usize = 200;
/// The most runs of one meeting.
pub(super) const OCCURRENCES_MAX: u16 = 1000;
/// Years beyond which no calendar needs to reach.
const YEARS: std::ops::RangeInclusive<i32> = 2000..=2200;

/// When somebody wants a meeting to take place, as it was sent.
#[derive(Clone, Debug, Default)]
pub struct When {
    /// The first start: RFC 3339 with an offset, or a local time without one.
    pub start: Option<String>,
    /// Minutes.
    pub duration_minutes: Option<u32>,
    /// The IANA name of the time zone.
    pub time_zone: Option<String>,
    /// RFC 5545 section 3.3.10, with or without `RRULE:`.
    pub rrule: Option<String>,
}

/// One run of a meeting, as planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: DateTime<Tz>,
    pub(super) end: DateTime<Tz>,
}

/// A plan that has been checked.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    start: DateTime<Tz>,
    duration: Duration,
    rule: Option<Rule>,
}

/// How it repeats.
#[derive(Clone, Debug)]
struct Rule {
    /// As it was sent, in capitals: the crate writes a rule down with less than it has read.
    text: String,
    parsed: RRule,
}

impl Schedule {
    /// Reads what was sent; `home` is the zone of those who name none.
    ///
    /// # Errors
    /// Invalid, naming the field.
    pub(super) fn read(when: &When, home: &str) -> Result<Self, ServiceError> {
        let zone = zone(when.time_zone.as_deref().unwrap_or(home))?;
        let text = when.start.as_deref().ok_or_else(|| {
            ServiceError::invalid("start", "A planned meeting needs a start")
                .mend("Send its date and time, such as 2026-03-02T09:00:00")
        })?;
        let start = start(text, zone)?;
        let minutes = when.duration_minutes.unwrap_or(DURATION);
        if minutes == 0 || minutes > DURATION_MAX {
            return Err(ServiceError::invalid("duration_minutes", "A meeting takes 1 to 1440 minutes")
                .mend("Send the minutes it takes"));
        }
        let rule = when.rrule.as_deref().map(|text| rule(text, start)).transpose()?;
        Ok(Self { start, duration: Duration::minutes(minutes.into()), rule })
    }

    /// The plan of a meeting in the database; `None` for instant meetings and rooms.
    pub(super) fn of(plan: &PlanColumns) -> Option<Self> {
        let millis = i64::try_from(plan.start?.0).ok()?;
        let zone = zone(plan.time_zone.as_deref().unwrap_or("UTC")).ok()?;
        let start = zone.timestamp_millis_opt(millis).single()?;
        let rule = plan.rrule.as_deref().and_then(|text| rule(text, start).ok());
        let minutes = plan.duration_minutes.unwrap_or_else(|| DURATION.into());
        Some(Self { start, duration: Duration::try_minutes(minutes)?, rule })
    }

    /// The same for the database.
    pub(super) fn columns(&self) -> PlanColumns {
        PlanColumns {
            start: Some(millis(self.start)),
            duration_minutes: Some(self.duration.num_minutes()),
            time_zone: Some(self.start.timezone().name().to_owned()),
            rrule: self.rule.as_ref().map(|rule| rule.text.clone()),
            last_end: self.last_end(),
        }
    }

    /// The first start.
    pub(super) fn start(&self) -> DateTime<Tz> {
        self.start
    }

    /// The runs that are not over at `from`, the first ones first.
    pub(super) fn occurrences(&self, from: UnixMillis, limit: u16) -> Vec<Span> {
        let Some(from) = i64::try_from(from.0).ok().and_then(DateTime::<Utc>::from_timestamp_millis) else {
            return Vec::new();
        };
        let from = from.with_timezone(&self.start.timezone()) - self.duration;
        let spans = |starts: Vec<DateTime<Tz>>| -> Vec<Span> {
            starts.into_iter().map(|start| Span { start, end: start + self.duration }).collect()
        };
        if self.rule.is_none() {
            return spans(vec![self.start].into_iter().filter(|start| *start > from).collect());
        }
        spans(
            self.set()
                .after(to_rrule(from))
                .all(limit)
                .dates
                .into_iter()
                .map(|date| self.local(date))
                .filter(|start| *start > from)
                .collect(),
        )
    }

    /// When the last run is over; `None` for a rule without an end.
    fn last_end(&self) -> Option<UnixMillis> {
        let last = match &self.rule {
            None => self.start,
            Some(Rule { parsed, .. }) if parsed.get_count().is_none() && parsed.get_until().is_none() => {
                return None;
            }
            Some(_) => self.local(self.set().all(OCCURRENCES_MAX).dates.pop()?),
        };
        Some(millis(last + self.duration))
    }

    fn set(&self) -> RRuleSet {
        let set = RRuleSet::new(to_rrule(self.start));
        match &self.rule {
            Some(rule) => set.rrule(rule.parsed.clone()),
            None => set,
        }
    }

    fn local(&self, date: DateTime<rrule::Tz>) -> DateTime<Tz> {
        date.with_timezone(&self.start.timezone())
    }

    /// For people: `Monday, 2 March 2026, 09:00 to 10:00 (America/Chicago), every week, 4 times`.
    pub(super) fn words(&self) -> String {
        let end = self.start + self.duration;
        let end = if end.date_naive() == self.start.date_naive() {
            end.format("%H:%M").to_string()
        } else {
            end.format("%-d %B %Y, %H:%M").to_string()
        };
        let repeat = self.rule.as_ref().map(|rule| format!(", {}", rhythm(&rule.parsed))).unwrap_or_default();
        let zone = self.start.timezone().name();
        format!("{} to {end} ({zone}){repeat}", self.start.format("%A, %-d %B %Y, %H:%M"))
    }
}

/// How often, in words.
fn rhythm(rule: &RRule) -> String {
    let unit = match rule.get_freq() {
        rrule::Frequency::Yearly => "year",
        rrule::Frequency::Monthly => "month",
        rrule::Frequency::Weekly => "week",
        rrule::Frequency::Daily => "day",
        rrule::Frequency::Hourly | rrule::Frequency::Minutely | rrule::Frequency::Secondly => "hour",
    };
    let every = match rule.get_interval() {
        1 => format!("every {unit}"),
        interval => format!("every {interval} {unit}s"),
    };
    match (rule.get_count(), rule.get_until()) {
        (Some(count), _) => format!("{every}, {count} times"),
        (None, Some(until)) => format!("{every}, until {}", until.format("%-d %B %Y")),
        (None, None) => every,
    }
}

/// A moment, as the API tells it.
pub(super) fn millis(at: DateTime<Tz>) -> UnixMillis {
    UnixMillis(u64::try_from(at.timestamp_millis()).unwrap_or(0))
}

/// A moment on the clock of its zone, without an offset.
pub(super) fn clock(at: DateTime<Tz>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S").to_string()
}

fn to_rrule(at: DateTime<Tz>) -> DateTime<rrule::Tz> {
    at.with_timezone(&rrule::Tz::Tz(at.timezone()))
}

pub(super) fn zone(name: &str) -> Result<Tz, ServiceError> {
    name.parse().map_err(|_| {
        ServiceError::invalid("time_zone", "There is no such time zone")
            .mend("Send a name of the IANA time zone database, such as America/Chicago")
    })
}

fn start(text: &str, zone: Tz) -> Result<DateTime<Tz>, ServiceError> {
    let wrong = || {
        ServiceError::invalid("start", "This is not a date and time")
            .mend("Send it as 2026-03-02T09:00:00 in the meeting's time zone, or with an offset")
    };
    let text = text.trim();
    let local = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
        .into_iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let start = match local {
        Some(local) => on_the_clock(local, zone).ok_or_else(wrong)?,
        None => DateTime::parse_from_rfc3339(text).map_err(|_| wrong())?.with_timezone(&zone),
    };
    if YEARS.contains(&start.year()) { Ok(start) } else { Err(wrong()) }
}

/// A local time. One that the clocks jump over is read with the offset from before the jump, one that comes twice is
/// the first (RFC 5545 section 3.3.5).
fn on_the_clock(local: NaiveDateTime, zone: Tz) -> Option<DateTime<Tz>> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(start) | LocalResult::Ambiguous(start, _) => Some(start),
        LocalResult::None => {
            let hour = Duration::hours(1);
            let before = zone.from_local_datetime(&local.checked_sub_signed(hour)?).earliest()?;
            before.checked_add_signed(hour)
        }
    }
}

fn rule(text: &str, start: DateTime<Tz>) -> Result<Rule, ServiceError> {
    let wrong = |detail: String| {
        ServiceError::invalid("rrule", detail)
            .mend("Send a rule of RFC 5545 by days, weeks, months or years, such as FREQ=WEEKLY;COUNT=4")
    };
    let text = text.trim().trim_start_matches("RRULE:");
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '=' | ';' | ',' | '+' | '-');
    if text.len() > RULE_MAX || !text.chars().all(plain) {
        return Err(wrong("This is not one rule of at most 200 characters".to_owned()));
    }
    let upper = text.to_ascii_uppercase();
    let parsed: RRule<Unvalidated> =
        upper.parse().map_err(|error| wrong(format!("The rule cannot be read: {error}")))?;
    if parsed.get_freq() > rrule::Frequency::Daily {
        return Err(wrong("A meeting repeats once a day at most".to_owned()));
    }
    if parsed.get_count().is_some_and(|count| count > OCCURRENCES_MAX.into()) {
        return Err(wrong(format!("A meeting repeats {OCCURRENCES_MAX} times at most")));
    }
    let parsed = parsed
        .validate(to_rrule(start))
        .map_err(|error| wrong(format!("The rule does not fit the start: {error}")))?;
    let first = RRuleSet::new(to_rrule(start)).rrule(parsed.clone()).all(1);
    if first.dates.is_empty() {
        return Err(wrong("The rule never comes true".to_owned()));
    }
    Ok(Rule { text: upper, parsed })
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
