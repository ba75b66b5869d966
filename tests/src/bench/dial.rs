//! From CALL to the INVITE at the carrier, fifty calls a second.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;

use super::http::Request;
use super::{Figure, House, Report};
use crate::error::LabResult;
use crate::shared::{lock, token};
use crate::sip::call::Script;

const RATE: u32 = 50;
const IN_ALL: Duration = Duration::from_millis(50);
const BEYOND_THE_ROW: Duration = Duration::from_millis(5);
/// Numbers called in turn; each is busy at once.
const NUMBERS: u32 = 200;

pub(super) async fn measure(house: &House, duration: Duration) -> LabResult<Report> {
    let limits = json!({
        "host_per_minute": 100_000, "host_per_hour": 100_000, "tenant_per_minute": 100_000, "tenant_per_hour": 100_000,
        "host_at_once": 1_000, "tenant_at_once": 1_000,
    });
    let policy = json!({"limits": limits, "breaker": {"prefix_calls": 1_000_000, "short_calls": 1_000_000}});
    house.tia.set_dial_policy(policy).await?;
    for number in 0..NUMBERS {
        house.stage.carrier.set_callee(&callee(number), |_| Script::refuse(486, false));
    }
    let hana = House::token(&house.hana)?.to_owned();
    let path = format!("/v1/meetings/{}/calls", house.room.meeting.id);
    let (run, sent) = (token(), Arc::new(Mutex::new(BTreeMap::new())));
    let earlier = house.stage.carrier.calls().len();
    let from = Instant::now();
    let kept = Arc::clone(&sent);
    let samples = house
        .client
        .open_loop(RATE, duration, move |number| {
            let called = callee(number as u32 % NUMBERS);
            // Counted from when it was due: 50 ms after the loop was begun, and so many gaps on.
            let due = from + Duration::from_millis(50) + Duration::from_secs(1) / RATE * number as u32;
            lock(&kept).entry(called.clone()).or_insert_with(Vec::new).push(due);
            let body = json!({"targets": [{"number": called, "role": "attendee"}]});
            let request = Request::send("CALL", "POST", path.clone(), &hana, body);
            Request { key: Some(format!("{run}-{number}")), ..request }
        })
        .await?;
    house.stage.wait_quiet(Duration::from_secs(30)).await?;
    let mut in_all = Vec::new();
    let mut beyond = Vec::new();
    let rows = rows(house)?;
    // The n-th call to a number is the n-th press for it.
    let mut presses = std::mem::take(&mut *lock(&sent));
    for call in house.stage.carrier.calls().into_iter().skip(earlier) {
        let Some(due) = presses.get_mut(&call.facts.request_user) else { continue };
        if !due.is_empty() {
            in_all.push(call.facts.at.saturating_duration_since(due.remove(0)));
        }
        if let Some(row) = rows.get(&call.facts.call_id) {
            beyond.push(wall(call.facts.at).duration_since(*row).unwrap_or_default());
        }
    }
    let refused = samples.iter().filter(|sample| sample.status != 202).count();
    let never = presses.values().map(Vec::len).sum::<usize>();
    let unmatched = in_all.len() - beyond.len();
    let answers = samples.iter().map(|sample| sample.took).collect();
    Ok(Report {
        figures: vec![
            Figure::of(format!("CALL to INVITE, {RATE}/s"), in_all, never, Some(IN_ALL)),
            Figure::of("  of it beyond the row's commit", beyond, unmatched, Some(BEYOND_THE_ROW)),
            Figure::of("  CALL to its answer", answers, refused, None),
        ],
    })
}

fn callee(number: u32) -> String {
    format!("+1313555{number:04}")
}

/// When a moment was, by the clock on the wall.
fn wall(at: Instant) -> SystemTime {
    SystemTime::now() - at.elapsed()
}

/// When the row of each call was committed, by its Call-ID: the gateway says so in its log, right behind the commit.
fn rows(house: &House) -> LabResult<BTreeMap<String, SystemTime>> {
    let lines = house.stage.gateway()?.logs();
    Ok(lines.iter().filter_map(|line| row(line)).collect())
}

/// Reads `2026-01-02T03:04:05.678901Z  INFO .. dialling call.id=.. sip.call_id=".."`.
fn row(line: &str) -> Option<(String, SystemTime)> {
    if !line.contains("dialling") {
        return None;
    }
    let (_, rest) = line.split_once("sip.call_id=")?;
    let call_id = rest.trim_start_matches('"').split(['"', ' ']).next()?;
    let clock = line.split('T').nth(1)?.split('Z').next()?;
    let mut parts = clock.split([':', '.']);
    let mut number = || parts.next()?.parse::<u64>().ok();
    let (hours, minutes, seconds, micros) = (number()?, number()?, number()?, number()?);
    let of_day = Duration::from_secs(hours * 3_600 + minutes * 60 + seconds) + Duration::from_micros(micros);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let midnight = Duration::from_secs(now.as_secs() / 86_400 * 86_400);
    Some((call_id.to_owned(), SystemTime::UNIX_EPOCH + midnight + of_day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_committed_row_is_read() {
        let line = "2026-11-22T00:00:01.000250Z  INFO request{id=x}: conference::services::calls::place: dialling \
                    call.id=c1 meeting.id=m1 sip.call_id=\"abc@127.0.0.1\"";
        let (id, at) = row(line).unwrap();
        let of_day = at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros() % 86_400_000_000;
        assert_eq!((id.as_str(), of_day), ("abc@127.0.0.1", 1_000_250));
        assert!(row("2026-11-22T00:00:01.000250Z  INFO call call.id=c1").is_none());
    }
}
