use crate::support::{App, Client, Reply};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use conference::services::Provision;
use serde_json::{Value, json};
use std::fmt::Write as _;

async fn upload(client: &Client<'_>, file: impl Into<Vec<u8>>) -> Reply {
    let token = client.token.clone().unwrap();
    let request = Request::post("/v1/users/upload")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "text/csv; charset=utf-8")
        .body(Body::from(file.into()))
        .unwrap();
    client.send(request).await
}

fn nia() -> Value {
    json!({"first": "Nia", "last": "North", "email": "Nia@acme.test", "role": "user", "extension": "120", "id": "S-7"})
}

/// The last part of a link.
fn token(link: &Value) -> String {
    link["link"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn i81_a_tenant_admin_adds_a_user_who_enrols_by_a_link() {
    let app = App::new().await;
    let tia = app.login("tia").await;
    let created = tia.post("/v1/users", nia()).await;
    assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
    let account = &created.body["user"]["account"];
    assert_eq!((&account["enabled"], &account["enrolled"]), (&json!(true), &json!(false)), "I83: two facts");
    assert_eq!(account["login"], "nia@acme.test");
    assert_eq!(account["generic_id"], "S-7");
    let enrol = format!("/v1/enrol/{}", token(&created.body["enrol"]));
    let early = json!({"login": "nia@acme.test", "password": ""});
    app.anonymous().post("/v1/login", early).await.is_problem(StatusCode::UNAUTHORIZED, None);
    let preview = app.anonymous().get(&enrol).await;
    assert_eq!((&preview.body["login"], &preview.body["tenant"]), (&json!("nia@acme.test"), &json!("acme")));
    for bad in ["short", "nia@acme.test", "aaaaaaaaaaaa"] {
        let reply = app.anonymous().post(&enrol, json!({"password": bad})).await;
        reply.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("password"));
    }
    let password = json!({"password": "correct horse battery"});
    assert_eq!(app.anonymous().post(&enrol, password.clone()).await.status, StatusCode::NO_CONTENT);
    app.anonymous().post(&enrol, password).await.is_problem(StatusCode::NOT_FOUND, None);
    app.anonymous().get(&enrol).await.is_problem(StatusCode::NOT_FOUND, None);
    let login = json!({"login": "NIA@acme.test", "password": "correct horse battery"});
    let login = app.anonymous().post("/v1/login", login).await;
    assert_eq!(login.status, StatusCode::OK, "{login:?}");
    let id = created.body["user"]["id"].as_str().unwrap();
    let shown = tia.get(&format!("/v1/users/{id}")).await;
    assert_eq!(shown.body["account"]["enrolled"], true);
    let again = tia.post("/v1/users", nia()).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "{again:?}");
}

#[tokio::test]
async fn i83_an_enrolment_link_can_be_renewed_and_the_old_one_ends() {
    let app = App::new().await;
    let tia = app.login("tia").await;
    let created = tia.post("/v1/users", nia()).await;
    let id = created.body["user"]["id"].as_str().unwrap();
    let old = token(&created.body["enrol"]);
    let renewed = tia.request(Method::POST, &format!("/v1/users/{id}/enrol-link"), &[], None).await;
    assert_eq!(renewed.status, StatusCode::CREATED, "{renewed:?}");
    assert_eq!(app.anonymous().get(&format!("/v1/enrol/{old}")).await.status, StatusCode::NOT_FOUND);
    let new = token(&renewed.body);
    assert_eq!(app.anonymous().get(&format!("/v1/enrol/{new}")).await.status, StatusCode::OK);
    app.bench.clock.advance(std::time::Duration::from_secs(8 * 24 * 3600));
    assert_eq!(app.anonymous().get(&format!("/v1/enrol/{new}")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn i81_wrong_fields_are_named() {
    let app = App::new().await;
    let tia = app.login("tia").await;
    let with = |field: &str, value: Value| {
        let mut body = nia();
        body[field] = value;
        body
    };
    for (body, field) in [
        (with("first", json!("")), "first"),
        (with("first", json!("a\r\nBcc: x")), "first"),
        (with("email", json!("nobody")), "email"),
        (with("email", json!("PIA@acme.test")), "email"),
        (with("extension", json!("911")), "extension"),
        (with("extension", json!("112")), "extension"),
        (with("extension", json!("933")), "extension"),
        (with("extension", json!("101")), "extension"),
        (with("extension", json!("1")), "extension"),
        (with("extension", json!("12a")), "extension"),
        (with("role", json!("king")), "role"),
        (with("area_code", json!("x")), "area_code"),
        (with("phone", json!("911")), "phone"),
        (with("colour", json!("red")), "colour"),
        (json!({"first": "Nia", "role": "user"}), "email"),
    ] {
        let reply = tia.post("/v1/users", body.clone()).await;
        reply.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some(field));
        assert!(reply.body["mend"].is_string(), "{body}");
    }
}

#[tokio::test]
async fn i82_disabling_ends_logins_registrations_calls_and_presence_and_takes_nobody_off_a_list() {
    let app = App::new().await;
    app.bench.live.register("103a");
    let (hana, tia, uma) = (app.login("hana").await, app.login("tia").await, app.login("uma").await);
    let meeting = hana.active_meeting().await;
    let id = hana.user("Uma").await;
    let people = json!({"people": [{"user": id}]});
    assert!(hana.post(&format!("/v1/meetings/{meeting}/people"), people).await.status.is_success());
    uma.join(&meeting).await;
    let targets = json!({"targets": [{"user": id, "device": "103a"}]});
    hana.post(&format!("/v1/meetings/{meeting}/calls"), targets).await;
    let listed = hana.get(&format!("/v1/meetings/{meeting}")).await;
    let link = crate::support::person(&listed.body, "Uma")["link"].as_str().unwrap().to_owned();
    let link = format!("/v1/join/{}", link.rsplit('/').next().unwrap());
    assert_eq!(app.anonymous().get(&link).await.status, StatusCode::OK);
    let off = tia.patch(&format!("/v1/users/{id}"), json!({"enabled": false})).await;
    assert_eq!(off.status, StatusCode::OK, "{off:?}");
    app.anonymous().post(&link, json!({})).await.is_problem(StatusCode::NOT_FOUND, None);
    assert_eq!(off.body["account"]["enabled"], false);
    uma.get("/v1/me").await.is_problem(StatusCode::UNAUTHORIZED, None);
    let login = json!({"login": "uma", "password": "uma-demo"});
    app.anonymous().post("/v1/login", login).await.is_problem(StatusCode::UNAUTHORIZED, None);
    let gone = |change: &Provision| matches!(change, Provision::DeviceGone(device) if device.user == "103a");
    assert!(app.bench.live.state().provisions.iter().any(gone), "the registration has ended");
    let shown = hana.get(&format!("/v1/meetings/{meeting}")).await;
    let row = crate::support::person(&shown.body, "Uma");
    assert_eq!(row["present"], false, "{row}");
    let on = tia.patch(&format!("/v1/users/{id}"), json!({"enabled": true})).await;
    assert_eq!(on.body["account"]["enabled"], true);
    app.login("uma").await;
}

#[tokio::test]
async fn i80_somebody_must_be_left_to_administer() {
    let app = App::new().await;
    let tia = app.login("tia").await;
    let me = tia.get("/v1/me").await.body["id"].as_str().unwrap().to_owned();
    for change in [json!({"enabled": false}), json!({"role": "user"})] {
        let reply = tia.patch(&format!("/v1/users/{me}"), change).await;
        reply.is_problem(StatusCode::CONFLICT, None);
    }
    let sam = tia.user("Sam").await;
    assert_eq!(tia.patch(&format!("/v1/users/{sam}"), json!({"role": "tenant_admin"})).await.status, 200);
    assert_eq!(tia.patch(&format!("/v1/users/{me}"), json!({"role": "user"})).await.status, 200);
    tia.post("/v1/users", nia()).await.is_problem(StatusCode::FORBIDDEN, None);
}

#[tokio::test]
async fn i80_only_tenant_admins_see_accounts_and_pages_are_turned() {
    let app = App::new().await;
    let tia = app.login("tia").await;
    let all = tia.get("/v1/users?view=accounts").await;
    assert_eq!(all.body["total"], 7, "{all:?}");
    let page = tia.get("/v1/users?view=accounts&page=2&per_page=3").await;
    assert_eq!(page.body["users"].as_array().unwrap().len(), 3);
    assert_eq!(page.body["users"][0]["id"], all.body["users"][3]["id"]);
    assert_eq!(tia.get("/v1/users?view=accounts&query=ÚMA").await.body["total"], 1);
    assert_eq!(tia.get("/v1/users?view=accounts&query=%25").await.body["total"], 0, "no pattern of SQL");
    for bad in ["page=0", "per_page=0", "per_page=501", "page=1000001"] {
        let field = bad.split('=').next();
        tia.get(&format!("/v1/users?{bad}")).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, field);
    }
    for login in ["hana", "sam"] {
        let client = app.login(login).await;
        client.get("/v1/users?view=accounts").await.is_problem(StatusCode::FORBIDDEN, None);
        let pia = client.user("Pia").await;
        assert!(client.get(&format!("/v1/users/{pia}")).await.body.get("account").is_none());
    }
}

#[tokio::test]
async fn i81_an_upload_takes_the_good_rows_and_names_the_bad_ones_by_line() {
    let app = App::new().await;
    let tia = app.login("tia").await;
    let template = tia.get("/v1/users/template.csv").await;
    assert_eq!(template.text, "First name,Last name,E-mail,Role,ID,Extension\r\n");
    let mut file = template.text.into_bytes();
    file.extend_from_slice(
        b"Nia,North,nia@acme.test,User,,120\r\n\
          Bad,Role,bad@acme.test,Session Admin,,\r\n\
          ,Nobody,nobody@acme.test,User,,\r\n\
          =1+1,'=cmd|' /C calc'!A0,formula@acme.test,Guest,'@SUM(1),\r\n\
          Dup,Mail,pia@acme.test,User,,\r\n\
          Emer,Gency,help@acme.test,User,,911\r\n\
          Bro\xffken,Bytes,bytes@acme.test,User,,\r\n\
          N\0ul,Byte,nul@acme.test,User,,\r\n\
          \r\n\
          \"Two\r\nlines\",X,lines@acme.test,User,,\r\n\
          Tom,Admin,tom@acme.test,TenantAdmin,T1,\r\n\
          Short,Row\r\n",
    );
    let reply = upload(&tia, file).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    assert_eq!((&reply.body["created"], &reply.body["failed"]), (&json!(3), &json!(8)), "{reply:?}");
    let rows = reply.body["rows"].as_array().unwrap();
    let failed: Vec<(u64, &str)> = rows
        .iter()
        .filter(|row| row["status"] == "failed")
        .map(|row| (row["line"].as_u64().unwrap(), row["field"].as_str().unwrap()))
        .collect();
    let expected = [
        (3, "role"),
        (4, "first"),
        (6, "email"),
        (7, "extension"),
        (8, "first"),
        (9, "first"),
        (11, "first"),
        (14, "email"),
    ];
    assert_eq!(failed, expected);
    assert!(rows.iter().filter(|row| row["status"] == "created").all(|row| row["enrol"]["link"].is_string()));
    let formula = tia.get("/v1/users?view=accounts&query=formula").await;
    let formula = &formula.body["users"][0];
    assert_eq!(formula["account"]["first"], "=1+1", "W8: a formula is text");
    assert_eq!(formula["account"]["last"], "=cmd|' /C calc'!A0", "W8: the guarding apostrophe is taken away");
    assert_eq!(formula["account"]["generic_id"], "@SUM(1)");
}

#[tokio::test]
async fn w8_w9_files_that_are_none_are_refused_as_a_whole() {
    let app = App::new().await;
    let tia = app.login("tia").await;
    for file in ["", "\r\n", "Name,Mail\r\nx,y\r\n", "{}", "\0\0\0", "First name;Last name;Role\r\n"] {
        let reply = upload(&tia, file).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{file:?}: {reply:?}");
        assert_eq!(reply.body["field"], "file");
    }
    let mut many = "First name;Last name;E-mail;Role\n".to_owned();
    for n in 0..10_001 {
        writeln!(many, "A;B;a{n}@x.test;User").unwrap();
    }
    let reply = upload(&tia, many).await;
    reply.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("file"));
    assert!(reply.body["detail"].as_str().unwrap().contains("Line 10002"), "{reply:?}");
    assert_eq!(tia.get("/v1/users?view=accounts").await.body["total"], 7, "nobody of it was added");
    upload(&tia, vec![b'x'; 2 * 1024 * 1024 + 1]).await.is_problem(StatusCode::PAYLOAD_TOO_LARGE, None);
    let reply = tia.post("/v1/users/upload", json!({})).await;
    reply.is_problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, None);
    let hana = app.login("hana").await;
    upload(&hana, "First name,Last name,E-mail,Role\n").await.is_problem(StatusCode::FORBIDDEN, None);
}

#[tokio::test]
async fn b33_adding_somebody_another_tenant_knows_tells_nothing() {
    let app = App::new().await;
    let tia = app.login("tia").await;
    let body = |mail: &str| json!({"first": "Zed", "email": mail, "role": "user"});
    // Zed's login in the other tenant is "zed".
    let created = tia.post("/v1/users", json!({"first": "Zed", "login": "zed", "role": "user"})).await;
    assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
    assert_eq!(created.body["user"]["account"]["login"], "zed", "nothing of the suffix is shown");
    let enrol = format!("/v1/enrol/{}", token(&created.body["enrol"]));
    assert_eq!(app.anonymous().post(&enrol, json!({"password": "another long one"})).await.status, 204);
    let login = |password: &str| json!({"login": "zed", "password": password});
    let ours = app.anonymous().post("/v1/login", login("another long one")).await;
    assert_eq!(ours.body["user"]["tenant"], "acme", "{ours:?}");
    let theirs = app.anonymous().post("/v1/login", login("zed-demo")).await;
    assert_eq!(theirs.body["user"]["tenant"], "zeta");
    assert_eq!(tia.post("/v1/users", body("zed@zeta.test")).await.status, StatusCode::CREATED);
    let again = tia.post("/v1/users", json!({"first": "Zed", "login": "zed", "role": "user"})).await;
    again.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("login"));
}

#[tokio::test]
async fn b35_b37_a_session_admin_asks_a_tenant_admin_decides_and_the_text_is_recognised() {
    let app = App::new().await;
    let (sam, tia) = (app.login("sam").await, app.login("tia").await);
    let ask = json!({"email": "new@else.test", "first": "Nel", "note": "north site"});
    let request = sam.post("/v1/user-requests", ask.clone()).await;
    assert_eq!(request.status, StatusCode::CREATED, "{request:?}");
    let id = request.body["id"].as_str().unwrap().to_owned();
    assert_eq!(sam.post("/v1/user-requests", ask).await.body["id"], id.as_str(), "asked once");
    assert_eq!(tia.get("/v1/user-requests?state=open").await.body["requests"][0]["id"], id.as_str());
    let path = format!("/v1/user-requests/{id}");
    sam.patch(&path, json!({"decision": "accept"})).await.is_problem(StatusCode::FORBIDDEN, None);
    let texts = json!({"purpose": "multi", "texts": ["new@else.test"]});
    let before = sam.post("/v1/resolve", texts.clone()).await;
    assert_eq!(before.body["results"][0]["matches"][0]["flag"], "not_registered", "{before:?}");
    let decided = tia.patch(&path, json!({"decision": "accept"})).await;
    assert_eq!(decided.status, StatusCode::OK, "{decided:?}");
    assert_eq!(decided.body["request"]["state"], "accepted");
    tia.patch(&path, json!({"decision": "decline"})).await.is_problem(StatusCode::CONFLICT, None);
    let invited = sam.post("/v1/resolve", texts.clone()).await;
    assert_eq!(invited.body["results"][0]["matches"][0]["flag"], "not_registered", "I83: not enrolled yet");
    let enrol = format!("/v1/enrol/{}", token(&decided.body["created"]["enrol"]));
    assert_eq!(app.anonymous().post(&enrol, json!({"password": "a long password"})).await.status, 204);
    let after = sam.post("/v1/resolve", texts).await;
    assert_eq!(after.body["results"][0]["matches"][0]["kind"], "user", "{after:?}");
    let again = sam.post("/v1/user-requests", json!({"email": "new@else.test"})).await;
    again.is_problem(StatusCode::CONFLICT, None);
    for login in ["hana", "gus"] {
        let client = app.login(login).await;
        let reply = client.post("/v1/user-requests", json!({"email": "x@else.test"})).await;
        reply.is_problem(StatusCode::FORBIDDEN, None);
        client.get("/v1/user-requests").await.is_problem(StatusCode::FORBIDDEN, None);
    }
}

#[tokio::test]
async fn b35_a_phone_user_is_asked_for_by_number() {
    let app = App::new().await;
    let (sam, tia) = (app.login("sam").await, app.login("tia").await);
    let ask = json!({"number": "12025550199@collaborate.center"});
    let request = sam.post("/v1/user-requests", ask).await;
    assert_eq!(request.body["number"], "+12025550199", "{request:?}");
    let path = format!("/v1/user-requests/{}", request.body["id"].as_str().unwrap());
    let decided = tia.patch(&path, json!({"decision": "accept", "first": "Phil"})).await;
    assert_eq!(decided.body["created"]["user"]["account"]["phones"], json!(["+12025550199"]), "{decided:?}");
    sam.post("/v1/user-requests", json!({"number": "911"}))
        .await
        .is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("number"));
    sam.post("/v1/user-requests", json!({}))
        .await
        .is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("email"));
}

#[tokio::test]
async fn a_changed_password_ends_every_other_login() {
    let app = App::new().await;
    let (hana, other) = (app.login("hana").await, app.login("hana").await);
    let put = |current: &str, new: &str| json!({"current": current, "new": new});
    let change = async |body| hana.request(Method::PUT, "/v1/me/password", &[], Some(body)).await;
    change(put("wrong", "a long new one"))
        .await
        .is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("current"));
    change(put("hana-demo", "short")).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("password"));
    assert_eq!(change(put("hana-demo", "a long new one")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(hana.get("/v1/me").await.status, StatusCode::OK);
    assert_eq!(other.get("/v1/me").await.status, StatusCode::UNAUTHORIZED);
    let login = json!({"login": "hana", "password": "a long new one"});
    assert_eq!(app.anonymous().post("/v1/login", login).await.status, StatusCode::OK);
}
