//! Numbers, caller IDs and devices.

use crate::support::{App, Client, Reply};
use axum::http::{Method, StatusCode};
use conference::services::Provision;
use serde_json::{Value, json};

async fn put(client: &Client<'_>, path: &str, body: Value) -> Reply {
    client.request(Method::PUT, path, &[], Some(body)).await
}

async fn me(client: &Client<'_>) -> String {
    client.get("/v1/me").await.body["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn d34_s5_only_verified_numbers_of_the_user_or_the_tenant_become_a_caller_id() {
    let app = App::new().await;
    let (tia, uma, hana) = (app.login("tia").await, app.login("uma").await, app.login("hana").await);
    let own = me(&uma).await;
    let path = format!("/v1/users/{own}/caller-id");
    let hanas = me(&hana).await;
    for body in [
        json!({"number": "+12025550160", "label": "Not verified"}),
        json!({"number": "+12025550161", "verified": true, "user": hanas}),
        json!({"number": "+12025550162", "verified": true, "user": own, "attestation": "A"}),
        json!({"number": "+12025550163", "verified": true, "label": "Main line"}),
    ] {
        let added = tia.post("/v1/numbers", body).await;
        assert_eq!(added.status, StatusCode::CREATED, "{added:?}");
    }
    let page = tia.get("/v1/numbers?page=2&per_page=2").await.body;
    let whole = tia.get("/v1/numbers").await.body;
    assert_eq!(page["numbers"].as_array().unwrap()[..], whole["numbers"].as_array().unwrap()[2..4]);
    assert_eq!((&page["total"], &page["page"]), (&whole["total"], &json!(2)));
    for refused in ["+12025550160", "+12025550161", "+12025550100", "+12125550123", "+442079460958"] {
        let reply = put(&uma, &path, json!({"number": refused})).await;
        reply.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("number"));
        assert_eq!(reply.body["reason"], "caller_id_not_owned", "{refused}");
    }
    let offered = uma.get("/v1/me/numbers").await.body;
    let offered: Vec<&str> =
        offered["numbers"].as_array().unwrap().iter().map(|n| n["number"].as_str().unwrap()).collect();
    assert_eq!(offered, ["+12025550162", "+12025550163"]);
    for allowed in ["(202) 555-0163", "+12025550162"] {
        assert_eq!(put(&uma, &path, json!({"number": allowed})).await.status, StatusCode::OK);
    }
    assert_eq!(uma.get("/v1/me").await.body["caller_id"]["number"], "+12025550162");
    put(&uma, &format!("/v1/users/{hanas}/caller-id"), json!({"number": "+12025550163"}))
        .await
        .is_problem(StatusCode::FORBIDDEN, None);

    // At call time too: what was allowed may not be any more.
    let id = uma.active_meeting().await;
    let dial = async |number: &str| {
        let body = json!({"targets": [{"number": number}]});
        uma.post(&format!("/v1/meetings/{id}/calls"), body).await.body["calls"][0].clone()
    };
    let shown = dial("5550177").await;
    assert_eq!(shown["caller_id"]["attestation"], "A", "{shown}");
    tia.patch("/v1/numbers/+12025550162", json!({"verified": false})).await;
    assert_eq!(dial("5550178").await["reason"], "caller_id_not_owned");
    tia.patch("/v1/numbers/+12025550162", json!({"verified": true, "user": hanas})).await;
    assert_eq!(dial("5550178").await["reason"], "caller_id_not_owned");
    tia.delete("/v1/numbers/+12025550162").await;
    assert_eq!(dial("5550178").await["reason"], "no_caller_id");
    assert_eq!(app.bench.live.dials(), 1);
    assert_eq!(put(&uma, &path, json!({"number": null})).await.body["caller_id"], Value::Null);
}

#[tokio::test]
async fn i33_a_did_leads_to_its_user_and_numbers_are_the_tenant_admins() {
    let app = App::new().await;
    app.bench.live.register("103a");
    let (tia, hana) = (app.login("tia").await, app.login("hana").await);
    let uma = hana.user("Uma").await;
    let body = json!({"number": "+12025550170", "purpose": "did", "user": uma, "verified": true});
    assert_eq!(tia.post("/v1/numbers", body).await.status, StatusCode::CREATED);
    let id = hana.active_meeting().await;
    let check = hana
        .post(&format!("/v1/meetings/{id}/calls/check"), json!({"targets": [{"number": "5550170"}]}))
        .await;
    let answer = &check.body["calls"][0];
    assert_eq!((&answer["device"], &answer["number"]), (&json!("103a"), &Value::Null), "on-net: {answer}");
    tia.post("/v1/numbers", json!({"number": "+12025550170"}))
        .await
        .is_problem(StatusCode::CONFLICT, Some("number"));
    tia.post("/v1/numbers", json!({"number": "911"})).await.is_problem(StatusCode::FORBIDDEN, Some("number"));
    tia.post("/v1/numbers", json!({"number": "+12025550171", "attestation": "Z"}))
        .await
        .is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("attestation"));
    hana.get("/v1/numbers").await.is_problem(StatusCode::FORBIDDEN, None);
    hana.post("/v1/numbers", json!({"number": "+12025550171"})).await.is_problem(StatusCode::FORBIDDEN, None);
    app.login("zed")
        .await
        .patch("/v1/numbers/+12025550170", json!({}))
        .await
        .is_problem(StatusCode::FORBIDDEN, None);
}

#[tokio::test]
async fn d14_a_device_is_made_with_a_secret_that_is_shown_once() {
    let app = App::new().await;
    let (tia, hana) = (app.login("tia").await, app.login("hana").await);
    let own = me(&hana).await;
    let path = format!("/v1/users/{own}/devices");
    let made =
        tia.post(&path, json!({"kind": "softphone", "ua_filter": "DeskPhone", "srtp": "required"})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let secret = made.body["secret"].as_str().unwrap().to_owned();
    assert_eq!(secret.len(), 16);
    assert_eq!(made.body["device"]["name"], "100b", "the next free name");
    assert!(made.body["notice"].as_str().unwrap().contains("emergency"));
    assert_eq!(made.body["sheet"]["password"], json!(secret));
    assert!(made.body["sheet"]["text"].as_str().unwrap().contains(&secret));
    let told = app.bench.live.state().provisions.iter().any(|change| {
        matches!(change, Provision::Device(device)
            if device.account.aor.user == "100b" && device.account.agent_filter.as_deref() == Some("DeskPhone"))
    });
    assert!(told, "the registrar knows it at once");

    let id = made.body["device"]["id"].as_str().unwrap().to_owned();
    let shown = hana.get(&format!("/v1/devices/{id}")).await;
    assert!(!shown.text.contains(&secret) && shown.body["srtp"] == "required", "{shown:?}");
    let sheet = hana.get(&format!("/v1/devices/{id}/provisioning")).await;
    assert!(
        !sheet.text.contains(&secret) && sheet.body["qr_svg"].as_str().unwrap().contains("<svg"),
        "{sheet:?}"
    );
    assert_eq!(sheet.body["domain"], "acme.test");
    let text = hana.get(&format!("/v1/devices/{id}/provisioning?format=text")).await;
    assert!(text.text.contains("100b") && text.text.contains("127.0.0.1:5060"));
    assert!(hana.get(&format!("/v1/devices/{id}/provisioning?format=svg")).await.text.contains("<svg"));

    let renewed =
        tia.patch(&format!("/v1/devices/{id}"), json!({"new_secret": true, "label": "Kitchen"})).await;
    assert_ne!(renewed.body["secret"].as_str().unwrap(), secret);
    assert_eq!(renewed.body["device"]["label"], "Kitchen (100b)");
    let other = tia.post(&path, json!({"name": "100b"})).await;
    other.is_problem(StatusCode::CONFLICT, Some("name"));
    for (body, field) in [
        (json!({"name": "911"}), "name"),
        (json!({"name": "a b"}), "name"),
        (json!({"srtp": "maybe"}), "srtp"),
        (json!({"transport": "pigeon"}), "transport"),
    ] {
        tia.post(&path, body).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some(field));
    }
    hana.post(&path, json!({})).await.is_problem(StatusCode::FORBIDDEN, None);
    assert_eq!(tia.delete(&format!("/v1/devices/{id}")).await.status, StatusCode::NO_CONTENT);
    hana.get(&format!("/v1/devices/{id}")).await.is_problem(StatusCode::NOT_FOUND, None);
}

#[tokio::test]
async fn d15_registration_state_is_shown_and_ended() {
    let app = App::new().await;
    app.bench.live.register("100a");
    let (hana, pia, tia) = (app.login("hana").await, app.login("pia").await, app.login("tia").await);
    let shown = hana.get("/v1/devices/100a").await.body;
    assert_eq!(shown["registered"], true);
    let registration = &shown["registrations"][0];
    assert_eq!(registration["contact"], "sip:100a@127.0.0.1:5090");
    assert_eq!(
        (&registration["user_agent"], &registration["source"]),
        (&json!("test phone"), &json!("127.0.0.1:5090"))
    );
    pia.get("/v1/devices/100a").await.is_problem(StatusCode::NOT_FOUND, None);
    app.login("zed").await.get("/v1/devices/100a").await.is_problem(StatusCode::NOT_FOUND, None);
    assert_eq!(tia.get("/v1/devices/100a").await.status, StatusCode::OK);
    let ended = tia.delete("/v1/devices/100a/registration").await;
    assert_eq!(ended.status, StatusCode::OK);
    let state = app.bench.live.state();
    let last: Vec<&str> = state
        .provisions
        .iter()
        .rev()
        .take(2)
        .map(|change| match change {
            Provision::NoDevice(aor) => {
                assert_eq!(aor.user, "100a");
                "gone"
            }
            Provision::Device(_) => "may come back",
            _ => "other",
        })
        .collect();
    assert_eq!(last, ["may come back", "gone"]);
}
