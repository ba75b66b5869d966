//! Every list of the API, in a large tenant.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::http::Request;
use super::{Figure, House, Report};
use crate::error::LabResult;

const GOAL: Duration = Duration::from_millis(50);
const TIMES: usize = 100;

pub(super) async fn measure(house: &House, people: u32) -> LabResult<Report> {
    let (hana, sam, tia) = (House::token(&house.hana)?, House::token(&house.sam)?, House::token(&house.tia)?);
    let pages = people / 50;
    let meeting = house.room.meeting.id.as_str();
    let mut requests = vec![
        Request::get("GET meetings, own", "/v1/meetings", hana),
        Request::get("GET meetings, all", "/v1/meetings?limit=200", tia),
        Request::get("GET meetings, search", "/v1/meetings?query=tower%20north", tia),
        Request::get("GET meetings, search in vain", "/v1/meetings?query=zzzz", tia),
        Request::get("GET sessions", "/v1/sessions", sam),
        Request::get("GET sessions, own", "/v1/sessions", hana),
        Request::get("GET sessions, last page", format!("/v1/sessions?per_page=50&page={}", pages / 5), sam),
        Request::get("GET sessions, search title", "/v1/sessions?query=north", sam),
        Request::get("GET sessions, search owner", "/v1/sessions?query=hana", sam),
        Request::get("GET sessions, search in vain", "/v1/sessions?query=zzzz", sam),
        Request::get("GET users", "/v1/users", hana),
        Request::get("GET users, largest page", "/v1/users?per_page=500", hana),
        Request::get("GET users, last page", format!("/v1/users?per_page=50&page={pages}"), hana),
        Request::get("GET users, search", "/v1/users?query=mira", hana),
        Request::get("GET users, search one", "/v1/users?query=person4242%40big.test", hana),
        Request::get("GET users, search in vain", "/v1/users?query=zzzz", hana),
        Request::get("GET users, accounts", "/v1/users?view=accounts", tia),
        Request::get("GET user-requests", "/v1/user-requests", tia),
        Request::get("GET cdrs", "/v1/cdrs", tia),
        Request::get("GET cdrs of a meeting", "/v1/cdrs?meeting=mb77", tia),
        Request::get("GET cdrs by cause", "/v1/cdrs?cause=busy", tia),
        Request::get("GET cdrs of a host", "/v1/cdrs?acting_host=ub7", tia),
        Request::get("GET audit", "/v1/audit", tia),
        Request::get("GET audit of an action", "/v1/audit?action=user.disabled", tia),
        Request::get("GET audit of an object", "/v1/audit?object=ub77", tia),
        Request::get("GET audit of an actor", "/v1/audit?actor=ub77", tia),
        Request::get("GET outbox", "/v1/outbox", tia),
        Request::get("GET blocked-numbers", "/v1/blocked-numbers", tia),
        Request::get("GET numbers", "/v1/numbers", tia),
        Request::get("GET api-keys", "/v1/api-keys", tia),
        Request::get("GET webhooks", "/v1/webhooks", tia),
        Request::get("GET trunks", "/v1/trunks", tia),
        Request::get("GET one meeting", format!("/v1/meetings/{meeting}"), hana),
        Request::get("GET people", format!("/v1/meetings/{meeting}/people"), hana),
        Request::get("GET calls", format!("/v1/meetings/{meeting}/calls"), hana),
        Request::get("GET attendance", "/v1/meetings/mb77/attendance", tia),
        Request::get("GET instances", "/v1/meetings/mb77/instances", tia),
        Request::get("GET devices of a user", "/v1/users/ub77/devices", hana),
    ];
    for (kind, purpose, texts) in [
        ("resolve a letter", "people", json!(["m"])),
        ("resolve a name", "people", json!(["mira"])),
        ("resolve two names", "people", json!(["mira sol"])),
        ("resolve a mail", "invite", json!(["person4242@big.test"])),
        ("resolve a number", "call", json!(["+1 202 555 0177"])),
        ("resolve an extension", "call", json!(["204242"])),
        ("resolve digits", "call", json!(["20"])),
        ("resolve nobody", "people", json!(["zzzz"])),
    ] {
        let body = json!({"purpose": purpose, "texts": texts});
        requests.push(Request::send(kind, "POST", "/v1/resolve", hana, body));
    }
    let pasted: Vec<String> = (1..=200).map(|number| format!("person{number}@big.test")).collect();
    let body = json!({"purpose": "multi", "texts": pasted});
    requests.push(Request::send("resolve 200 pasted", "POST", "/v1/resolve", sam, body));
    let mut figures = Vec::with_capacity(requests.len() + 4);
    for request in &requests {
        figures.push(time(house, request, |_| None).await?);
    }
    let next = |path: &'static str, place: &'static str| {
        move |last: &Value| Some(format!("{path}{}", last[place].as_str()?))
    };
    let deep = Request::get("GET meetings, page after page", "/v1/meetings?limit=50", tia);
    figures.push(time(house, &deep, next("/v1/meetings?limit=50&after=", "next")).await?);
    let deep = Request::get("GET cdrs, page after page", "/v1/cdrs?limit=100", tia);
    figures.push(time(house, &deep, next("/v1/cdrs?limit=100&after=", "next")).await?);
    let deep = Request::get("GET audit, page after page", "/v1/audit?limit=100", tia);
    figures.push(time(house, &deep, next("/v1/audit?limit=100&after=", "next")).await?);
    Ok(Report { figures })
}

/// Asks many times; `next` may name another page by what the last one said.
async fn time(
    house: &House,
    request: &Request,
    next: impl Fn(&Value) -> Option<String>,
) -> LabResult<Figure> {
    let mut request = request.clone();
    let (mut times, mut wrong) = (Vec::with_capacity(TIMES), 0);
    for _ in 0..TIMES {
        let asked = Instant::now();
        let reply = house.client.send(&request).await?;
        times.push(asked.elapsed());
        if !reply.is_success() {
            wrong += 1;
            tracing::error!(kind = request.kind, status = reply.status, body = %reply.json(), "refused");
        }
        if let Some(path) = next(&reply.json()) {
            request.path = path;
        }
    }
    Ok(Figure::of(request.kind, times, wrong, Some(GOAL)))
}
