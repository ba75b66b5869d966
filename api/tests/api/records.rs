//! Tables for one's records, call records, attendance, audit, retention.

use crate::support::{App, Client, Reply, person};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

/// The rows of a table, cells unquoted.
fn rows(text: &str) -> Vec<Vec<String>> {
    assert!(text.ends_with("\r\n"), "the last row ends with CRLF");
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

fn file_name(reply: &Reply) -> &str {
    reply.headers["content-disposition"].to_str().unwrap()
}

async fn add(client: &Client<'_>, meeting: &str, people: Value) {
    let reply = client.post(&format!("/v1/meetings/{meeting}/people"), json!({ "people": people })).await;
    assert!(reply.status.is_success(), "{reply:?}");
}

#[tokio::test]
async fn a68_a73_a74_a75_a76_a77_the_attendee_list_is_a_table_of_this_moment() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let meeting = hana.meeting("conference").await;
    let id = meeting["id"].as_str().unwrap();
    add(&hana, id, json!([{"email": "kim@else.test", "name": "Kaur, \"Kim\"", "role": "presenter"}])).await;
    let path = format!("/v1/meetings/{id}/attendees.csv");
    let list = hana.get(&path).await;
    assert_eq!(list.status, StatusCode::OK, "{list:?}");
    assert_eq!(list.headers["content-type"], "text/csv; charset=utf-8");
    assert_eq!(file_name(&list), "attachment; filename=\"Attendees list (4).csv\"");
    let table = rows(&list.text);
    assert_eq!(table.len(), 1 + 4);
    assert_eq!(
        table[0],
        [
            "Name",
            "Email",
            "Extension",
            "Phone",
            "Role",
            "Access",
            "Invited by",
            "Invited at",
            "Invitation status",
            "Response"
        ]
    );
    let row = |name: &str| table.iter().find(|row| row[0].starts_with(name)).unwrap();
    assert_eq!(row("Kaur")[..2], ["Kaur, \"Kim\"", "kim@else.test"]);
    assert_eq!(
        row("Pia")[1..7],
        ["pia@acme.test", "101", "'+12025550101", "presenter", "collaborate", "Hana Hale"]
    );
    assert_eq!((row("Hana")[4].as_str(), row("Ari")[4].as_str()), ("host", "attendee"));
    assert_eq!(row("Kaur")[7..], ["2027-01-15T08:00:00Z", "queued", "none"]);
    // Roles in the file are those of the API (A70); later it is the state of that moment (A77).
    let meeting = hana.get(&format!("/v1/meetings/{id}")).await.body;
    let ari = person(&meeting, "Ari")["id"].as_str().unwrap().to_owned();
    hana.delete(&format!("/v1/meetings/{id}/people/{ari}")).await;
    let list = hana.get(&path).await;
    assert_eq!(file_name(&list), "attachment; filename=\"Attendees list (3).csv\"");
    assert_eq!(rows(&list.text).len(), 1 + 3);
}

#[tokio::test]
async fn a70_roles_in_the_table_equal_those_in_the_api() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let meeting = hana.meeting("presentation").await;
    let id = meeting["id"].as_str().unwrap();
    let table = rows(&hana.get(&format!("/v1/meetings/{id}/attendees.csv")).await.text);
    for shown in meeting["people"].as_array().unwrap() {
        let row = table.iter().find(|row| row[0] == shown["display_name"].as_str().unwrap()).unwrap();
        assert_eq!(
            (row[4].as_str(), row[5].as_str()),
            (shown["role"].as_str().unwrap(), shown["access"].as_str().unwrap())
        );
    }
}

#[tokio::test]
async fn i90_names_and_numbers_of_strangers_are_no_formulas() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let id = hana.meeting("conference").await["id"].as_str().unwrap().to_owned();
    add(
        &hana,
        &id,
        json!([{"email": "x@else.test", "name": "=1+1"}, {"number": "+12025550199", "name": "-2"}]),
    )
    .await;
    let list = hana.get(&format!("/v1/meetings/{id}/attendees.csv")).await;
    let table = rows(&list.text);
    let cells: Vec<&str> = table.iter().skip(1).flatten().map(String::as_str).collect();
    assert!(cells.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r'])), "{cells:?}");
    for cell in ["'=1+1", "'-2", "'+12025550199"] {
        assert!(cells.contains(&cell), "{cell} in {cells:?}");
    }
}

#[tokio::test]
async fn a69_only_hosts_and_admins_download_and_nobody_of_another_tenant() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let id = hana.meeting("conference").await["id"].as_str().unwrap().to_owned();
    for (login, status) in [
        ("tia", StatusCode::OK),
        ("ari", StatusCode::FORBIDDEN),
        ("uma", StatusCode::NOT_FOUND),
        ("zed", StatusCode::NOT_FOUND),
    ] {
        let client = app.login(login).await;
        for path in ["attendees.csv", "attendance", "attendance.csv"] {
            let reply = client.get(&format!("/v1/meetings/{id}/{path}")).await;
            assert_eq!(reply.status, status, "{login} {path} {reply:?}");
        }
    }
}

#[tokio::test]
async fn d64_call_records_are_for_admins_and_for_hosts_of_the_meeting() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let tia = app.login("tia").await;
    assert_eq!(tia.get("/v1/cdrs").await.body["cdrs"], json!([]));
    assert_eq!(hana.get("/v1/cdrs").await.status, StatusCode::FORBIDDEN);
    assert_eq!(hana.get(&format!("/v1/cdrs?meeting={id}")).await.status, StatusCode::OK);
    assert_eq!(
        app.login("pia").await.get(&format!("/v1/cdrs?meeting={id}")).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        app.login("zed").await.get(&format!("/v1/cdrs?meeting={id}")).await.status,
        StatusCode::NOT_FOUND
    );
    for table in [
        tia.get("/v1/cdrs.csv?limit=10000").await,
        tia.request(Method::GET, "/v1/cdrs", &[("accept", "text/csv")], None).await,
    ] {
        assert_eq!(table.headers["content-type"], "text/csv; charset=utf-8");
        assert!(table.text.starts_with("Record,Meeting,Instance,"), "{}", table.text);
    }
    for (query, field) in
        [("limit=0", "limit"), ("limit=501", "limit"), ("after=x", "after"), ("cause=x", "cause")]
    {
        let reply = tia.get(&format!("/v1/cdrs?{query}")).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{query} {reply:?}");
        assert!(field == "cause" || reply.body["field"] == field, "{query} {reply:?}");
    }
}

#[tokio::test]
async fn asks17_attendance_holds_the_attempts_and_those_who_never_came() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let targets = json!({"targets": [{"number": "5550177", "name": "Tom", "role": "attendee"}]});
    hana.post(&format!("/v1/meetings/{id}/calls"), targets).await;
    let reply = hana.get(&format!("/v1/meetings/{id}/attendance")).await;
    let people = reply.body["people"].as_array().unwrap();
    let row = |name: &str| {
        people.iter().find(|row| row["display_name"].as_str().unwrap().starts_with(name)).unwrap()
    };
    assert_eq!(row("Tom")["attempts"][0]["state"], "queued", "{reply:?}");
    assert_eq!(row("Tom")["attempts"][0]["acting_host"], "Hana Hale");
    assert_eq!((&row("Pia")["stays"], &row("Pia")["invited_by"]), (&json!([]), &json!("Hana Hale")));
    let table = hana.get(&format!("/v1/meetings/{id}/attendance.csv")).await;
    assert_eq!(rows(&table.text).len(), 1 + people.len());
    let none = hana.get(&format!("/v1/meetings/{id}/attendance?instance=latest")).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND, "{none:?}");
    assert_eq!(hana.get(&format!("/v1/meetings/{id}/instances")).await.body["instances"], json!([]));
}

#[tokio::test]
async fn i86_the_audit_log_is_for_tenant_admins_in_pages() {
    let app = App::new().await;
    let tia = app.login("tia").await;
    for days in [10, 20, 30] {
        let reply = tia.request(Method::PUT, "/v1/retention", &[], Some(json!({ "keep_days": days }))).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    }
    let first = tia.get("/v1/audit?action=retention.changed&limit=2").await.body;
    let entries = first["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    assert_eq!(
        (&entries[0]["after"]["keep_days"], &entries[0]["before"]["keep_days"]),
        (&json!(30), &json!(20))
    );
    assert_eq!((&entries[0]["actor_name"], &entries[0]["source"]), (&json!("Tia"), &json!("api")));
    let next = first["next"].as_str().unwrap();
    let second = tia.get(&format!("/v1/audit?action=retention.changed&limit=2&after={next}")).await.body;
    assert_eq!((second["entries"].as_array().unwrap().len(), &second["next"]), (1, &Value::Null));
    for login in ["hana", "sam", "gus"] {
        let client = app.login(login).await;
        for path in ["/v1/audit", "/v1/retention"] {
            assert_eq!(client.get(path).await.status, StatusCode::FORBIDDEN, "{login} {path}");
        }
        let reply = client.post("/v1/erasures", json!({"mail": "kim@else.test"})).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{login}");
    }
}
