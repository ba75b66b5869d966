//! Two hundred users into fifty sessions, while others go on.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::http::Request;
use super::{Figure, House, Report};
use crate::api::Events;
use crate::error::{LabError, LabResult};
use crate::shared::token;

const IN_ALL: Duration = Duration::from_secs(10);
const OTHERS: Duration = Duration::from_millis(100);
const USERS: usize = 200;
const SESSIONS: usize = 50;
/// Other requests meanwhile, a second.
const RATE: u32 = 50;

pub(super) async fn measure(house: &House) -> LabResult<Report> {
    let (sam, hana) = (House::token(&house.sam)?.to_owned(), House::token(&house.hana)?.to_owned());
    let mut sessions = Vec::with_capacity(SESSIONS);
    for number in 0..SESSIONS {
        let body = json!({"title": format!("Many {number}")});
        let made = house.client.send(&Request::send("", "POST", "/v1/meetings", &sam, body)).await?.json();
        sessions.push(made["id"].as_str().unwrap_or_default().to_owned());
    }
    let users: Vec<String> = (1..=USERS).map(|number| format!("person{number}@big.test")).collect();
    let events = Events::connect(&house.sam, None, None, None).await?;
    let body = json!({"users": users, "sessions": sessions, "access": "collaborate"});
    let order = Request::send("", "POST", "/v1/multi-invites", &sam, body);
    let order = Request { key: Some(token()), ..order };
    let asked = Instant::now();
    let reply = house.client.send(&order).await?;
    let answered = asked.elapsed();
    if !reply.is_success() {
        return Err(LabError::Other(format!("the order was refused: {}", reply.json())));
    }
    let path = format!("/v1/multi-invites/{}", reply.json()["id"].as_str().unwrap_or_default());
    let others = house.client.open_loop(RATE, Duration::from_secs(6), |number| match number % 4 {
        0 => Request::get("meetings", "/v1/meetings", &hana),
        1 => {
            let body = json!({"title": format!("Meanwhile {number}")});
            Request::send("create", "POST", "/v1/meetings", &hana, body)
        }
        2 => Request::get("users", "/v1/users?query=mira", &hana),
        _ => Request::get("me", "/v1/me", &hana),
    });
    let (report, samples) = tokio::join!(done(house, &path, &sam, asked), others);
    let ((report, took), samples) = (report?, samples?);
    let results = report["done"].as_u64().unwrap_or_default();
    let progress = events.all().iter().filter(|event| event.kind == "multi_invite.progress").count();
    tracing::info!(results, progress, "the order is done");
    let missing = (USERS * SESSIONS) as u64 - results.min((USERS * SESSIONS) as u64);
    let wrong = usize::from(missing > 0) + usize::from(progress == 0);
    let refused = samples.iter().filter(|sample| !(200..300).contains(&sample.status)).count();
    let times = samples.iter().map(|sample| sample.took).collect();
    Ok(Report {
        figures: vec![
            Figure::of(
                format!("multi-invite {USERS} x {SESSIONS}, {progress} progress events"),
                vec![took],
                wrong,
                Some(IN_ALL),
            ),
            Figure::of("  its first answer", vec![answered], 0, None),
            Figure::of(format!("  other requests meanwhile, {RATE}/s"), times, refused, Some(OTHERS)),
        ],
    })
}

/// Waits until the order is done; its state, and how long it took.
async fn done(house: &House, path: &str, token: &str, asked: Instant) -> LabResult<(Value, Duration)> {
    let deadline = asked + Duration::from_secs(60);
    while Instant::now() < deadline {
        let report = house.client.send(&Request::get("", path, token)).await?.json();
        if report["state"] == "done" {
            return Ok((report, asked.elapsed()));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(LabError::Timeout("the order to be done".to_owned()))
}
