//! The API as a whole: described, versioned, walled between tenants, with errors that say what to do; nothing secret lies in
//! the open.

use std::path::Path;

use partyline_tests::shared::token;
use serde_json::json;

use super::{delete, done, get, id, meeting, on_database, patch, post, put, refused, text, user};

/// Every file below a folder, read as bytes.
fn dump(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        match path.is_dir() {
            true => all.extend(dump(&path)),
            false => all.extend(std::fs::read(path).unwrap()),
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d60_d61_every_operation_described_asks_who_and_names_what_is_wrong() {
    on_database(async |stage| {
        let (tia, _) = stage.login("tia").await?;
        let described = get(&stage.api, "/v1/openapi.json").await?;
        let (mut operations, mut bodies) = (0, 0);
        for (path, item) in described["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                operations += 1;
                assert!(
                    operation["summary"].is_string() || operation["description"].is_string(),
                    "{method} {path}"
                );
                let method = method.to_uppercase();
                let filled = path.replace(['{', '}'], "");
                // Without a token: 401 where one is needed, and never a fault of ours.
                let open = operation["security"]
                    .as_array()
                    .is_some_and(|ways| ways.iter().any(|way| way == &json!({})));
                let nobody = stage.api.send(&method, &filled, &[], None).await?;
                assert!(
                    open || nobody.status == 401,
                    "D61: {method} {path}: {} {}",
                    nobody.status,
                    nobody.body
                );
                assert!(nobody.status < 500, "{method} {path}: {}", nobody.body);
                // An unknown field is named.
                let takes = operation["requestBody"]["content"].get("application/json").is_some();
                if takes && !open && path != "/v1/logout" {
                    bodies += 1;
                    let wrong = tia.send(&method, &filled, &[], Some(json!({"no_such_field": 1}))).await?;
                    assert!(
                        [422, 404, 403].contains(&wrong.status),
                        "D60: {method} {path}: {} {}",
                        wrong.status,
                        wrong.body
                    );
                    let named = wrong.status != 422 || wrong.body["field"].is_string();
                    assert!(named, "D60: {method} {path}: {}", wrong.body);
                    assert!(text(&wrong.body["detail"]).len() > 3, "D60: {}", wrong.body);
                }
            }
        }
        assert!(operations > 100 && bodies > 30, "{operations} operations, {bodies} with a body");
        refused(&stage.api.send("GET", "/v1/nowhere", &[], None).await?, 404, None);
        refused(&stage.api.send("PUT", "/v1/login", &[], Some(json!({}))).await?, 405, None);
        for (path, word) in [("/healthz", ""), ("/readyz", ""), ("/metrics", "partyline_")] {
            let answer = stage.api.send("GET", path, &[], None).await?;
            assert_eq!(answer.status, 200, "D67: {path}: {}", answer.body);
            assert!(answer.body.to_string().contains(word), "D67: {path}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d13_d14_d61_d65_tenants_are_walled_off_and_nothing_lies_in_the_open() {
    on_database(async |stage| {
        let (hana, me) = stage.login("hana").await?;
        let (tia, _) = stage.login("tia").await?;
        let (zed, zeds) = stage.login("zed").await?;
        let made = meeting(&hana, "Walls", "conference").await?;
        let path = format!("/v1/meetings/{}", id(&made));
        let device = done(&tia, "POST", &format!("/v1/users/{}/devices", me.id), json!({"kind": "softphone"})).await?;
        let secret = text(&device["secret"]).to_owned();
        assert_eq!(secret.len(), 16, "D14");
        assert!(text(&device["notice"]).contains("emergency"), "creating a device says so: {device}");
        let trunk_password = format!("trunk-{}", token());
        let trunk = json!({"name": "second", "host": "second.test", "peer": "127.0.0.1:5999", "user": "u", "password": trunk_password});
        let trunk = done(&tia, "POST", "/v1/trunks", trunk).await?;
        let hook = json!({"url": "https://hooks.else.test/in", "events": ["call.joined"]});
        let hook = done(&tia, "POST", "/v1/webhooks", hook).await?;
        let guest_pin = json!({"guest_pin": "481620", "host_pin": "902735"});
        done(&hana, "PATCH", &path, guest_pin).await?;

        // What is acme's is unknown to zeta, word for word.
        let own = |path: &str, unknown: &str| (path.to_owned(), unknown.to_owned());
        let ari = user(&hana, "ari").await?;
        for (there, nowhere) in [
            own(&path, "/v1/meetings/m0"),
            own(&format!("{path}/join-info"), "/v1/meetings/m0/join-info"),
            own(&format!("{path}/people"), "/v1/meetings/m0/people"),
            own(&format!("{path}/calls"), "/v1/meetings/m0/calls"),
            own(&format!("{path}/attendees.csv"), "/v1/meetings/m0/attendees.csv"),
            own(&format!("/v1/users/{ari}/devices"), "/v1/users/u0/devices"),
            own(&format!("/v1/devices/{}", id(&device["device"])), "/v1/devices/d0"),
        ] {
            let (one, two) = (zed.send("GET", &there, &[], None).await?, zed.send("GET", &nowhere, &[], None).await?);
            refused(&one, 404, None);
            assert_eq!((one.status, &one.body["detail"]), (two.status, &two.body["detail"]), "D61: {there}");
        }
        refused(&patch(&zed, &path, json!({"title": "Mine"})).await?, 404, None);
        assert_eq!(delete(&zed, &path).await?, 404);
        let mixed = json!({"title": "Z", "people": [{"user": me.id}]});
        let mixed = post(&zed, "/v1/meetings", mixed).await?;
        assert_eq!((mixed.status, mixed.body["field"].as_str()), (422, Some("people[0].user")), "D61: {}", mixed.body);
        let taken = put(&hana, &format!("{path}/owner"), json!({"user": zeds.id})).await?;
        assert_eq!(taken.status, 422, "D61: nobody of another tenant owns it: {}", taken.body);

        // Secrets are shown once and never lie in the open.
        for place in [format!("/v1/devices/{}", id(&device["device"])), format!("/v1/trunks/{}", trunk["id"]), format!("/v1/webhooks/{}", id(&hook))] {
            let shown = tia.send("GET", &place, &[], None).await?;
            let words = shown.body.to_string();
            for hidden in [&secret, &trunk_password, text(&hook["secret"])] {
                assert!(!words.contains(hidden), "D65: {place}: {words}");
            }
        }
        let stored = dump(&stage.data());
        let stored = String::from_utf8_lossy(&stored);
        for hidden in [secret.as_str(), &trunk_password, text(&hook["secret"]), "hana-demo", "100a-secret-demo", "481620", "902735", hana.token().unwrap()] {
            assert!(!stored.contains(hidden), "D65: {hidden} lies in the data folder");
        }
        Ok(())
    })
    .await;
}
