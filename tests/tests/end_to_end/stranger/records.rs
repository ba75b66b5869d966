//! Tables for one's records; the audit log; what is erased.

use partyline_tests::api::{Answer, Api};
use partyline_tests::error::LabResult;
use serde_json::json;

use super::{delete, done, get, id, meeting, on_database, patch, person, post, put, refused, rows, text};

/// The cells of a table (RFC 4180), row by row.
fn table(answer: &Answer) -> Vec<Vec<String>> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8");
    let text = text(&answer.body);
    assert!(text.ends_with("\r\n"), "the last row ends with CRLF");
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

async fn download(api: &Api, meeting: &str, name: &str) -> LabResult<Answer> {
    api.send("GET", &format!("/v1/meetings/{meeting}/{name}"), &[], None).await
}

const COLUMNS: [&str; 10] = [
    "Name",
    "Email",
    "Extension",
    "Phone",
    "Role",
    "Access",
    "Invited by",
    "Invited at",
    "Invitation status",
    "Response",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a68_a69_a70_a73_a74_a75_a76_a77_i90_i93_the_attendee_list() {
    on_database(async |stage| {
        let (hana, _) = stage.login("hana").await?;
        let made = meeting(&hana, "List", "conference").await?;
        let path = format!("/v1/meetings/{}", id(&made));
        let kim =
            json!({"people": [{"email": "kim@else.test", "name": "Kaur, \"Kim\"", "role": "presenter"}]});
        done(&hana, "POST", &format!("{path}/people"), kim).await?;
        let file = download(&hana, &id(&made), "attendees.csv").await?;
        assert_eq!(
            file.headers["content-disposition"], "attachment; filename=\"Attendees list (4).csv\"",
            "A74, A76"
        );
        let list = table(&file);
        assert_eq!(list[0], COLUMNS, "A76");
        assert_eq!(list.len(), 1 + 4, "A75");
        let row = |name: &str| list.iter().find(|row| row[0].starts_with(name)).unwrap();
        assert_eq!(row("Kaur")[..2], ["Kaur, \"Kim\"", "kim@else.test"], "A75: commas and quotes intact");
        assert_eq!(row("Pia")[1..3], ["pia@acme.test", "101"]);
        let shown = get(&hana, &path).await?;
        for one in rows(&shown["people"]) {
            let cells = row(text(&one["display_name"]));
            assert_eq!([cells[4].as_str(), &cells[5]], [text(&one["role"]), text(&one["access"])], "A70");
        }

        // A room has one too; who may have it.
        let room = done(
            &hana,
            "POST",
            "/v1/meetings",
            json!({"title": "R", "kind": "room", "people": [{"email": "a@b.test"}]}),
        )
        .await?;
        assert_eq!(table(&download(&hana, &id(&room), "attendees.csv").await?).len(), 1 + 2, "A69");
        for (login, status) in [("tia", 200), ("ari", 403), ("uma", 404), ("zed", 404)] {
            let (client, _) = stage.login(login).await?;
            assert_eq!(download(&client, &id(&made), "attendees.csv").await?.status, status, "A69: {login}");
        }

        // Later, the state of that moment.
        assert_eq!(delete(&hana, &format!("{path}/people/{}", id(person(&made, "Ari")))).await?, 204);
        let file = download(&hana, &id(&made), "attendees.csv").await?;
        assert_eq!(
            file.headers["content-disposition"], "attachment; filename=\"Attendees list (3).csv\"",
            "A77"
        );
        assert_eq!(table(&file).len(), 1 + 3, "A77");

        // Names come from strangers.
        for (number, name) in
            ["=1+1", "+1", "-2+3", "@SUM(A1)", "=HYPERLINK(\"http://x.test\")", " =1", "\u{FF1D}1"]
                .iter()
                .enumerate()
        {
            let guest = json!({"people": [{"email": format!("g{number}@else.test"), "name": name}]});
            done(&hana, "POST", &format!("{path}/people"), guest).await?;
        }
        for (name, hostile) in
            [("line", "A\r\nBcc: x@y.test"), ("tab", "A\tB"), ("null", "A\u{0}B"), ("bell", "A\u{7}")]
        {
            let guest = json!({"people": [{"email": "h@else.test", "name": hostile}]});
            let answer = post(&hana, &format!("{path}/people"), guest).await?;
            assert_eq!(
                (answer.status, answer.body["field"].as_str()),
                (422, Some("people[0].name")),
                "I93: {name}"
            );
        }
        for name in ["attendees.csv", "attendance.csv"] {
            let cells = table(&download(&hana, &id(&made), name).await?).concat();
            let formula = cells
                .iter()
                .find(|cell| cell.trim_start().starts_with(['=', '+', '-', '@', '\t', '\r', '\u{FF1D}']));
            assert!(formula.is_none(), "I90: {name} has {formula:?}");
            assert!(cells.iter().any(|cell| cell == "'=1+1"), "I90: {cells:?}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i86_i89_d64_audit_retention_and_erasure() {
    on_database(async |stage| {
        let (hana, _) = stage.login("hana").await?;
        let (sam, _) = stage.login("sam").await?;
        let (tia, _) = stage.login("tia").await?;
        let made = meeting(&hana, "Audit", "conference").await?;
        let path = format!("/v1/meetings/{}", id(&made));
        let ari = format!("{path}/people/{}", id(person(&made, "Ari")));
        done(&hana, "POST", &format!("{path}/lock"), json!({})).await?;
        done(&hana, "PATCH", &ari, json!({"role": "presenter"})).await?;
        done(&hana, "PATCH", &ari, json!({"access": "view_only"})).await?;
        done(&hana, "PATCH", &ari, json!({"access": "collaborate"})).await?;
        let kim = json!({"people": [{"email": "kim@else.test", "name": "Kim Secret"}]});
        done(&hana, "POST", &format!("{path}/people"), kim).await?;
        let many = json!({"users": ["103"], "sessions": [id(&made)], "access": "view_only"});
        assert_eq!(post(&sam, "/v1/multi-invites", many).await?.status, 202);

        let log = get(&tia, "/v1/audit?limit=100").await?;
        let entry = |action: &str| {
            let found = rows(&log["entries"]).iter().find(|line| line["action"] == action);
            found.unwrap_or_else(|| panic!("no {action} in {log}"))
        };
        for action in ["meeting.created", "meeting.locked", "person.role_changed", "person.access_changed"] {
            let line = entry(action);
            assert!(text(&line["actor_name"]).starts_with("Hana"), "I86: who: {line}");
            assert!(
                line["at"].as_u64().is_some_and(|at| at > 0) && line["source"] == "api",
                "I86: when: {line}"
            );
        }
        let access = entry("person.access_changed");
        assert!(access["after"].to_string().contains("collaborate"), "I86: who reversed VIEW ONLY: {access}");
        assert!(access["before"].to_string().contains("view_only"), "I86: {access}");
        assert!(log.to_string().contains("Sam"), "I86: the commit to many: {log}");
        let page = get(&tia, "/v1/audit?limit=2").await?;
        let next = get(&tia, &format!("/v1/audit?limit=2&after={}", text(&page["next"]))).await?;
        assert_ne!(page["entries"][1]["id"], next["entries"][0]["id"], "pages do not overlap");

        // Kept as long as the tenant says; one person erased everywhere.
        for login in ["hana", "sam", "gus"] {
            let (other, _) = stage.login(login).await?;
            for closed in ["/v1/audit", "/v1/retention"] {
                refused(&other.send("GET", closed, &[], None).await?, 403, None);
            }
            refused(&post(&other, "/v1/erasures", json!({"mail": "kim@else.test"})).await?, 403, None);
        }
        assert_eq!(put(&tia, "/v1/retention", json!({"keep_days": 30})).await?.body["keep_days"], 30, "I89");
        refused(&put(&tia, "/v1/retention", json!({"keep_days": 0})).await?, 422, Some("keep_days"));
        let erased = done(&tia, "POST", "/v1/erasures", json!({"mail": "kim@else.test"})).await?;
        assert!(erased["people"].as_u64().is_some_and(|people| people >= 1), "I89: {erased}");
        for place in [path.clone(), "/v1/audit?limit=100".to_owned(), "/v1/outbox?state=queued".to_owned()] {
            let words = get(&tia, &place).await?.to_string();
            assert!(
                !words.contains("kim@else.test") && !words.contains("Kim Secret"),
                "I89: {place}: {words}"
            );
        }
        let csv = download(&tia, &id(&made), "attendees.csv").await?;
        assert!(!text(&csv.body).contains("Kim Secret"), "I89");
        refused(&patch(&tia, "/v1/erasures", json!({})).await?, 405, None);
        assert!(rows(&get(&tia, "/v1/cdrs").await?["cdrs"]).is_empty(), "D64: nobody was in, so no leg");
        Ok(())
    })
    .await;
}
