use crate::support::{App, Client, Reply, person};
use axum::http::{Method, StatusCode};
use conference::ids::MeetingId;
use conference::live::focus::{Command, DialSpec, DialTarget, Refusal, RefusalKind};
use conference::vocabulary::{CallState, Cause, Role};
use serde_json::{Value, json};

async fn call(client: &Client<'_>, meeting: &str, targets: Value) -> Reply {
    client.post(&format!("/v1/meetings/{meeting}/calls"), json!({"targets": targets})).await
}

/// The one refusal of a list of one.
async fn refused(client: &Client<'_>, meeting: &str, target: Value) -> Value {
    let reply = call(client, meeting, json!([target])).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{reply:?}");
    let answer = reply.body["calls"][0].clone();
    assert_eq!(answer["state"], "refused", "{answer}");
    answer
}

fn dials(app: &App) -> Vec<DialSpec> {
    let state = app.bench.live.state();
    let dials = state.commands.iter().filter_map(|command| match command {
        Command::Dial(spec) => Some((**spec).clone()),
        _ => None,
    });
    dials.collect()
}

#[tokio::test]
async fn a53_devices_and_numbers_are_called_side_by_side_with_ids_at_once() {
    let app = App::new().await;
    app.bench.live.register("103a");
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let uma = hana.user("Uma").await;
    let reply = call(
        &hana,
        &id,
        json!([
            {"user": uma, "device": "103a", "role": "presenter"},
            {"number": "(202) 555-0177", "role": "attendee", "name": "Kim"},
            {"number": "911"},
        ]),
    )
    .await;
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{reply:?}");
    let calls = reply.body["calls"].as_array().unwrap();
    assert_eq!(calls[0]["state"], "queued");
    assert_eq!(calls[1]["number"], "+12025550177");
    assert_eq!(calls[2]["reason"], "emergency", "and it does not stop the others");
    assert!(calls.iter().all(|call| call["id"].as_str().unwrap().len() == 33));

    let dials = dials(&app);
    assert_eq!(dials.len(), 2);
    assert!(matches!(&dials[0].target, DialTarget::Device { aor, label }
        if aor.user == "103a" && aor.domain == "acme.test" && label == "Desk phone 103a"));
    assert_eq!(dials[0].person.role, Role::Presenter);
    assert!(
        matches!(&dials[1].target, DialTarget::Number { e164, trunks } if e164 == "+12025550177" && trunks.len() == 1)
    );
    assert!(!dials[0].press_one && dials[1].press_one, "I50: outside numbers press 1, devices need not");
    let people = hana.get(&format!("/v1/meetings/{id}")).await.body;
    assert_eq!(person(&people, "Kim")["source"], "call");
}

#[tokio::test]
async fn a55_a56_a57_the_caller_id_is_the_acting_hosts_on_devices_and_numbers_alike() {
    let app = App::new().await;
    app.bench.live.register("103a");
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let uma = hana.user("Uma").await;
    let people = hana.get(&format!("/v1/meetings/{id}")).await.body;
    let pia_row = person(&people, "Pia")["id"].as_str().unwrap();
    hana.patch(&format!("/v1/meetings/{id}/people/{pia_row}"), json!({"role": "host"})).await;
    call(&hana, &id, json!([{"user": uma}, {"number": "5550177"}])).await;
    call(&app.login("pia").await, &id, json!([{"number": "5550110"}])).await;
    let callers: Vec<_> =
        dials(&app).into_iter().map(|dial| (dial.caller.number, dial.caller.display_name)).collect();
    let hana = ("+12025550100".to_owned(), "Hana Hale".to_owned());
    assert_eq!(callers, [hana.clone(), hana, ("+12025550101".to_owned(), "Pia Paz".to_owned())]);
}

#[tokio::test]
async fn a60_without_a_caller_id_nobody_is_called_and_the_setting_is_named() {
    let app = App::new().await;
    app.bench.live.register("103a");
    let tia = app.login("tia").await;
    let id = tia.active_meeting().await;
    let uma = tia.user("Uma").await;
    for target in [json!({"number": "5550177"}), json!({"user": uma, "device": "103a"})] {
        let answer = refused(&tia, &id, target).await;
        assert_eq!(answer["reason"], "no_caller_id");
        assert!(answer["mend"].as_str().unwrap().contains("Caller ID"), "{answer}");
    }
    assert_eq!(app.bench.live.dials(), 0);
}

#[tokio::test]
async fn a32_an_attendee_and_a_presenter_may_not_call() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    for login in ["ari", "pia", "sam", "tia"] {
        let client = app.login(login).await;
        let reply = call(&client, &id, json!([{"number": "5550177"}])).await;
        reply.is_problem(StatusCode::FORBIDDEN, None);
    }
    assert_eq!(app.bench.live.dials(), 0);
}

#[tokio::test]
async fn i46_nobody_is_called_while_no_host_is_in() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let meeting = hana.meeting("conference").await;
    let id = meeting["id"].as_str().unwrap();
    for path in ["calls", "calls/check"] {
        let body = json!({"targets": [{"number": "5550177"}]});
        let reply = hana.post(&format!("/v1/meetings/{id}/{path}"), body).await;
        reply.is_problem(StatusCode::CONFLICT, None);
        assert_eq!(reply.body["reason"], "no_host");
    }
}

#[tokio::test]
async fn a49_an_unregistered_device_is_refused_and_a_number_offered() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let uma = hana.user("Uma").await;
    let answer = refused(&hana, &id, json!({"user": uma, "device": "103a"})).await;
    assert_eq!(answer["reason"], "not_registered");
    let answer = refused(&hana, &id, json!({"user": uma})).await;
    assert_eq!(answer["reason"], "not_registered");
    assert!(answer["mend"].as_str().unwrap().contains("+1 202 555 0143"), "I37: {answer}");
    let answer = refused(&hana, &id, json!({"user": uma, "device": "100a"})).await;
    assert_eq!(answer["reason"], "no_device", "somebody else's device");
}

#[tokio::test]
async fn a47_one_device_is_preselected_and_of_several_one_must_be_chosen() {
    let app = App::new().await;
    app.bench.live.register("103b");
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let uma = hana.user("Uma").await;
    let reply = call(&hana, &id, json!([{"user": uma}])).await;
    assert_eq!(reply.body["calls"][0]["device"], "103b", "{reply:?}");
    app.bench.live.register("103a");
    app.bench.live.set_calls(&MeetingId::new(&id), CallState::Failed);
    let answer = refused(&hana, &id, json!({"user": uma})).await;
    assert_eq!(answer["reason"], "no_device");
}

#[tokio::test]
async fn i31_short_digits_stay_in_the_house() {
    let app = App::new().await;
    app.bench.live.register("103a");
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    assert_eq!(refused(&hana, &id, json!({"number": "104"})).await["reason"], "no_such_extension");
    let reply = call(&hana, &id, json!([{"number": "103"}])).await;
    assert_eq!(reply.body["calls"][0]["device"], "103a", "{reply:?}");
    assert!(matches!(dials(&app)[0].target, DialTarget::Device { .. }));
}

#[tokio::test]
async fn i33_a_users_own_number_rings_in_the_house_and_their_mobile_outside() {
    let app = App::new().await;
    app.bench.live.register("102a");
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    call(&hana, &id, json!([{"number": "+1 202 555 0102"}])).await;
    assert!(matches!(dials(&app)[0].target, DialTarget::Device { .. }));
    app.bench.live.set_calls(&MeetingId::new(&id), CallState::Failed);
    call(&hana, &id, json!([{"number": "+1 202 555 0142"}])).await;
    assert!(matches!(&dials(&app)[1].target, DialTarget::Number { e164, .. } if e164 == "+12025550142"));
    assert_eq!(dials(&app)[0].person.person, dials(&app)[1].person.person, "both are Ari");
}

#[tokio::test]
async fn i40_emergency_numbers_are_never_dialled_nor_put_on_a_list() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    for number in
        ["911", "9-911", "9911", "112", "933", "999", "tel:911", "sip:911@acme.test", "urn:service:sos"]
    {
        let answer = refused(&hana, &id, json!({"number": number})).await;
        assert_eq!(answer["reason"], "emergency", "{number}");
        let people = json!({"people": [{"number": number}]});
        let reply = hana.post(&format!("/v1/meetings/{id}/people"), people).await;
        reply.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("people[0].number"));
    }
    assert_eq!(app.bench.live.dials(), 0);
}

#[tokio::test]
async fn i41_other_countries_are_denied_by_default() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    for number in ["+49 30 901820", "+1 900 555 0123", "+1 876 555 0123"] {
        let answer = refused(&hana, &id, json!({"number": number})).await;
        assert!(
            ["destination_denied", "not_working_number"].contains(&answer["reason"].as_str().unwrap()),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn i36_nobody_is_rung_twice() {
    let app = App::new().await;
    app.bench.live.register("101a");
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let reply = call(&hana, &id, json!([{"number": "5550177"}, {"number": "+12025550177"}])).await;
    assert_eq!(reply.body["calls"][1]["reason"], "already_in");
    let answer = refused(&hana, &id, json!({"number": "5550177"})).await;
    assert_eq!(answer["reason"], "already_in", "it is ringing");
    app.login("pia").await.join(&id).await;
    let pia = hana.user("Pia").await;
    let answer = refused(&hana, &id, json!({"user": pia})).await;
    assert_eq!(answer["detail"], "Already in the meeting");
    assert_eq!(app.bench.live.dials(), 1);
}

#[tokio::test]
async fn d39_the_same_key_twice_gives_one_dial_and_the_same_answer() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let path = format!("/v1/meetings/{id}/calls");
    let body = json!({"targets": [{"number": "5550177"}]});
    let press = |body: Value| hana.request(Method::POST, &path, &[("Idempotency-Key", "k-1")], Some(body));
    let (first, second) = tokio::join!(press(body.clone()), press(body.clone()));
    assert_eq!(first.status, StatusCode::ACCEPTED, "{first:?}");
    assert_eq!(first.body, second.body);
    app.bench.live.set_calls(&MeetingId::new(&id), CallState::Failed);
    assert_eq!(press(body).await.body, first.body, "also when the call is over");
    assert_eq!(app.bench.live.dials(), 1);
    let other = press(json!({"targets": [{"number": "5550178"}]})).await;
    other.is_problem(StatusCode::CONFLICT, Some("Idempotency-Key"));
    let bad =
        hana.request(Method::POST, &path, &[("Idempotency-Key", "a b")], Some(json!({"targets": []}))).await;
    bad.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("Idempotency-Key"));
}

#[tokio::test]
async fn the_preview_says_what_the_call_does_and_does_nothing() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let body =
        json!({"targets": [{"number": "5550177"}, {"number": "104"}, {"user": hana.user("Uma").await}]});
    let preview = hana.post(&format!("/v1/meetings/{id}/calls/check"), body.clone()).await;
    assert_eq!(preview.status, StatusCode::OK);
    assert_eq!(app.bench.live.dials(), 0);
    assert_eq!(hana.get(&format!("/v1/meetings/{id}/calls")).await.body["calls"], json!([]));
    let mut real = hana.post(&format!("/v1/meetings/{id}/calls"), body).await.body;
    for call in real["calls"].as_array_mut().unwrap() {
        call.as_object_mut().unwrap().retain(|name, _| name != "id" && name != "person");
    }
    assert_eq!(preview.body, real);
}

#[tokio::test]
async fn what_the_running_part_refuses_is_told_and_written_down() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    app.bench.live.state().refuse_dial = Some(Refusal::call(RefusalKind::Overload, Cause::TrunkBusy));
    let answer = refused(&hana, &id, json!({"number": "5550177"})).await;
    assert_eq!(answer["reason"], "trunk_busy");
    let record = hana.get(&format!("/v1/calls/{}", answer["id"].as_str().unwrap())).await.body;
    assert_eq!((&record["state"], &record["cause"]), (&json!("refused"), &json!("trunk_busy")));
    let states: Vec<_> =
        record["events"].as_array().unwrap().iter().map(|event| event["state"].clone()).collect();
    assert_eq!(states, ["queued", "refused"]);
}

#[tokio::test]
async fn i53_a_call_is_cancelled_by_hosts_only() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let reply = call(&hana, &id, json!([{"number": "5550177"}])).await;
    let path = format!("/v1/calls/{}", reply.body["calls"][0]["id"].as_str().unwrap());
    app.login("ari").await.delete(&path).await.is_problem(StatusCode::FORBIDDEN, None);
    app.login("zed").await.delete(&path).await.is_problem(StatusCode::NOT_FOUND, None);
    app.login("uma").await.get(&path).await.is_problem(StatusCode::NOT_FOUND, None);
    assert_eq!(hana.delete(&path).await.status, StatusCode::ACCEPTED);
    let state = app.bench.live.state();
    assert!(state.commands.iter().any(|command| matches!(command, Command::EndCall { .. })));
}

#[tokio::test]
async fn i55_call_again_keeps_the_role() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let reply = call(&hana, &id, json!([{"number": "5550177", "role": "presenter", "name": "Kim"}])).await;
    let first = reply.body["calls"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/calls/{first}/retry");
    let early = hana.post(&path, json!({})).await;
    assert_eq!(early.body["reason"], "already_in", "{early:?}");
    app.bench.live.set_calls(&MeetingId::new(&id), CallState::Failed);
    let again = hana.post(&path, json!({})).await;
    assert_eq!((again.status, &again.body["state"]), (StatusCode::ACCEPTED, &json!("queued")), "{again:?}");
    let dials = dials(&app);
    assert_eq!(dials.len(), 2);
    assert_eq!(dials[1].person, dials[0].person);
    assert_ne!(dials[1].sip_call_id, dials[0].sip_call_id);
    let calls = hana.get(&format!("/v1/meetings/{id}/calls")).await.body;
    assert!(
        calls["calls"].as_array().unwrap().iter().any(|call| call["retry_of"] == first.as_str()),
        "{calls}"
    );
}

#[tokio::test]
async fn wrong_targets_are_named() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let many: Vec<Value> = (0..101).map(|_| json!({"number": "5550177"})).collect();
    for (targets, field) in [
        (json!([]), "targets"),
        (json!(many), "targets"),
        (json!([{"number": "5550177"}, {}]), "targets[1].user"),
        (json!([{"user": "u0"}]), "targets[0].user"),
        (json!([{"number": "5550177", "user": "u0"}]), "targets[0].user"),
        (json!([{"number": "5550177", "role": "host", "access": "view_only"}]), "targets[0].access"),
        (json!([{"number": "5550177", "name": "a\r\nb"}]), "targets[0].name"),
        (json!([{"number": 5550177}]), "targets[0].number"),
    ] {
        let reply = call(&hana, &id, targets).await;
        reply.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some(field));
    }
    assert_eq!(app.bench.live.dials(), 0);
}

#[tokio::test]
async fn the_calls_of_a_meeting_are_turned_page_by_page_from_the_latest_on() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let path = format!("/v1/meetings/{}/calls", hana.active_meeting().await);
    let mut placed = Vec::new();
    // Two presses at the same moment, and one later.
    for press in 0..3 {
        let numbers: Vec<_> =
            (0..4).map(|n| json!({"number": format!("+1202555{:04}", 2_000 + press * 10 + n)})).collect();
        let reply = hana.post(&path, json!({"targets": numbers})).await;
        assert_eq!(reply.status, StatusCode::ACCEPTED, "{reply:?}");
        placed.extend(ids(&reply.body));
        if press > 0 {
            app.bench.clock.advance(std::time::Duration::from_secs(61));
        }
    }
    let whole = hana.get(&path).await.body;
    assert_eq!((ids(&whole).len(), &whole["next"]), (12, &Value::Null));
    assert_eq!(ids(&whole)[8..], placed[8..], "oldest first");
    let (mut after, mut seen) = (String::new(), Vec::new());
    let mut pages = 0;
    loop {
        let page = hana.get(&format!("{path}?limit=5{after}")).await.body;
        pages += 1;
        seen.splice(0..0, ids(&page));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!((pages, &seen), (3, &ids(&whole)), "nothing twice, nothing left out, also of one moment");
    let exact = hana.get(&format!("{path}?limit=12")).await.body;
    assert_eq!(exact["next"], Value::Null, "there is nothing behind the last page");
    for (wrong, field) in
        [("limit=0", "limit"), ("limit=501", "limit"), ("after=x", "after"), ("after=5.x", "after")]
    {
        let reply = hana.get(&format!("{path}?{wrong}")).await;
        reply.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some(field));
    }
}

fn ids(list: &Value) -> Vec<String> {
    list["calls"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}
