use crate::support::App;
use axum::http::StatusCode;
use serde_json::Value;

fn names(body: &Value) -> Vec<String> {
    let users = body["users"].as_array().unwrap();
    users.iter().map(|user| user["display_name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a09_the_list_holds_colleagues_without_oneself_and_other_tenants() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let all = names(&hana.get("/v1/users").await.body);
    assert_eq!(all, ["Pia Paz", "Ari Arlo", "Uma Ural", "Sam", "Tia", "Gus"]);
    assert_eq!(names(&hana.get("/v1/users?query=PI").await.body), ["Pia Paz"]);
    assert_eq!(names(&hana.get("/v1/users?query=103").await.body), ["Uma Ural"]);
    assert!(names(&hana.get("/v1/users?query=zed").await.body).is_empty());
}

#[tokio::test]
async fn a46_only_devices_registered_at_this_moment_are_listed() {
    let app = App::new().await;
    app.bench.live.register("103a");
    let hana = app.login("hana").await;
    let uma = hana.user("Uma").await;
    let registered = format!("/v1/users/{uma}/devices?registered=true");
    let reply = hana.get(&registered).await;
    let devices = reply.body["devices"].as_array().unwrap();
    assert_eq!(devices.len(), 1);
    assert_eq!(devices[0]["label"], "Desk phone 103a");
    let all = hana.get(&format!("/v1/users/{uma}/devices")).await;
    assert_eq!(all.body["devices"][1]["label"], "Softphone 103b");
    assert_eq!(all.body["devices"][1]["registered"], false);
    app.bench.live.unregister("103a");
    assert_eq!(hana.get(&registered).await.body["devices"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn d61_users_of_another_tenant_do_not_exist() {
    let app = App::new().await;
    let uma = app.login("hana").await.user("Uma").await;
    let zed = app.login("zed").await;
    let foreign = zed.get(&format!("/v1/users/{uma}/devices")).await;
    let unknown = zed.get("/v1/users/u0/devices").await;
    foreign.is_problem(StatusCode::NOT_FOUND, None);
    assert_eq!(foreign.body["detail"], unknown.body["detail"]);
}

#[tokio::test]
async fn i80_guests_see_no_colleagues_and_create_nothing() {
    let app = App::new().await;
    let gus = app.login("gus").await;
    gus.get("/v1/users").await.is_problem(StatusCode::FORBIDDEN, None);
    let body = serde_json::json!({"title": "M1"});
    gus.post("/v1/meetings", body).await.is_problem(StatusCode::FORBIDDEN, None);
    assert_eq!(gus.get("/v1/meetings").await.body["meetings"], Value::Array(Vec::new()));
}
