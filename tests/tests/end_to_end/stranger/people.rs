//! PEOPLE of a meeting: who is offered, who is on the list.

use serde_json::json;

use super::{get, id, on_database, post, resolve};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a01_a02_a09_a10_a11_a12_a13_a14_a15_a16_a17_a18_a19_a20_people_by_the_api() {
    on_database(async |stage| {
        let (hana, _) = stage.login("hana").await?;
        let users = get(&hana, "/v1/users").await?;
        let names: Vec<&str> =
            users["users"].as_array().unwrap().iter().map(|user| user["display_name"].as_str().unwrap()).collect();
        assert!(names.iter().any(|name| name.starts_with("Pia")), "A09: {names:?}");
        assert!(!names.iter().any(|name| name.starts_with("Hana") || name.starts_with("Zed")), "A09: {names:?}");
        for (text, expected) in [("pi", "Pia"), ("101", "Pia"), ("+1 202 555 0102", "Ari"), ("PIA@acme.test", "Pia")] {
            let found = resolve(&hana, "people", text).await?;
            let name = found["user"]["display_name"].as_str().unwrap_or_default();
            assert!(name.starts_with(expected), "A10 to A13: {text}: {found}");
        }
        assert_eq!(resolve(&hana, "people", "+1 202 555 0177").await?["kind"], "number", "A12");
        assert_eq!(resolve(&hana, "people", "guest@else.test").await?["kind"], "email", "A13");
        assert_eq!(resolve(&hana, "people", "zzzz").await?["kind"], "unknown", "A14");
        let invalid = json!({"title": "M", "people": [{"email": "a@b.test", "role": "king"}]});
        let refused = post(&hana, "/v1/meetings", invalid).await?;
        assert_eq!(refused.status, 422, "A01, A19: {}", refused.body);
        let before = get(&hana, "/v1/sessions").await?["total"].clone();
        let pia = id(&resolve(&hana, "people", "pia").await?["user"]);
        let people = json!([{"user": pia, "role": "presenter"}, {"email": "pia@acme.test", "role": "host"}, {"email": "guest@else.test"}]);
        let created = post(&hana, "/v1/meetings", json!({"title": "A02", "people": people})).await?;
        assert_eq!(created.status, 201, "{}", created.body);
        let meeting = id(&created.body);
        let listed = created.body["people"].as_array().unwrap();
        assert_eq!(listed.len(), 3, "A15: Hana, Pia once, the guest: {listed:?}");
        assert_eq!(get(&hana, "/v1/sessions").await?["total"].as_u64(), before.as_u64().map(|n| n + 1), "A20");
        let path = format!("/v1/meetings/{meeting}/people");
        let added = post(&hana, &path, json!({"people": [{"email": "ari@acme.test"}]})).await?;
        assert_eq!(added.status, 201, "A02: {}", added.body);
        let ari = id(&added.body["people"][0]);
        let gone = hana.send("DELETE", &format!("{path}/{ari}"), &[], None).await?;
        assert_eq!(gone.status, 204, "A17: {}", gone.body);
        let left = get(&hana, &path).await?;
        assert!(!left["people"].as_array().unwrap().iter().any(|row| row["id"] == ari.as_str()), "A18: {left}");
        Ok(())
    })
    .await;
}
