use crate::support::App;
use axum::http::StatusCode;
use conference::live::call::DialTarget;
use conference::live::focus::Command;
use conference::services::{Actor, Provision, UserActor};
use conference::vocabulary::TenantRole;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What the running part was told last of a trunk.
fn provisioned(app: &App) -> conference::services::provision::ProvisionedTrunk {
    let state = app.bench.live.state();
    let last = state.provisions.iter().rev().find_map(|change| match change {
        Provision::Trunk(trunk) => Some((**trunk).clone()),
        _ => None,
    });
    last.unwrap()
}

fn new_trunk() -> Value {
    json!({
        "name": "second", "peer": "sip.carrier.test", "transport": "auto", "user": "acme", "password": "top-secret",
        "register": true, "max_out": 2, "calls_per_second": 5, "number_format": "national", "pai_format": "rpid",
        "from_format": "account", "srtp": "required", "codecs": ["g722", "pcmu"], "sources": ["192.0.2.0/24"]
    })
}

#[tokio::test]
async fn d16_d18_d33_a_trunk_is_added_changed_and_removed_while_the_house_runs() {
    let app = App::new().await;
    let tia = app.login("tia").await;
    let made = tia.post("/v1/trunks", new_trunk()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    assert_eq!((&made.body["host"], &made.body["has_password"]), (&json!("sip.carrier.test"), &json!(true)));
    let told = provisioned(&app);
    assert!(told.trunk.transport.is_none());
    assert_eq!(told.trunk.limits.outgoing, Some(2));
    assert_eq!(told.trunk.limits.calls_per_second, Some(5));
    assert_eq!(format!("{:?} {:?}", told.trunk.identity, told.trunk.from), "RemoteParty Account");
    assert_eq!(told.trunk.numbers.write("+12025550100"), "2025550100");
    assert_eq!(told.trunk.credentials.as_ref().unwrap().password, "top-secret");
    assert_eq!(told.codecs, ["g722", "pcmu"]);
    let path = format!("/v1/trunks/{}", made.body["id"]);
    let changed = tia.patch(&path, json!({"max_out": 0, "transport": "tls", "priority": 5})).await;
    assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
    assert_eq!((&changed.body["max_out"], &changed.body["max_in"]), (&json!(0), &json!(0)));
    let told = provisioned(&app);
    assert_eq!(format!("{:?} {:?}", told.trunk.transport, told.trunk.limits.outgoing), "Some(Tls) None");
    assert_eq!(told.trunk.credentials.as_ref().unwrap().password, "top-secret", "what is left out stays");
    let listed = tia.get("/v1/trunks").await;
    assert_eq!(listed.body["trunks"].as_array().unwrap().len(), 2);
    assert_eq!(tia.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert!(matches!(app.bench.live.state().provisions.last(), Some(Provision::TrunkGone(_))));
    tia.get(&path).await.is_problem(StatusCode::NOT_FOUND, None);
}

#[tokio::test]
async fn d65_the_password_of_a_trunk_is_never_shown() {
    let app = App::new().await;
    let tia = app.login("tia").await;
    let made = tia.post("/v1/trunks", new_trunk()).await;
    let path = format!("/v1/trunks/{}", made.body["id"]);
    for reply in [
        made,
        tia.get(&path).await,
        tia.get("/v1/trunks").await,
        tia.patch(&path, json!({"weight": 1})).await,
    ] {
        assert!(!reply.text.contains("top-secret"), "{}", reply.text);
        assert!(!reply.text.contains("trunk-secret-demo"), "{}", reply.text);
    }
}

#[tokio::test]
async fn i86_only_the_tenant_admin_reaches_trunks_and_only_their_own() {
    let app = App::new().await;
    let tia = app.login("tia").await;
    let id = tia.get("/v1/trunks").await.body["trunks"][0]["id"].as_u64().unwrap();
    for login in ["hana", "sam", "gus", "zed"] {
        let client = app.login(login).await;
        client.get("/v1/trunks").await.is_problem(StatusCode::FORBIDDEN, None);
        client.post("/v1/trunks", new_trunk()).await.is_problem(StatusCode::FORBIDDEN, None);
        let path = format!("/v1/trunks/{id}");
        client.get(&path).await.is_problem(StatusCode::FORBIDDEN, None);
        client.patch(&path, json!({"enabled": false})).await.is_problem(StatusCode::FORBIDDEN, None);
        client.delete(&path).await.is_problem(StatusCode::FORBIDDEN, None);
        client.get(&format!("{path}/status")).await.is_problem(StatusCode::FORBIDDEN, None);
        client.post(&format!("{path}/probe"), json!({})).await.is_problem(StatusCode::FORBIDDEN, None);
    }
    app.anonymous().get("/v1/trunks").await.is_problem(StatusCode::UNAUTHORIZED, None);
    let me = app.login("zed").await.get("/v1/me").await;
    let foreign = Actor::User(UserActor {
        tenant: me.body["tenant"]["id"].as_str().or_else(|| me.body["tenant"].as_str()).unwrap().into(),
        user: me.body["id"].as_str().unwrap().into(),
        display_name: "Zed".to_owned(),
        role: TenantRole::TenantAdmin,
    });
    assert!(
        app.bench.services.trunk_by_id(&foreign, id).await.is_err(),
        "another tenant's trunk does not exist"
    );
    assert!(app.bench.services.remove_trunk(&foreign, id).await.is_err());
}

#[tokio::test]
async fn what_is_wrong_with_a_trunk_is_named() {
    let app = App::new().await;
    let tia = app.login("tia").await;
    for (change, field) in [
        (json!({"peer": "a.test"}), "name"),
        (json!({"name": "x"}), "peer"),
        (json!({"name": "x", "peer": "not a host"}), "peer"),
        (json!({"name": "x", "peer": "a.test:0"}), "peer"),
        (json!({"name": "x\r\n", "peer": "a.test", "host": "a b"}), "host"),
        (json!({"name": "x", "peer": "a.test", "sources": ["10.0.0.0/8", "x"]}), "sources[1]"),
        (json!({"name": "x", "peer": "a.test", "user": "a"}), "password"),
        (json!({"name": "x", "peer": "a.test", "register": true}), "register"),
        (json!({"name": "x", "peer": "a.test", "max_in": 1_000_000}), "max_in"),
        (json!({"name": "x", "peer": "a.test", "codecs": ["g729"]}), "codecs[0]"),
        (json!({"name": "x", "peer": "a.test", "transport": "sctp"}), "transport"),
        (json!({"name": "x", "peer": "a.test", "colour": "red"}), "colour"),
    ] {
        tia.post("/v1/trunks", change).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some(field));
    }
    let taken = json!({"name": "carrier", "peer": "a.test"});
    tia.post("/v1/trunks", taken).await.is_problem(StatusCode::CONFLICT, Some("name"));
    let id = tia.get("/v1/trunks").await.body["trunks"][0]["id"].as_u64().unwrap();
    let renamed = tia.patch(&format!("/v1/trunks/{id}"), json!({"name": "other"})).await;
    renamed.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("name"));
    for path in ["/v1/trunks/0", "/v1/trunks/x", "/v1/trunks/999999"] {
        tia.get(path).await.is_problem(StatusCode::NOT_FOUND, None);
    }
}

#[tokio::test]
async fn i86_each_change_of_a_trunk_is_in_the_audit_log_and_a_disabled_one_is_told_of_as_gone() {
    let app = App::new().await;
    let tia = app.login("tia").await;
    let id = tia.get("/v1/trunks").await.body["trunks"][0]["id"].as_u64().unwrap();
    let path = format!("/v1/trunks/{id}");
    let changed = tia.patch(&path, json!({"enabled": false})).await;
    assert_eq!(changed.body["enabled"], false, "{changed:?}");
    assert!(matches!(app.bench.live.state().provisions.last(), Some(Provision::TrunkGone(_))));
    tia.get(&format!("{path}/status")).await.is_problem(StatusCode::CONFLICT, None);
    // Nobody may call by it any more.
    let hana = app.login("hana").await;
    let meeting = hana.active_meeting().await;
    let body = json!({"targets": [{"number": "+12025550177", "role": "attendee"}]});
    let check = hana.post(&format!("/v1/meetings/{meeting}/calls/check"), body).await;
    assert_eq!(check.body["calls"][0]["state"], "refused", "{check:?}");
}

#[tokio::test]
async fn d17_the_preview_names_the_trunk_that_is_dialled() {
    let app = App::new().await;
    let (tia, hana) = (app.login("tia").await, app.login("hana").await);
    for name in ["second", "third"] {
        let body = json!({"name": name, "host": "carrier.test", "peer": "192.0.2.1:5060"});
        assert_eq!(tia.post("/v1/trunks", body).await.status, StatusCode::CREATED);
    }
    let trunks = tia.get("/v1/trunks").await.body;
    let names: BTreeMap<u64, String> = trunks["trunks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["id"].as_u64().unwrap(), row["name"].as_str().unwrap().to_owned()))
        .collect();
    let path = format!("/v1/meetings/{}/calls", hana.active_meeting().await);
    let numbers: Vec<_> = (0..12).map(|n| json!({"number": format!("+120255502{n:02}")})).collect();
    let body = json!({"targets": numbers});
    let preview = hana.post(&format!("{path}/check"), body.clone()).await.body;
    let said: Vec<_> =
        preview["calls"].as_array().unwrap().iter().map(|row| row["trunk"].as_str().unwrap()).collect();
    assert_eq!(hana.post(&path, body).await.status, StatusCode::ACCEPTED);
    let state = app.bench.live.state();
    let dialled: Vec<&str> = state
        .commands
        .iter()
        .filter_map(|command| match command {
            Command::Dial(spec) => Some(spec),
            _ => None,
        })
        .map(|spec| match &spec.target {
            DialTarget::Number { trunks, .. } => names[&trunks[0].0].as_str(),
            DialTarget::Device { .. } => panic!("no device was called"),
        })
        .collect();
    assert_eq!(said, dialled);
    assert!(said.iter().any(|name| *name != said[0]), "they are drawn by lot: {said:?}");
}
