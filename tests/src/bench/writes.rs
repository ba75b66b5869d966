//! Writes of mixed kinds, two hundred a second.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::http::{Request, Sample};
use super::{Figure, House, Report};
use crate::error::{LabError, LabResult};

const RATE: u32 = 200;
const GOAL: Duration = Duration::from_millis(20);
/// Meetings that the writes are spread over.
const MEETINGS: usize = 200;

/// A meeting with somebody on its list.
struct Target {
    meeting: String,
    person: String,
}

pub(super) async fn measure(house: &House, duration: Duration) -> LabResult<Report> {
    let hana = House::token(&house.hana)?.to_owned();
    let tia = House::token(&house.tia)?.to_owned();
    let targets = targets(house, &hana).await?;
    let room = &house.room.meeting.id;
    let people = house.hana.meeting(room).await?.people;
    let phone = people.iter().find(|person| person.display_name.starts_with("Pia"));
    let phone =
        phone.ok_or_else(|| LabError::Other("Pia's phone is not in the meeting".to_owned()))?.id.clone();
    let next = |number: u64| -> Request {
        let target = &targets[number as usize / 8 % MEETINGS];
        let (meeting, person) = (format!("/v1/meetings/{}", target.meeting), &target.person);
        let send = |kind, method, path: String, body: Value| Request::send(kind, method, path, &hana, body);
        match number % 8 {
            0 => {
                let people = json!([{"email": format!("a{number}@else.test")}, {"email": format!("b{number}@else.test")}]);
                let body = json!({"title": format!("Bench {number}"), "people": people});
                send("POST meetings", "POST", "/v1/meetings".to_owned(), body)
            }
            1 => send("PATCH meeting", "PATCH", meeting, json!({"title": format!("Renamed {number}")})),
            2 => {
                let body =
                    json!({"people": [{"email": format!("c{number}@else.test"), "role": "presenter"}]});
                send("POST people", "POST", format!("{meeting}/people"), body)
            }
            3 => {
                let role =
                    if (number / 8 / MEETINGS as u64).is_multiple_of(2) { "presenter" } else { "attendee" };
                send("PATCH person", "PATCH", format!("{meeting}/people/{person}"), json!({"role": role}))
            }
            4 => {
                let verb = if (number / 8).is_multiple_of(2) { "mute" } else { "unmute" };
                send("POST mute", "POST", format!("/v1/meetings/{room}/people/{phone}/{verb}"), json!({}))
            }
            5 => {
                let verb = if (number / 8).is_multiple_of(2) { "lock" } else { "unlock" };
                send("POST lock", "POST", format!("/v1/meetings/{room}/{verb}"), json!({}))
            }
            6 => {
                let body = json!({"emails": ["hana@acme.test", format!("hana{number}@acme.test")]});
                send("PATCH profile", "PATCH", "/v1/me/profile".to_owned(), body)
            }
            _ => {
                let body =
                    json!({"number": format!("+1312555{:04}", number / 8 % 10_000), "reason": "asked"});
                Request::send("POST blocked", "POST", "/v1/blocked-numbers", &tia, body)
            }
        }
    };
    let samples = house.client.open_loop(RATE, duration, next).await?;
    Ok(report(&samples))
}

async fn targets(house: &House, token: &str) -> LabResult<Vec<Target>> {
    let mut targets = Vec::with_capacity(MEETINGS);
    for number in 0..MEETINGS {
        let people = json!([{"email": format!("first{number}@else.test")}]);
        let body = json!({"title": format!("Target {number}"), "people": people});
        let made = house.client.send(&Request::send("", "POST", "/v1/meetings", token, body)).await?.json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let person =
            made["people"].as_array().and_then(|people| people.last().map(|person| text(&person["id"])));
        targets.push(Target { meeting: text(&made["id"]), person: person.unwrap_or_default() });
    }
    Ok(targets)
}

fn report(samples: &[Sample]) -> Report {
    let mut kinds: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
    for sample in samples {
        kinds.entry(sample.kind).or_default().push(sample);
    }
    let figure = |name: String, samples: &[&Sample]| {
        let wrong = samples.iter().filter(|sample| !(200..300).contains(&sample.status)).count();
        Figure::of(name, samples.iter().map(|sample| sample.took).collect(), wrong, Some(GOAL))
    };
    let all: Vec<&Sample> = samples.iter().collect();
    let mut figures = vec![figure(format!("writes, {RATE}/s, all kinds"), &all)];
    figures.extend(kinds.iter().map(|(kind, samples)| figure(format!("  {kind}"), samples)));
    Report { figures }
}
