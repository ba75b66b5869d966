//! The dial policy, its limits, the preview, calling again and being called.

use crate::support::{App, Client, Reply, person};
use axum::http::{Method, StatusCode};
use conference::live::focus::{Command, DialSpec};
use conference::services::testing::Bench;
use conference::vocabulary::{CallPurpose, CallState, Cause};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

async fn put(client: &Client<'_>, path: &str, body: Value) -> Reply {
    client.request(Method::PUT, path, &[], Some(body)).await
}

/// Sets the policy of acme as its Tenant Admin.
async fn set_policy(app: &App, policy: Value) {
    let reply = put(&app.login("tia").await, "/v1/dial-policy", policy).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
}

async fn call(client: &Client<'_>, meeting: &str, targets: Value) -> Vec<Value> {
    let reply = client.post(&format!("/v1/meetings/{meeting}/calls"), json!({"targets": targets})).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{reply:?}");
    reply.body["calls"].as_array().unwrap().clone()
}

async fn check(client: &Client<'_>, meeting: &str, targets: Value) -> Vec<Value> {
    let reply =
        client.post(&format!("/v1/meetings/{meeting}/calls/check"), json!({"targets": targets})).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    reply.body["calls"].as_array().unwrap().clone()
}

fn dials(app: &App) -> Vec<DialSpec> {
    let state = app.bench.live.state();
    let dials = state.commands.iter().filter_map(|command| match command {
        Command::Dial(spec) => Some((**spec).clone()),
        _ => None,
    });
    dials.collect()
}

/// Writes down that a call has reached a state, as the running part would.
async fn record(app: &App, call: &str, state: CallState, cause: Option<Cause>) {
    use conference::live::event::{CallStory, Record};
    use conference::store::records::RecordWriter;
    let record = Record::CallState {
        call: call.into(),
        state,
        cause,
        sip_code: None,
        detail: None,
        at: app.bench.services.now(),
        sip_call_id: String::new(),
        story: CallStory::default(),
    };
    RecordWriter::new(app.bench.store.clone()).write(&record).await.unwrap();
    let meeting = dials(app).into_iter().find(|spec| spec.call.as_str() == call).map(|spec| spec.meeting);
    if let Some(meeting) = meeting {
        app.bench.live.set_calls(&meeting, state);
    }
}

#[tokio::test]
async fn i41_the_policy_is_the_tenant_admins_and_every_mistake_is_named() {
    let app = App::new().await;
    let tia = app.login("tia").await;
    let shown = tia.get("/v1/dial-policy").await;
    assert_eq!(shown.body["mode"], "signed_in_hosts");
    let changed =
        put(&tia, "/v1/dial-policy", json!({"allowed_countries": ["gb"], "allowed_classes": ["premium"]}))
            .await;
    assert_eq!(changed.body["allowed_countries"], json!(["GB"]), "{changed:?}");
    assert_eq!(tia.get("/v1/dial-policy").await.body, changed.body);
    for login in ["hana", "sam", "gus"] {
        let client = app.login(login).await;
        client.get("/v1/dial-policy").await.is_problem(StatusCode::FORBIDDEN, None);
        put(&client, "/v1/dial-policy", json!({})).await.is_problem(StatusCode::FORBIDDEN, None);
        client.get("/v1/blocked-numbers").await.is_problem(StatusCode::FORBIDDEN, None);
    }
    for (body, field) in [
        (json!({"allowed_countries": ["Atlantis"]}), "allowed_countries"),
        (json!({"rules": [{"prefix": "900", "action": "deny"}]}), "rules"),
        (json!({"quiet_hours": {"from": "25:00", "until": "08:00"}}), "quiet_hours.from"),
        (json!({"quiet": true}), "quiet"),
        (json!({"service_caller_id": "+12025559999"}), "service_caller_id"),
    ] {
        put(&tia, "/v1/dial-policy", body).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some(field));
    }
}

#[tokio::test]
async fn i41_a_number_is_tried_against_the_policy() {
    let app = App::new().await;
    let tia = app.login("tia").await;
    let mut answers = Vec::new();
    for number in ["(202) 555-0177", "+442079460958", "+19005550199", "911", "12", "+12025550177,,911"] {
        let answer = tia.post("/v1/dial-policy/check", json!({"number": number})).await.body;
        answers.push((answer["verdict"].clone(), answer["reason"].clone()));
    }
    let deny = |reason: &str| (json!("deny"), json!(reason));
    assert_eq!(
        answers,
        [
            (json!("allow"), json!(null)),
            deny("destination_denied"),
            deny("destination_denied"),
            deny("emergency"),
            deny("not_working_number"),
            deny("emergency"),
        ]
    );
    assert_eq!(app.bench.live.dials(), 0);
}

#[tokio::test]
async fn i42_the_do_not_call_list_is_kept_and_asked() {
    let app = App::new().await;
    let (tia, hana) = (app.login("tia").await, app.login("hana").await);
    let id = hana.active_meeting().await;
    let added =
        tia.post("/v1/blocked-numbers", json!({"number": "555-0177", "reason": "Asked by letter"})).await;
    assert_eq!((added.status, added.body["number"].as_str()), (StatusCode::CREATED, Some("+12025550177")));
    let refused = &call(&hana, &id, json!([{"number": "5550177"}])).await[0];
    assert_eq!((&refused["reason"], &refused["rule"]), (&json!("do_not_call"), &json!("do_not_call")));
    app.bench.services.block_number(&"x".into(), "+1", "", "keypad").await.unwrap_err();
    let list = tia.get("/v1/blocked-numbers").await.body;
    assert_eq!(list["numbers"][0]["reason"], "Asked by letter");
    assert_eq!(tia.delete("/v1/blocked-numbers/+12025550177").await.status, StatusCode::NO_CONTENT);
    assert_eq!(call(&hana, &id, json!([{"number": "5550177"}])).await[0]["state"], "queued");
    tia.delete("/v1/blocked-numbers/+12025550177").await.is_problem(StatusCode::NOT_FOUND, None);
}

#[tokio::test]
async fn i47_off_means_off_for_the_whole_request() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    assert_eq!(hana.get("/v1/me/dial-out").await.body["allowed"], true);
    set_policy(&app, json!({"mode": "off"})).await;
    for path in ["calls", "calls/check"] {
        let body = json!({"targets": [{"number": "5550177"}]});
        let reply = hana.post(&format!("/v1/meetings/{id}/{path}"), body).await;
        reply.is_problem(StatusCode::FORBIDDEN, None);
        assert_eq!(reply.body["reason"], "dial_out_off");
    }
    let own = hana.get("/v1/me/dial-out").await.body;
    assert_eq!((&own["mode"], &own["allowed"]), (&json!("off"), &json!(false)));
    assert_eq!(own["caller_id"]["number"], "+12025550100");
    assert_eq!(app.bench.live.dials(), 0);
}

/// What may be typed into CALL, and more: the preview and the dial must say the same of each.
const INPUTS: &[&str] = &[
    "5550177",
    "(202) 555-0178",
    "+1 202 555 0179",
    "202-555-0180-123",
    "+12025550181,,42#",
    "+12025550182,,911",
    "+442079460958",
    "+16135550123",
    "+18765550123",
    "+19005550199",
    "+870773111632",
    "+883510012345678",
    "911",
    "9-911",
    "tel:911",
    "urn:service:sos",
    "sip:911@acme.test",
    "101",
    "104",
    "12",
    "zzzz",
    "",
    "+1",
    "202555017",
    "+12025550142",
    "+12025550101",
    "103a",
    "guest@else.test",
    "1-800-555-0199",
    "+999 12345678",
];

#[tokio::test]
async fn asks_2_i44_the_preview_says_of_every_input_what_the_dial_says() {
    let app = App::new().await;
    app.bench.live.register("103a");
    set_policy(
        &app,
        json!({
            "allowed_countries": ["GB", "CA"], "rules": [{"prefix": "+1613", "action": "confirm", "reason": "Ask first"}],
            "prices": [{"prefix": "+1202", "class": "local", "per_minute_milli": 12}], "other_per_minute_milli": 99,
            "quiet_hours": {"from": "00:00", "until": "23:59"}, "currency": "EUR",
        }),
    )
    .await;
    let hana = app.login("hana").await;
    let mut allowed = 0;
    for text in INPUTS {
        for confirm in [json!([]), json!(["quiet_hours", "new_country", "rule"])] {
            let id = hana.active_meeting().await;
            let target = json!([{"number": text, "confirm": confirm}]);
            let preview = check(&hana, &id, target.clone()).await.remove(0);
            let mut dialled = call(&hana, &id, target).await.remove(0);
            allowed += usize::from(dialled["state"] == "queued");
            for only in ["id", "person"] {
                dialled.as_object_mut().unwrap().remove(only);
            }
            assert_eq!(preview, dialled, "{text:?} {confirm}");
        }
    }
    assert_eq!(app.bench.live.dials(), allowed, "and what was allowed was dialled, nothing else");
    assert!(allowed > 8, "{allowed}");
}

#[tokio::test]
async fn asks_2_the_preview_shows_number_time_trunk_caller_price_and_who_is_in() {
    let app = App::new().await;
    set_policy(
        &app,
        json!({"prices": [{"prefix": "+1202", "class": "local", "per_minute_milli": 12}], "currency": "EUR"}),
    )
    .await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let answer = check(&hana, &id, json!([{"number": "5550177"}])).await.remove(0);
    // 2027-01-15 08:00 UTC.
    assert_eq!(answer["local_time"], "03:00");
    for (field, value) in [
        ("number", json!("+12025550177")),
        ("display", json!("+1 202 555 0177")),
        ("country", json!("US")),
        ("number_class", json!("ordinary")),
        ("time_zone", json!("America/New_York")),
        ("trunk", json!("carrier")),
        ("verdict", json!("allow")),
        ("price_class", json!("local")),
        ("price_per_minute_milli", json!(12)),
        ("currency", json!("EUR")),
        ("caller_id", json!({"number": "+12025550100", "display": "Hana Hale", "hidden": false})),
    ] {
        assert_eq!(answer[field], value, "{field}");
    }
    assert_eq!(app.bench.live.dials(), 0);
    call(&hana, &id, json!([{"number": "5550177"}])).await;
    let answer = check(&hana, &id, json!([{"number": "5550177"}])).await.remove(0);
    assert_eq!((&answer["already_in"], &answer["reason"]), (&json!(true), &json!("already_in")));
}

#[tokio::test]
async fn i44_quiet_hours_are_confirmed_once_and_written_down() {
    let app = App::new().await;
    set_policy(&app, json!({"quiet_hours": {"from": "21:00", "until": "08:00"}})).await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let asked = call(&hana, &id, json!([{"number": "5550177"}])).await.remove(0);
    assert_eq!((&asked["verdict"], &asked["reason"]), (&json!("confirm"), &json!("quiet_hours")));
    assert_eq!(asked["confirm"], json!(["quiet_hours"]));
    assert!(asked["detail"].as_str().unwrap().contains("03:00"), "{asked}");
    assert!(asked["id"].is_null(), "no call yet: {asked}");
    assert_eq!(app.bench.live.dials(), 0);
    let queued = call(&hana, &id, json!([{"number": "5550177", "confirm": ["quiet_hours"]}])).await.remove(0);
    assert_eq!(queued["state"], "queued", "{queued}");
    let row = hana.get(&format!("/v1/calls/{}", queued["id"].as_str().unwrap())).await.body;
    assert_eq!(row["confirmed"], json!(["quiet_hours"]));
}

#[tokio::test]
async fn i41_the_first_call_to_a_new_country_asks_once_for_the_tenant() {
    let app = App::new().await;
    set_policy(&app, json!({"allowed_countries": ["CA"]})).await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let asked = call(&hana, &id, json!([{"number": "+16135550123"}])).await.remove(0);
    assert_eq!((&asked["reason"], &asked["confirm"]), (&json!("confirm_needed"), &json!(["new_country"])));
    let target = json!([{"number": "+16135550123", "confirm": ["new_country"]}]);
    assert_eq!(call(&hana, &id, target).await[0]["state"], "queued");
    assert_eq!(call(&hana, &id, json!([{"number": "+16135550124"}])).await[0]["state"], "queued");
}

#[tokio::test]
async fn i43_s8_a_thousand_tries_dial_no_more_than_the_limit_and_a_restart_forgets_nothing() {
    let mut app = App::new().await;
    set_policy(&app, json!({"limits": {"tenant_per_hour": 25}})).await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let mut refused = 0;
    for round in 0..10 {
        let targets: Vec<Value> =
            (0..100).map(|n| json!({"number": format!("+1312555{:04}", round * 100 + n)})).collect();
        for answer in call(&hana, &id, json!(targets)).await {
            if answer["state"] == "refused" {
                refused += 1;
                assert_eq!(
                    (&answer["reason"], &answer["rule"]),
                    (&json!("rate_limited"), &json!("tenant_per_hour"))
                );
            }
        }
    }
    assert_eq!((app.bench.live.dials(), refused), (25, 975));
    let token = hana.token.clone().unwrap();
    // The same database, a new process.
    let bench = Bench::on(app.bench.store.clone()).await;
    app = App { router: api::router(Arc::clone(&bench.services)), bench };
    let hana = app.with_token(&token);
    hana.join(&id).await;
    assert_eq!(call(&hana, &id, json!([{"number": "5550177"}])).await[0]["rule"], "tenant_per_hour");
    app.bench.clock.advance(Duration::from_secs(3601));
    assert_eq!(call(&hana, &id, json!([{"number": "5550177"}])).await[0]["state"], "queued");
    assert_eq!(app.bench.live.dials(), 1);
}

#[tokio::test]
async fn i43_two_meetings_at_once_share_the_limit() {
    let app = App::new().await;
    set_policy(&app, json!({"limits": {"tenant_at_once": 5}})).await;
    let hana = app.login("hana").await;
    let (one, other) = (hana.active_meeting().await, hana.active_meeting().await);
    let targets = |from: u32| -> Value {
        (from..from + 8).map(|n| json!({"number": format!("+120255501{n}")})).collect()
    };
    let (first, second) = tokio::join!(call(&hana, &one, targets(10)), call(&hana, &other, targets(30)));
    let queued = first.iter().chain(&second).filter(|answer| answer["state"] == "queued").count();
    assert_eq!((queued, app.bench.live.dials()), (5, 5));
    let refused = first.iter().chain(&second).find(|answer| answer["state"] == "refused").unwrap();
    assert_eq!(refused["reason"], "too_many_at_once");
}

#[tokio::test]
async fn i43_money_and_minutes_end_calls_and_refuse_further_ones() {
    let app = App::new().await;
    set_policy(
        &app,
        json!({"budgets": {"host": {"money_milli": 100}}, "other_per_minute_milli": 60, "max_call_minutes": 90}),
    )
    .await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let first = call(&hana, &id, json!([{"number": "5550177"}])).await.remove(0);
    let first = first["id"].as_str().unwrap();
    assert_eq!(dials(&app)[0].extra.max_length, Some(Duration::from_secs(100)), "as long as the money lasts");
    record(&app, first, CallState::Joined, None).await;
    app.bench.clock.advance(Duration::from_secs(40));
    let own = hana.get("/v1/me/dial-out").await.body;
    assert_eq!((&own["money_left_milli"], &own["currency"]), (&json!(60), &json!("USD")));
    app.bench.services.tend_calls().await.unwrap();
    let stopped = |app: &App| {
        let state = app.bench.live.state();
        state
            .commands
            .iter()
            .filter(|command| matches!(command, Command::StopCall { cause: Cause::BudgetSpent, .. }))
            .count()
    };
    assert_eq!(stopped(&app), 0);
    app.bench.clock.advance(Duration::from_secs(59));
    app.bench.services.tend_calls().await.unwrap();
    assert_eq!(stopped(&app), 1, "before the money is gone, not after");
    record(&app, first, CallState::Ended, Some(Cause::BudgetSpent)).await;
    app.bench.clock.advance(Duration::from_secs(1));
    let next = call(&hana, &id, json!([{"number": "5550178"}])).await.remove(0);
    assert_eq!(next["state"], "queued", "one thousandth is left: {next}");
    assert_eq!(dials(&app)[1].extra.max_length, Some(Duration::from_secs(1)));
    set_policy(&app, json!({"budgets": {"meeting": {"minutes": 1}}})).await;
    let next = call(&hana, &id, json!([{"number": "5550179"}])).await.remove(0);
    assert_eq!((&next["reason"], &next["rule"]), (&json!("budget_spent"), &json!("meeting_budget")));
}

#[tokio::test]
async fn i43_a_burst_of_short_calls_trips_the_breaker_which_closes_by_itself() {
    let app = App::new().await;
    set_policy(&app, json!({"breaker": {"short_calls": 3, "shorter_than_s": 6, "window_minutes": 10}})).await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    for last in 0..3 {
        let answer = call(&hana, &id, json!([{"number": format!("+1202555017{last}")}])).await.remove(0);
        let call = answer["id"].as_str().unwrap();
        record(&app, call, CallState::Joined, None).await;
        app.bench.clock.advance(Duration::from_secs(2));
        record(&app, call, CallState::Ended, Some(Cause::HungUp)).await;
    }
    let refused = call(&hana, &id, json!([{"number": "5550177"}])).await.remove(0);
    assert_eq!((&refused["reason"], &refused["rule"]), (&json!("calls_paused"), &json!("short_calls")));
    app.bench.clock.advance(Duration::from_secs(601));
    assert_eq!(call(&hana, &id, json!([{"number": "5550177"}])).await[0]["state"], "queued");
}

#[tokio::test]
async fn i43_people_who_do_not_press_1_stop_the_meetings_calls() {
    let app = App::new().await;
    set_policy(&app, json!({"breaker": {"not_confirmed": 2}})).await;
    let hana = app.login("hana").await;
    let (id, other) = (hana.active_meeting().await, hana.active_meeting().await);
    for last in 0..2 {
        let answer = call(&hana, &id, json!([{"number": format!("+1202555017{last}")}])).await.remove(0);
        record(&app, answer["id"].as_str().unwrap(), CallState::Failed, Some(Cause::NotConfirmed)).await;
    }
    assert_eq!(call(&hana, &id, json!([{"number": "5550177"}])).await[0]["rule"], "not_confirmed");
    assert_eq!(call(&hana, &other, json!([{"number": "5550177"}])).await[0]["state"], "queued");
}

#[tokio::test]
async fn i55_a_busy_line_is_tried_again_where_asked_at_most_twice_with_the_same_role() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let target =
        json!([{"number": "5550120", "role": "presenter", "again": {"after_seconds": 120, "times": 2}}]);
    let mut last = call(&hana, &id, target).await.remove(0)["id"].as_str().unwrap().to_owned();
    for tries in 1..=2 {
        record(&app, &last, CallState::Failed, Some(Cause::Busy)).await;
        app.bench.clock.advance(Duration::from_secs(119));
        app.bench.services.tend_calls().await.unwrap();
        assert_eq!(app.bench.live.dials(), tries, "not before its time");
        app.bench.clock.advance(Duration::from_secs(2));
        app.bench.services.tend_calls().await.unwrap();
        app.bench.services.tend_calls().await.unwrap();
        let dialled = dials(&app);
        assert_eq!(dialled.len(), tries + 1, "once each time");
        let spec = dialled.last().unwrap();
        assert_eq!(spec.extra.purpose, CallPurpose::Again);
        assert_eq!(spec.person.role, conference::vocabulary::Role::Presenter);
        spec.call.as_str().clone_into(&mut last);
    }
    record(&app, &last, CallState::Failed, Some(Cause::Busy)).await;
    app.bench.clock.advance(Duration::from_secs(300));
    app.bench.services.tend_calls().await.unwrap();
    assert_eq!(app.bench.live.dials(), 3, "at most twice");
    let rows = hana.get(&format!("/v1/meetings/{id}/calls")).await.body;
    assert!(
        rows["calls"][2]["retry_of"].is_string() && rows["calls"][0]["again"]["state"] == "done",
        "{rows}"
    );
}

#[tokio::test]
async fn i55_never_after_a_no_never_by_itself_and_taken_back_by_a_click() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    for (cause, asked, taken_back) in [
        (Cause::Declined, true, false),
        (Cause::DoNotCall, true, false),
        (Cause::NotConfirmed, true, false),
        (Cause::Busy, false, false),
        (Cause::Busy, true, true),
    ] {
        let before = app.bench.live.dials();
        let answer = call(&hana, &id, json!([{"number": "5550120"}])).await.remove(0);
        let call = answer["id"].as_str().unwrap();
        let path = format!("/v1/calls/{call}/again");
        if asked {
            let row = put(&hana, &path, json!({"after_seconds": 30, "times": 1})).await;
            assert_eq!(row.body["again"]["state"], "waiting", "{row:?}");
        }
        record(&app, call, CallState::Failed, Some(cause)).await;
        if taken_back {
            assert_eq!(hana.delete(&path).await.body["again"]["state"], "cancelled");
        }
        app.bench.clock.advance(Duration::from_secs(120));
        app.bench.services.tend_calls().await.unwrap();
        assert_eq!(app.bench.live.dials(), before + 1, "{cause:?}");
        if cause == Cause::Declined {
            put(&hana, &path, json!({"after_seconds": 30})).await.is_problem(StatusCode::CONFLICT, None);
        }
    }
    let answer = call(&hana, &id, json!([{"number": "5550121"}])).await.remove(0);
    let path = format!("/v1/calls/{}/again", answer["id"].as_str().unwrap());
    for body in [json!({"after_seconds": 5}), json!({"after_seconds": 60, "times": 3})] {
        put(&hana, &path, body).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("again"));
    }
    put(&app.login("ari").await, &path, json!({"after_seconds": 60}))
        .await
        .is_problem(StatusCode::FORBIDDEN, None);
}

#[tokio::test]
async fn i56_a_lost_device_is_redialled_once_where_the_tenant_allows_it_and_a_number_never() {
    let app = App::new().await;
    app.bench.live.register("103a");
    let hana = app.login("hana").await;
    let uma = hana.user("Uma").await;
    for (allowed, expected) in [(false, 0), (true, 1)] {
        set_policy(&app, json!({"redial_lost_devices": allowed})).await;
        let id = hana.active_meeting().await;
        let targets = json!([{"user": uma, "device": "103a", "role": "presenter"}, {"number": "5550177"}]);
        let answers = call(&hana, &id, targets).await;
        let before = app.bench.live.dials();
        for answer in &answers {
            let call = answer["id"].as_str().unwrap();
            record(&app, call, CallState::Joined, None).await;
            record(&app, call, CallState::Ended, Some(Cause::Lost)).await;
        }
        for _ in 0..3 {
            app.bench.services.tend_calls().await.unwrap();
        }
        assert_eq!(app.bench.live.dials() - before, expected, "allowed: {allowed}");
        app.bench.clock.advance(Duration::from_secs(120));
    }
    let spec = dials(&app).pop().unwrap();
    assert_eq!((spec.extra.purpose, spec.press_one), (CallPurpose::Reconnect, false));
    assert_eq!(spec.caller.number, "+12025550100", "the same caller ID");
}

#[tokio::test]
async fn i61_call_me_is_for_those_who_are_in_and_for_guests_where_allowed() {
    let app = App::new().await;
    app.bench.live.register("102a");
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let path = format!("/v1/meetings/{id}/people/me/call-me");
    let ari = app.login("ari").await;
    ari.post(&path, json!({})).await.is_problem(StatusCode::CONFLICT, None);
    ari.join(&id).await;
    let reply = ari.post(&path, json!({"device": "102a"})).await;
    assert_eq!((reply.status, &reply.body["state"]), (StatusCode::ACCEPTED, &json!("queued")), "{reply:?}");
    let spec = dials(&app).pop().unwrap();
    assert_eq!((spec.extra.purpose, spec.press_one), (CallPurpose::CallMe, false));
    assert_eq!(spec.caller.number, "+12025550102", "their own number");
    let meeting = hana.get(&format!("/v1/meetings/{id}")).await.body;
    assert_eq!(spec.person.person.as_str(), person(&meeting, "Ari")["id"].as_str().unwrap(), "one person");
    assert_eq!(person(&meeting, "Ari")["role"], "attendee");

    let uma = hana.user("Uma").await;
    hana.post(&format!("/v1/meetings/{id}/people"), json!({"people": [{"user": uma}]})).await;
    let uma = app.login("uma").await;
    uma.join(&id).await;
    let refused = uma.post(&path, json!({"number": "5550143"})).await.body;
    assert_eq!(refused["reason"], "no_caller_id", "and nobody else's is shown: {refused}");

    let link = meeting["link"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let joined = app.anonymous().post(&format!("/v1/join/{link}"), json!({"name": "Gerd"})).await;
    let gerd = app.with_token(joined.body["token"].as_str().unwrap());
    gerd.join(&id).await;
    gerd.post(&path, json!({"number": "5550177"})).await.is_problem(StatusCode::FORBIDDEN, None);
    let number = json!({"number": "+12025550199", "verified": true});
    assert_eq!(app.login("tia").await.post("/v1/numbers", number).await.status, StatusCode::CREATED);
    set_policy(&app, json!({"call_me": "everybody", "service_caller_id": "+12025550199"})).await;
    let reply = gerd.post(&path, json!({"number": "5550177"})).await;
    assert_eq!(reply.body["state"], "queued", "{reply:?}");
    let spec = dials(&app).pop().unwrap();
    assert_eq!((spec.caller.number.as_str(), spec.press_one), ("+12025550199", true));
    set_policy(&app, json!({"call_me": "off"})).await;
    ari.post(&path, json!({})).await.is_problem(StatusCode::FORBIDDEN, None);
}

#[tokio::test]
async fn i34_keys_behind_a_number_reach_the_dial_and_survive_a_retry() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let answer = call(&hana, &id, json!([{"number": "+12025550177,,123#"}])).await.remove(0);
    assert_eq!((&answer["number"], &answer["sends_keys"]), (&json!("+12025550177"), &json!(true)));
    let first = answer["id"].as_str().unwrap();
    record(&app, first, CallState::Failed, Some(Cause::Busy)).await;
    let retried = hana.post(&format!("/v1/calls/{first}/retry"), json!({})).await;
    assert_eq!(retried.body["state"], "queued", "{retried:?}");
    let keys: Vec<_> = dials(&app).into_iter().map(|spec| spec.extra.keys).collect();
    assert_eq!(keys, [Some(",,123#".to_owned()), Some(",,123#".to_owned())]);
    let answer = call(&hana, &id, json!([{"number": "5550178", "keys": "w55"}])).await.remove(0);
    assert_eq!(answer["state"], "queued");
    assert_eq!(dials(&app)[2].extra.keys.as_deref(), Some("w55"));
    let answer = call(&hana, &id, json!([{"number": "5550179", "keys": "9,911"}])).await.remove(0);
    assert_eq!(answer["reason"], "emergency");
}

#[tokio::test]
async fn d35_i52_a_row_tells_its_story() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let answer = call(&hana, &id, json!([{"number": "5550120"}])).await.remove(0);
    let call = answer["id"].as_str().unwrap();
    record(&app, call, CallState::Dialling, None).await;
    record(&app, call, CallState::Ringing, None).await;
    app.bench.clock.advance(Duration::from_secs(7));
    let path = format!("/v1/calls/{call}");
    let ringing = hana.get(&path).await.body;
    assert_eq!((&ringing["ring_seconds"], &ringing["next"]["action"]), (&json!(7), &json!("cancel")));
    record(&app, call, CallState::Failed, Some(Cause::Busy)).await;
    let over = hana.get(&path).await.body;
    assert_eq!((&over["ring_seconds"], &over["words"]), (&json!(7), &json!("Busy")));
    assert_eq!(
        over["next"],
        json!({"action": "retry_later", "label": "Try again in 2 min", "after_seconds": 120})
    );
    let events = over["events"].as_array().unwrap();
    let states: Vec<&str> = events.iter().filter_map(|event| event["state"].as_str()).collect();
    assert_eq!(states, ["queued", "dialling", "ringing", "failed"]);
    assert!(events.iter().all(|event| event["words"].is_string() && event["next"]["action"].is_string()));
}
