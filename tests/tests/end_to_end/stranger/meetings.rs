//! Meetings, plans and rooms: drafts, lists, owners, the roles that a list gives.

use partyline_tests::api::Api;
use partyline_tests::error::LabResult;
use serde_json::{Value, json};

use super::{
    delete, done, get, id, meeting, on_database, patch, person, post, put, refused, rows, text, user,
};

fn titles(page: &Value) -> Vec<&str> {
    rows(&page["meetings"]).iter().map(|row| text(&row["title"])).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a03_a19_a20_a40_a62_a71_a72_i01_i04_i05_drafts_plans_and_the_list() {
    on_database(async |stage| {
        let (hana, _) = stage.login("hana").await?;
        let (pia, _) = stage.login("pia").await?;
        let (zed, _) = stage.login("zed").await?;
        let people = json!([{"user": user(&hana, "pia").await?, "role": "presenter"}, {"user": user(&hana, "ari").await?}]);
        let draft = json!({"kind": "scheduled", "draft": true, "people": people});
        let draft = done(&hana, "POST", "/v1/meetings", draft).await?;
        let path = format!("/v1/meetings/{}", id(&draft));
        assert_eq!((&draft["state"], &draft["number"], &draft["link"]), (&json!("draft"), &json!(""), &json!("")));
        refused(&pia.send("GET", &path, &[], None).await?, 404, None);
        assert!(titles(&get(&pia, "/v1/meetings").await?).is_empty(), "A20: seen by nobody");

        let early = json!({"targets": [{"email": "guest@else.test"}]});
        refused(&post(&hana, &format!("{path}/invitations"), early).await?, 409, None);

        // NEXT says what is missing, one thing after the other, and creates nothing.
        let next = async || post(&hana, &format!("{path}/publish"), json!({})).await;
        refused(&next().await?, 422, Some("title"));
        done(&hana, "PATCH", &path, json!({"title": "Budget"})).await?;
        refused(&next().await?, 422, Some("start"));
        let row = |name: &str| format!("{path}/people/{}", id(person(&draft, name)));
        for role in ["presenter", "host", "attendee", "presenter"] {
            done(&hana, "PATCH", &row("Ari"), json!({"role": role})).await?;
        }
        done(&hana, "PATCH", &path, json!({"start": "2037-03-01T09:00:00", "time_zone": "America/Chicago"})).await?;
        let made = next().await?.body;
        assert_eq!((&made["state"], text(&made["number"]).len()), (&json!("scheduled"), 9), "A19: {made}");
        assert_eq!((&person(&made, "Ari")["role"], &person(&made, "Pia")["role"]), (&json!("presenter"), &json!("presenter")), "A40, A62");
        assert_eq!(get(&hana, &path).await?["state"], "scheduled", "A71: left without being started");
        refused(&next().await?, 409, None);

        // A series keeps its hour over the change of clocks.
        let weekly = json!({"title": "Weekly", "kind": "recurring", "start": "2037-03-02T09:00:00", "duration_minutes": 30,
            "time_zone": "America/Chicago", "rrule": "FREQ=WEEKLY;COUNT=4"});
        let weekly = done(&hana, "POST", "/v1/meetings", weekly).await?;
        let runs = get(&hana, &format!("/v1/meetings/{}/occurrences", id(&weekly))).await?;
        let runs = rows(&runs["occurrences"]);
        assert_eq!(runs.len(), 4, "I04");
        assert!(runs.iter().all(|run| text(&run["start_local"]).ends_with("T09:00:00")), "I05: {runs:?}");
        assert_eq!((&runs[0]["utc_offset"], &runs[3]["utc_offset"]), (&json!("-06:00"), &json!("-05:00")), "I05");

        // Its owner's list, newest first, in pages; the meeting opens with people and join information.
        for (number, kind) in ["room", "instant", "room"].into_iter().enumerate() {
            done(&hana, "POST", "/v1/meetings", json!({"title": format!("Number {number}"), "kind": kind})).await?;
        }
        let mut seen = Vec::new();
        let mut place = "/v1/meetings?limit=2".to_owned();
        loop {
            let page = get(&hana, &place).await?;
            seen.extend(titles(&page).into_iter().map(str::to_owned));
            let Some(next) = page["next"].as_str() else { break };
            place = format!("/v1/meetings?limit=2&after={next}");
        }
        assert_eq!(seen, ["Number 2", "Number 1", "Number 0", "Weekly", "Budget"], "A72");
        let rooms = get(&hana, "/v1/meetings?kind=room").await?;
        assert_eq!(titles(&rooms), ["Number 2", "Number 0"], "A03");
        let room = id(&rooms["meetings"][0]);
        let opened = get(&hana, &format!("/v1/meetings/{room}")).await?;
        assert!(opened["start"].is_null() && !rows(&opened["people"]).is_empty(), "A03, A72: {opened}");
        get(&hana, &format!("/v1/meetings/{room}/join-info")).await?;
        assert_eq!(titles(&get(&pia, "/v1/meetings").await?), ["Budget"], "A72: own and invited");
        assert!(titles(&get(&zed, "/v1/meetings").await?).is_empty());

        for (body, field) in [
            (json!({"title": "X", "kind": "scheduled"}), "start"),
            (json!({"title": "X", "kind": "recurring", "start": "2037-03-02T09:00:00"}), "rrule"),
            (json!({"title": "X", "kind": "room", "start": "2037-03-02T09:00:00"}), "start"),
            (json!({"title": "X", "kind": "scheduled", "start": "2020-01-01T00:00:00"}), "start"),
            (json!({"title": "X", "kind": "scheduled", "start": "2037-03-02T09:00:00", "time_zone": "Nowhere"}), "time_zone"),
            (json!({"title": "X", "default_role": "host"}), "default_role"),
            (json!({"title": "X\r\nBcc: a@b.test"}), "title"),
        ] {
            refused(&post(&hana, "/v1/meetings", body).await?, 422, Some(field));
        }
        assert_eq!(rows(&get(&hana, "/v1/meetings?limit=50").await?["meetings"]).len(), 5, "nothing was created");
        Ok(())
    })
    .await;
}

async fn roles(api: &Api, path: &str, names: [&str; 3]) -> LabResult<Vec<String>> {
    let shown = get(api, path).await?;
    Ok(names.iter().map(|name| text(&person(&shown, name)["role"]).to_owned()).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a32_a67_b48_i72_i73_i76_i78_i84_roles_access_and_owners() {
    on_database(async |stage| {
        let (hana, _) = stage.login("hana").await?;
        let (pia, _) = stage.login("pia").await?;
        let (sam, _) = stage.login("sam").await?;
        let (tia, _) = stage.login("tia").await?;
        let made = meeting(&hana, "Roles", "conference").await?;
        let path = format!("/v1/meetings/{}", id(&made));
        let people = format!("{path}/people");
        let row = |name: &str| format!("{people}/{}", id(person(&made, name)));
        let names = ["Hana", "Pia", "Ari"];

        for change in ["presenter", "host", "attendee"] {
            done(&hana, "PATCH", &row("Ari"), json!({"role": change})).await?;
        }
        assert_eq!(
            roles(&hana, &path, names).await?,
            ["host", "presenter", "attendee"],
            "A67: one role, the last"
        );
        let ari = user(&hana, "ari").await?;
        let twice =
            json!({"people": [{"user": ari, "role": "attendee"}, {"user": ari, "role": "presenter"}]});
        done(&hana, "POST", &people, twice).await?;
        assert_eq!(roles(&hana, &path, names).await?, ["host", "presenter", "presenter"], "I76");

        // Who is no Host invites nobody, changes nobody, removes nobody.
        refused(&post(&pia, &people, json!({"people": [{"email": "x@else.test"}]})).await?, 403, None);
        refused(
            &post(&pia, &format!("{path}/invitations"), json!({"targets": [{"email": "x@else.test"}]}))
                .await?,
            403,
            None,
        );
        refused(&patch(&pia, &row("Ari"), json!({"role": "host"})).await?, 403, None);
        assert_eq!(delete(&pia, &row("Ari")).await?, 403, "A32");

        // The owner stays; the last Host is not lost.
        for change in ["attendee", "presenter"] {
            refused(&patch(&hana, &row("Hana"), json!({"role": change})).await?, 409, None);
        }
        assert_eq!(delete(&hana, &row("Hana")).await?, 409, "I72");

        // Host and VIEW ONLY are never one person.
        let both = json!({"people": [{"email": "x@else.test", "role": "host", "access": "view_only"}]});
        refused(&post(&hana, &people, both).await?, 422, Some("people[0].access"));
        refused(
            &patch(&hana, &row("Ari"), json!({"role": "host", "access": "view_only"})).await?,
            422,
            Some("access"),
        );
        done(&hana, "PATCH", &row("Ari"), json!({"access": "view_only"})).await?;
        refused(&patch(&hana, &row("Ari"), json!({"role": "host"})).await?, 422, Some("access"));

        // The owner turns VIEW ONLY; another Host and a session admin do not.
        done(&hana, "PATCH", &row("Pia"), json!({"role": "host"})).await?;
        for other in [&pia, &sam] {
            refused(&patch(other, &row("Ari"), json!({"access": "collaborate"})).await?, 403, None);
        }
        done(&tia, "PATCH", &row("Ari"), json!({"access": "collaborate"})).await?;

        // Handed over: the right goes along.
        let owner = format!("{path}/owner");
        refused(&put(&hana, &owner, json!({"user": user(&hana, "gus").await?})).await?, 422, Some("user"));
        let given = put(&hana, &owner, json!({"user": user(&hana, "pia").await?})).await?;
        assert_eq!(
            (given.status, &given.body["owner"]),
            (200, &person(&made, "Pia")["user"]),
            "I84: {}",
            given.body
        );
        refused(&patch(&hana, &row("Ari"), json!({"access": "view_only"})).await?, 403, None);
        done(&pia, "PATCH", &row("Ari"), json!({"access": "view_only"})).await?;
        assert_eq!(
            roles(&pia, &path, names).await?,
            ["host", "host", "presenter"],
            "I84: the old owner stays Host"
        );

        // A stranger becomes Host where that is meant and allowed.
        let number = json!({"people": [{"number": "(202) 555-0177"}]});
        let added = done(&pia, "POST", &people, number).await?;
        let phone = format!("{people}/{}", id(&added["people"][0]));
        refused(&patch(&pia, &phone, json!({"role": "host"})).await?, 409, Some("confirm"));
        done(&pia, "PATCH", &phone, json!({"role": "host", "confirm": true})).await?;
        done(&pia, "PATCH", &phone, json!({"role": "attendee"})).await?;
        done(&pia, "PATCH", &path, json!({"settings": {"outside_host": "deny"}})).await?;
        refused(&patch(&pia, &phone, json!({"role": "host", "confirm": true})).await?, 403, Some("role"));
        Ok(())
    })
    .await;
}
