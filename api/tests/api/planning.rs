//! Planned meetings, rooms, drafts, settings, join information, the list; and who may do what.

use crate::support::{App, Client, Reply, person};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

/// The bench's clock stands in January 2027.
const MONDAY: &str = "2027-03-01T09:00:00";

async fn create(client: &Client<'_>, body: Value) -> Value {
    let reply = client.post("/v1/meetings", body).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
    reply.body
}

fn path(meeting: &Value, rest: &str) -> String {
    format!("/v1/meetings/{}{rest}", meeting["id"].as_str().unwrap())
}

fn titles(page: &Reply) -> Vec<&str> {
    page.body["meetings"].as_array().unwrap().iter().map(|row| row["title"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a19_a20_i01_a_draft_is_seen_by_nobody_and_next_is_all_or_nothing() {
    let app = App::new().await;
    let (hana, sam, pia) = (app.login("hana").await, app.login("sam").await, app.login("pia").await);
    let pia_user = hana.user("Pia").await;
    let people = json!([{"user": pia_user, "role": "presenter"}, {"email": "guest@else.test"}]);
    let draft = create(&hana, json!({"kind": "scheduled", "draft": true, "people": people})).await;
    assert_eq!(
        (&draft["state"], &draft["number"], &draft["link"]),
        (&json!("draft"), &json!(""), &json!(""))
    );
    for other in [&sam, &pia] {
        other.get(&path(&draft, "")).await.is_problem(StatusCode::NOT_FOUND, None);
        assert!(titles(&other.get("/v1/meetings").await).is_empty());
    }
    assert_eq!(titles(&hana.get("/v1/meetings").await), [""]);
    hana.get(&path(&draft, "/join-info")).await.is_problem(StatusCode::CONFLICT, None);
    hana.post(&path(&draft, "/start"), json!({})).await.is_problem(StatusCode::CONFLICT, None);
    // NEXT names what is missing, one after the other, and creates nothing.
    hana.post(&path(&draft, "/publish"), json!({}))
        .await
        .is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("title"));
    hana.patch(&path(&draft, ""), json!({"title": "Budget"})).await;
    hana.post(&path(&draft, "/publish"), json!({}))
        .await
        .is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("start"));
    let pia_row = person(&draft, "Pia")["id"].as_str().unwrap().to_owned();
    hana.patch(&path(&draft, &format!("/people/{pia_row}")), json!({"role": "host"})).await;
    hana.delete(&path(&draft, &format!("/people/{}", person(&draft, "guest")["id"].as_str().unwrap()))).await;
    assert!(app.bench.live.state().commands.is_empty(), "the running part has heard of nothing");
    assert!(titles(&pia.get("/v1/meetings").await).is_empty());
    hana.patch(&path(&draft, ""), json!({"start": MONDAY, "time_zone": "America/Chicago"})).await;
    let next = hana.post(&path(&draft, "/publish"), json!({})).await;
    assert_eq!((next.status, &next.body["state"]), (StatusCode::OK, &json!("scheduled")), "{next:?}");
    assert_eq!(next.body["number"].as_str().unwrap().len(), 9);
    assert_eq!(next.body["people"].as_array().unwrap().len(), 2, "the removed guest is not invited");
    assert_eq!(titles(&pia.get("/v1/meetings").await), ["Budget"]);
    assert_eq!(person(&next.body, "Pia")["role"], "host", "a62: the role of the draft");
    hana.post(&path(&draft, "/publish"), json!({})).await.is_problem(StatusCode::CONFLICT, None);
    let other = create(&hana, json!({"draft": true, "people": [{"user": pia_user, "role": "host"}]})).await;
    let row = person(&other, "Pia")["id"].as_str().unwrap();
    let invite = json!({"targets": [{"user": pia_user}, {"email": "guest@else.test"}]});
    hana.post(&path(&other, "/invitations"), invite).await.is_problem(StatusCode::CONFLICT, None);
    let resend = path(&other, &format!("/people/{row}/resend"));
    hana.post(&resend, json!({})).await.is_problem(StatusCode::CONFLICT, None);
    let heir = Some(json!({"user": pia_user}));
    let given = hana.request(Method::PUT, &path(&other, "/owner"), &[], heir).await;
    given.is_problem(StatusCode::CONFLICT, None);
    assert_eq!(hana.delete(&path(&other, "")).await.status, StatusCode::NO_CONTENT);
    hana.get(&path(&other, "")).await.is_problem(StatusCode::NOT_FOUND, None);
}

#[tokio::test]
async fn a62_the_role_of_the_draft_is_the_role_after_next() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let people = json!([
        {"user": hana.user("Pia").await, "role": "presenter"}, {"user": hana.user("Ari").await},
        {"user": hana.user("Uma").await, "role": "host"}, {"email": "guest@else.test", "role": "presenter"},
    ]);
    let draft = create(&hana, json!({"title": "Budget", "draft": true, "people": people})).await;
    let roles = |meeting: &Value| {
        ["Pia", "Ari", "Uma", "guest"].map(|name| person(meeting, name)["role"].as_str().unwrap().to_owned())
    };
    assert_eq!(roles(&draft), ["presenter", "attendee", "host", "presenter"]);
    let ari = path(&draft, &format!("/people/{}", person(&draft, "Ari")["id"].as_str().unwrap()));
    assert_eq!(hana.patch(&ari, json!({"role": "presenter"})).await.status, StatusCode::OK);
    // Coming back to the draft later shows it as it was left.
    let stored = hana.get(&path(&draft, "")).await.body;
    assert_eq!(roles(&stored), ["presenter", "presenter", "host", "presenter"]);
    let next = hana.post(&path(&draft, "/publish"), json!({})).await;
    assert_eq!(next.status, StatusCode::OK, "{next:?}");
    assert_eq!(
        roles(&hana.get(&path(&draft, "")).await.body),
        ["presenter", "presenter", "host", "presenter"]
    );
}

#[tokio::test]
async fn i04_i05_a_weekly_meeting_keeps_its_hour_across_the_change_of_clocks() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let weekly = json!({
        "title": "Weekly", "kind": "recurring", "start": "2027-03-01T09:00:00", "duration_minutes": 30,
        "time_zone": "America/Chicago", "rrule": "FREQ=WEEKLY;COUNT=4",
    });
    let meeting = create(&hana, weekly).await;
    let runs = hana.get(&path(&meeting, "/occurrences")).await.body;
    let starts: Vec<_> = runs["occurrences"].as_array().unwrap().iter().collect();
    let clocks: Vec<_> = starts.iter().map(|run| run["start_local"].as_str().unwrap()).collect();
    assert_eq!(
        clocks,
        ["2027-03-01T09:00:00", "2027-03-08T09:00:00", "2027-03-15T09:00:00", "2027-03-22T09:00:00"]
    );
    let offsets: Vec<_> = starts.iter().map(|run| run["utc_offset"].as_str().unwrap()).collect();
    assert_eq!(offsets, ["-06:00", "-06:00", "-05:00", "-05:00"], "the change is on 14 March");
    let (one, two) = (starts[1]["start"].as_u64().unwrap(), starts[2]["start"].as_u64().unwrap());
    assert_eq!(two - one, (7 * 24 - 1) * 3_600_000, "one hour less in between");
    let info = hana.get(&path(&meeting, "/join-info")).await.body;
    assert_eq!(info["start_local"], "2027-03-01T09:00:00");
    assert!(info["text"].as_str().unwrap().contains("09:00 to 09:30 (America/Chicago), every week, 4 times"));
    let moved = hana.patch(&path(&meeting, ""), json!({"time_zone": "Europe/Berlin"})).await.body;
    let runs = hana.get(&path(&moved, "/occurrences?limit=1")).await.body;
    assert_eq!(
        runs["occurrences"][0]["start_local"], "2027-03-01T09:00:00",
        "the clock stays, the zone moves"
    );
    assert_eq!(runs["occurrences"][0]["utc_offset"], "+01:00");
    for (body, field) in [
        (json!({"title": "X", "kind": "scheduled"}), "start"),
        (json!({"title": "X", "kind": "recurring", "start": MONDAY}), "rrule"),
        (json!({"title": "X", "kind": "scheduled", "start": MONDAY, "rrule": "FREQ=DAILY"}), "rrule"),
        (json!({"title": "X", "kind": "room", "start": MONDAY}), "start"),
        (json!({"title": "X", "kind": "scheduled", "start": "2020-01-01T00:00:00"}), "start"),
        (json!({"title": "X", "kind": "scheduled", "start": MONDAY, "time_zone": "Nowhere"}), "time_zone"),
        (json!({"title": "X", "default_role": "host"}), "default_role"),
        (json!({"title": "X", "guest_pin": "1234"}), "guest_pin"),
        (json!({"title": "X", "host_pin": "1111"}), "host_pin"),
        (json!({"title": "X", "guest_pin": "4816", "host_pin": "4816"}), "host_pin"),
        (json!({"title": "X", "settings": {"colour": "red"}}), "settings.colour"),
        (json!({"title": "X", "settings": {"lobby": "yes"}}), "settings.lobby"),
        (json!({"title": "X", "settings": {"max_participants": 0}}), "settings.max_participants"),
    ] {
        let reply = hana.post("/v1/meetings", body).await;
        reply.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some(field));
    }
}

#[tokio::test]
async fn i01_i10_a_meeting_is_ended_complete_opened_again_and_called_off() {
    let app = App::new().await;
    let (hana, pia) = (app.login("hana").await, app.login("pia").await);
    let meeting = hana.meeting("conference").await;
    let state = async || hana.get(&path(&meeting, "")).await.body["state"].as_str().unwrap().to_owned();
    assert_eq!(state().await, "scheduled");
    hana.post(&path(&meeting, "/end"), json!({})).await;
    assert_eq!(state().await, "ended");
    hana.post(&path(&meeting, "/end?complete=true"), json!({})).await;
    assert_eq!(state().await, "complete");
    let offer = pia.post(&path(&meeting, "/webrtc/offer"), json!({"sdp": "v=0\r\n"})).await;
    offer.is_problem(StatusCode::CONFLICT, None);
    hana.post(&path(&meeting, "/start"), json!({})).await;
    assert_eq!(state().await, "scheduled");
    pia.delete(&path(&meeting, "")).await.is_problem(StatusCode::FORBIDDEN, None);
    assert_eq!(hana.delete(&path(&meeting, "")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(hana.delete(&path(&meeting, "")).await.status, StatusCode::NO_CONTENT, "twice is once");
    assert_eq!(state().await, "cancelled");
    assert!(titles(&hana.get("/v1/meetings").await).is_empty());
    let link = meeting["link"].as_str().unwrap().rsplit('/').next().unwrap();
    let late = app.anonymous().post(&format!("/v1/join/{link}"), json!({"name": "Kim"})).await;
    late.is_problem(StatusCode::CONFLICT, None);
    hana.post(&path(&meeting, "/start"), json!({})).await.is_problem(StatusCode::CONFLICT, None);
    hana.patch(&path(&meeting, ""), json!({"title": "Y"})).await.is_problem(StatusCode::CONFLICT, None);
    // A planned meeting is complete by itself twelve hours after its end.
    let planned =
        json!({"title": "P", "kind": "scheduled", "start": "2027-01-16T09:00:00", "time_zone": "UTC"});
    let planned = create(&hana, planned).await;
    app.bench.clock.advance(std::time::Duration::from_secs(4 * 24 * 3600));
    let hana = app.login("hana").await;
    assert_eq!(hana.get(&path(&planned, "")).await.body["state"], "complete");
    hana.post(&path(&planned, "/start"), json!({})).await;
    assert_eq!(hana.get(&path(&planned, "")).await.body["state"], "scheduled", "a Host opens it again");
}

#[tokio::test]
async fn i06_settings_are_the_hosts_or_the_owners_alone() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let meeting = hana.meeting("conference").await;
    assert_eq!(meeting["settings"]["host_required"], true, "i07: nobody but a Host begins");
    let row = person(&meeting, "Pia")["id"].as_str().unwrap().to_owned();
    hana.patch(&path(&meeting, &format!("/people/{row}")), json!({"role": "host"})).await;
    let pia = app.login("pia").await;
    let set = async |client: &Client<'_>, settings: Value| {
        client.patch(&path(&meeting, ""), json!({ "settings": settings })).await
    };
    assert_eq!(set(&pia, json!({"lobby": true})).await.body["settings"]["lobby"], true);
    set(&pia, json!({"hosts_may_change_settings": false})).await.is_problem(StatusCode::FORBIDDEN, None);
    assert_eq!(set(&hana, json!({"hosts_may_change_settings": false})).await.status, StatusCode::OK);
    set(&pia, json!({"lobby": false})).await.is_problem(StatusCode::FORBIDDEN, None);
    assert_eq!(pia.patch(&path(&meeting, ""), json!({"title": "Mine"})).await.status, StatusCode::OK);
    let ari = app.login("ari").await;
    set(&ari, json!({"lobby": false})).await.is_problem(StatusCode::FORBIDDEN, None);
    // Chat, questions, recording and layout are kept for the page.
    let kept = json!({"chat": false, "questions": true, "recording": true, "layout": "spotlight", "chat_history": false});
    let settings = set(&hana, kept.clone()).await.body["settings"].clone();
    for (name, value) in kept.as_object().unwrap() {
        assert_eq!(&settings[name], value);
    }
    assert_eq!(settings["lobby"], true, "those not named stay");
}

#[tokio::test]
async fn i06_a_hidden_list_shows_attendees_themselves_and_the_stage() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let body = json!({"title": "T", "settings": {"hide_attendee_list": true}, "people": [
        {"user": hana.user("Pia").await, "role": "presenter"}, {"user": hana.user("Ari").await},
        {"user": hana.user("Uma").await},
    ]});
    let meeting = create(&hana, body).await;
    for (login, seen) in [("hana", 4), ("pia", 4), ("ari", 3), ("sam", 4)] {
        let client = app.login(login).await;
        for people in [client.get(&path(&meeting, "")).await, client.get(&path(&meeting, "/people")).await] {
            assert_eq!(people.body["people"].as_array().unwrap().len(), seen, "{login} {people:?}");
        }
    }
}

#[tokio::test]
async fn i06_the_shared_link_may_want_a_passcode_or_not_suffice() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let body = json!({"title": "T", "guest_pin": "4816", "settings": {"join_needs_passcode": true}, "people": [
        {"email": "guest@else.test"}
    ]});
    let meeting = create(&hana, body).await;
    let token = |link: &Value| format!("/v1/join/{}", link.as_str().unwrap().rsplit('/').next().unwrap());
    let (shared, personal) = (token(&meeting["link"]), token(&person(&meeting, "guest")["link"]));
    let join = async |body: Value| app.anonymous().post(&shared, body).await;
    join(json!({"name": "Kim"})).await.is_problem(StatusCode::FORBIDDEN, Some("passcode"));
    join(json!({"name": "Kim", "passcode": "9999"}))
        .await
        .is_problem(StatusCode::FORBIDDEN, Some("passcode"));
    assert_eq!(join(json!({"name": "Kim", "passcode": "4816"})).await.status, StatusCode::OK);
    assert_eq!(
        app.anonymous().post(&personal, json!({})).await.status,
        StatusCode::OK,
        "a personal link suffices"
    );
    for _ in 0..19 {
        join(json!({"name": "Kim", "passcode": "0000"})).await;
    }
    join(json!({"name": "Kim", "passcode": "4816"})).await.is_problem(StatusCode::TOO_MANY_REQUESTS, None);
    hana.patch(
        &path(&meeting, ""),
        json!({"settings": {"join_needs_passcode": false, "join_needs_invitation": true}}),
    )
    .await;
    join(json!({"name": "Kim"})).await.is_problem(StatusCode::FORBIDDEN, None);
    assert_eq!(app.anonymous().post(&personal, json!({})).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a27_a28_a29_a30_a31_i11_i14_join_information_is_whole_final_and_one_text_for_all() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let people = json!([{"user": hana.user("Pia").await}]);
    let room = create(&hana, json!({"title": "Room 7", "kind": "room", "people": people})).await;
    let info = async |client: &Client<'_>| client.get(&path(&room, "/join-info")).await.body;
    let first = info(&hana).await;
    let pin = first["guest_pin"].as_str().unwrap();
    let text = first["text"].as_str().unwrap();
    let number = room["number"].as_str().unwrap();
    let grouped = format!("{} {} {}", &number[..3], &number[3..6], &number[6..]);
    for part in ["Room 7", room["link"].as_str().unwrap(), grouped.as_str(), &format!("PIN: {pin}")] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!((pin.len(), first["host_pin"].as_str().unwrap().len()), (6, 6));
    assert_ne!(first["host_pin"], first["guest_pin"]);
    let pia = app.login("pia").await;
    let pias = info(&pia).await;
    assert_eq!(pias["text"], first["text"], "one text in every place");
    assert!(pias["host_pin"].is_null() && !text.contains(first["host_pin"].as_str().unwrap()));
    let shown = hana.get(&path(&room, "")).await.body;
    assert_eq!(person(&shown, "Pia")["pin"], pias["personal_pin"], "asks 17: a PIN per person");
    assert!(person(&pia.get(&path(&room, "")).await.body, "Pia")["pin"].is_null());
    hana.post(&path(&room, "/start"), json!({})).await;
    hana.post(&path(&room, "/end"), json!({})).await;
    app.bench.clock.advance(std::time::Duration::from_secs(7 * 24 * 3600));
    let hana = app.login("hana").await;
    assert_eq!(info(&hana).await, first, "the same a week later");
    // Invited again, the PIN stays.
    let row = person(&shown, "Pia")["id"].as_str().unwrap();
    hana.delete(&path(&room, &format!("/people/{row}"))).await;
    hana.post(&path(&room, "/people"), json!({ "people": people })).await;
    assert_eq!(person(&hana.get(&path(&room, "")).await.body, "Pia")["pin"], pias["personal_pin"]);
    let set = hana.patch(&path(&room, ""), json!({"guest_pin": "2580"})).await;
    assert_eq!(set.status, StatusCode::OK);
    assert_eq!(info(&hana).await["guest_pin"], "2580");
}

#[tokio::test]
async fn a03_a72_d62_the_list_is_paged_searched_and_sorted_by_kind() {
    let app = App::new().await;
    let (hana, sam) = (app.login("hana").await, app.login("sam").await);
    for number in 0..7 {
        let kind = if number % 2 == 0 { "room" } else { "instant" };
        let site = if number == 3 { "Nordhöhe 100%" } else { "South" };
        create(&hana, json!({"title": format!("Meeting {number}"), "kind": kind, "site": site})).await;
        app.bench.clock.advance(std::time::Duration::from_millis(5));
    }
    let mut seen = Vec::new();
    let mut place = String::from("/v1/meetings?limit=3");
    loop {
        let page = hana.get(&place).await;
        seen.extend(titles(&page).into_iter().map(str::to_owned));
        let Some(next) = page.body["next"].as_str() else { break };
        place = format!("/v1/meetings?limit=3&after={next}");
    }
    let newest_first: Vec<_> = (0..7).rev().map(|number| format!("Meeting {number}")).collect();
    assert_eq!(seen, newest_first);
    let rooms = hana.get("/v1/meetings?kind=room").await;
    assert_eq!(titles(&rooms), ["Meeting 6", "Meeting 4", "Meeting 2", "Meeting 0"]);
    let row = &rooms.body["meetings"][0];
    assert_eq!(
        (&row["people_count"], &row["my_role"], &row["owner_name"]),
        (&json!(1), &json!("host"), &json!("Hana Hale"))
    );
    for (query, found) in
        [("NORDHOHE", 1), ("100%25", 1), ("%25", 1), ("_", 0), ("meeting%204", 1), ("south", 6)]
    {
        let reply = sam.get(&format!("/v1/meetings?query={query}")).await;
        assert_eq!(titles(&reply).len(), found, "{query}");
    }
    assert!(
        titles(&app.login("pia").await.get("/v1/meetings").await).is_empty(),
        "others' meetings are not hers"
    );
    for (query, field) in
        [("limit=0", "limit"), ("limit=201", "limit"), ("after=x", "after"), ("kind=x", "kind")]
    {
        let reply = hana.get(&format!("/v1/meetings?{query}")).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{query} {reply:?}");
        let _ = field;
    }
}

#[tokio::test]
async fn i84_ownership_is_handed_over_and_the_right_over_view_only_with_it() {
    let app = App::new().await;
    let (hana, pia, sam) = (app.login("hana").await, app.login("pia").await, app.login("sam").await);
    let meeting = hana.meeting("conference").await;
    let (pia_id, gus_id) = (hana.user("Pia").await, hana.user("Gus").await);
    let give = async |client: &Client<'_>, user: &str| {
        client.request(Method::PUT, &path(&meeting, "/owner"), &[], Some(json!({ "user": user }))).await
    };
    give(&pia, &pia_id).await.is_problem(StatusCode::FORBIDDEN, None);
    give(&hana, &gus_id).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("user"));
    let given = give(&hana, &pia_id).await;
    assert_eq!(given.body["owner"], json!(pia_id), "{given:?}");
    assert_eq!(person(&given.body, "Pia")["role"], "host");
    assert_eq!(person(&given.body, "Hana")["role"], "host", "the old owner stays Host");
    let ari = person(&given.body, "Ari")["id"].as_str().unwrap().to_owned();
    let view_only = async |client: &Client<'_>| {
        client.patch(&path(&meeting, &format!("/people/{ari}")), json!({"access": "view_only"})).await
    };
    view_only(&hana).await.is_problem(StatusCode::FORBIDDEN, None);
    assert_eq!(view_only(&pia).await.status, StatusCode::OK);
    assert_eq!(give(&sam, &hana.user("Uma").await).await.status, StatusCode::OK, "admins switch ownership");
}

#[tokio::test]
async fn i73_a_guest_becomes_host_only_if_that_is_meant_and_allowed() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let body =
        json!({"title": "T", "people": [{"number": "(202) 555-0177"}, {"user": hana.user("Ari").await}]});
    let meeting = create(&hana, body).await;
    let row =
        |name: &str| path(&meeting, &format!("/people/{}", person(&meeting, name)["id"].as_str().unwrap()));
    let phone = row("+1");
    hana.patch(&phone, json!({"role": "host"})).await.is_problem(StatusCode::CONFLICT, Some("confirm"));
    let meant = hana.patch(&phone, json!({"role": "host", "confirm": true})).await;
    assert_eq!(meant.body["role"], "host", "{meant:?}");
    hana.patch(&phone, json!({"role": "attendee"})).await;
    hana.patch(&path(&meeting, ""), json!({"settings": {"outside_host": "deny"}})).await;
    let denied = hana.patch(&phone, json!({"role": "host", "confirm": true})).await;
    denied.is_problem(StatusCode::FORBIDDEN, Some("role"));
    assert_eq!(hana.patch(&row("Ari"), json!({"role": "host"})).await.status, StatusCode::OK, "a user may");
}

/// Every act of the table of mission 3.6 by everybody who may be in a meeting (I70).
#[tokio::test]
async fn i70_who_may_do_what() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let body = json!({"title": "T", "people": [
        {"user": hana.user("Pia").await, "role": "presenter"}, {"user": hana.user("Ari").await},
        {"user": hana.user("Uma").await, "role": "presenter", "access": "view_only"}, {"email": "kim@else.test"},
    ]});
    let meeting = create(&hana, body).await;
    let link = person(&meeting, "kim")["link"].as_str().unwrap().rsplit('/').next().unwrap();
    let joined = app.anonymous().post(&format!("/v1/join/{link}"), json!({})).await;
    let target = person(&meeting, "Ari")["id"].as_str().unwrap();
    let moderation = [
        (Method::POST, path(&meeting, "/lock"), json!({})),
        (Method::POST, path(&meeting, "/unlock"), json!({})),
        (Method::POST, path(&meeting, "/mute-all"), json!({})),
        (Method::POST, path(&meeting, "/unmute-all"), json!({})),
        (Method::POST, path(&meeting, "/admit-all"), json!({})),
        (Method::POST, path(&meeting, &format!("/people/{target}/admit")), json!({})),
        (Method::POST, path(&meeting, &format!("/people/{target}/deny")), json!({})),
        (Method::PATCH, path(&meeting, &format!("/people/{target}")), json!({"role": "presenter"})),
        (Method::PATCH, path(&meeting, &format!("/people/{target}")), json!({"may_speak": true})),
        (Method::PATCH, path(&meeting, ""), json!({"settings": {"chat": false}})),
        (Method::POST, path(&meeting, "/start"), json!({})),
    ];
    let invite = (Method::POST, path(&meeting, "/people"), json!({"people": [{"email": "lee@else.test"}]}));
    let end = (Method::POST, path(&meeting, "/end"), json!({}));
    let cancel = (Method::DELETE, path(&meeting, ""), json!({}));
    let calls =
        (Method::POST, path(&meeting, "/calls/check"), json!({"targets": [{"number": "+12025550177"}]}));
    let owner = (Method::PUT, path(&meeting, "/owner"), json!({"user": "u"}));
    let guest = app.with_token(joined.body["token"].as_str().unwrap());
    for (login, client) in [
        ("pia", app.login("pia").await),
        ("ari, whom the Host makes no Host", app.login("ari").await),
        ("uma, VIEW ONLY", app.login("uma").await),
        ("a guest", guest),
    ] {
        let acts = moderation.iter().chain([&invite, &end, &cancel, &calls, &owner]);
        for (method, path, body) in acts {
            let reply = client.request(method.clone(), path, &[], Some(body.clone())).await;
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "{login}: {method} {path} {reply:?}");
        }
        for path in [path(&meeting, ""), path(&meeting, "/people"), path(&meeting, "/join-info")] {
            assert_eq!(client.get(&path).await.status, StatusCode::OK, "{login} sees {path}");
        }
    }
    app.login("zed").await.get(&path(&meeting, "")).await.is_problem(StatusCode::NOT_FOUND, None);
    for (method, path, body) in moderation.iter().chain([&invite, &end, &cancel]) {
        let reply = hana.request(method.clone(), path, &[], Some(body.clone())).await;
        assert!(reply.status.is_success(), "a Host: {method} {path} {reply:?}");
    }
}

#[tokio::test]
async fn i86_every_act_of_a_host_is_in_the_audit_log() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let meeting = hana.meeting("conference").await;
    let ari = person(&meeting, "Ari")["id"].as_str().unwrap().to_owned();
    hana.post(&path(&meeting, "/lock"), json!({})).await;
    hana.post(&path(&meeting, "/mute-all"), json!({})).await;
    hana.patch(&path(&meeting, &format!("/people/{ari}")), json!({"role": "presenter"})).await;
    hana.post(&path(&meeting, "/end"), json!({})).await;
    hana.delete(&path(&meeting, "")).await;
    let actions = app.bench.store.audit_actions().await;
    for action in [
        "meeting.created",
        "meeting.locked",
        "meeting.muted_all",
        "person.role_changed",
        "meeting.ended",
        "meeting.cancelled",
    ] {
        assert!(actions.iter().any(|known| known == action), "{action} in {actions:?}");
    }
}
