//! Who may do what: every operation of the API's description, asked by everybody, with ids of their own tenant and of
//! another one. An operation that has no row in `matrix.txt` fails the test.

use crate::support::{App, Client, Reply};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use conference::ids::UserId;
use conference::services::users_admin::UserChange;
use conference::services::{Actor, UserActor};
use conference::vocabulary::TenantRole;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

/// The reviewed table. After a wanted change: `UPDATE_SNAPSHOTS=1 cargo test -p api`, then read the difference.
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/matrix.txt");
const HEADER: &str = "\
# operation | body | status for: nobody, participant, guest, user, session_admin, tenant_admin, owner of the meeting
# The user and the guest are on no list of the meeting asked about; the participant came by its shared link.
";
const ASKERS: [&str; 7] = ["nobody", "participant", "gus", "uma", "sam", "tia", "hana"];

/// One row of the table.
struct Row {
    body: String,
    statuses: Vec<String>,
}

fn read_table() -> BTreeMap<String, Row> {
    let text = std::fs::read_to_string(TABLE).unwrap_or_default();
    let mut rows = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let parts: Vec<&str> = line.split(" | ").collect();
        let statuses = parts[2].split_whitespace().map(str::to_owned).collect();
        rows.insert(parts[0].to_owned(), Row { body: parts[1].trim().to_owned(), statuses });
    }
    rows
}

/// Every operation of the description: `GET /v1/users`.
fn operations() -> BTreeSet<String> {
    let document = serde_json::to_value(api::document()).unwrap();
    let mut operations = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            if ["get", "post", "put", "patch", "delete"].contains(&method.as_str()) {
                operations.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    operations
}

/// Ids to be asked about, by the name of the path's parameter.
type Ids = BTreeMap<&'static str, String>;

/// What every fixture is made with.
struct Stage<'a> {
    app: &'a App,
    clients: BTreeMap<&'static str, Client<'a>>,
    users: BTreeMap<&'static str, String>,
    made: std::cell::Cell<u32>,
}

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned()
}

fn last_part(value: &Value) -> String {
    value.as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}

impl<'a> Stage<'a> {
    async fn new(app: &'a App) -> Self {
        app.bench.live.register("103a");
        let mut clients = BTreeMap::new();
        for login in ["gus", "uma", "sam", "tia", "hana"] {
            clients.insert(login, app.login(login).await);
        }
        clients.insert("nobody", app.anonymous());
        let mut users = BTreeMap::new();
        for (key, name) in [("pia", "Pia"), ("uma", "Uma")] {
            users.insert(key, clients["hana"].user(name).await);
        }
        Self { app, clients, users, made: std::cell::Cell::new(0) }
    }

    fn next(&self) -> u32 {
        self.made.set(self.made.get() + 1);
        // Whoever asks this much would otherwise be asked to wait.
        self.app.bench.clock.advance(Duration::from_millis(500));
        self.made.get()
    }

    /// Fresh things for the parameters of this path, and the token of a participant.
    async fn fixture(&self, path: &str) -> (Ids, Option<String>) {
        let (hana, tia) = (&self.clients["hana"], &self.clients["tia"]);
        let n = self.next();
        let mut ids = Ids::from([("user", self.users["pia"].clone())]);
        let has = |name: &str| path.contains(&format!("{{{name}}}"));
        let meeting = hana.meeting("conference").await;
        let meeting_id = id(&meeting);
        hana.join(&meeting_id).await;
        ids.insert("person", id(crate::support::person(&meeting, "Ari")));
        let link = last_part(&meeting["link"]);
        let joined = self.app.anonymous().post(&format!("/v1/join/{link}"), json!({"name": "Paul"})).await;
        let participant = joined.body["token"].as_str().map(str::to_owned);
        if has("call") {
            let targets = json!({"targets": [{"user": self.users["uma"], "device": "103a"}]});
            let placed = hana.post(&format!("/v1/meetings/{meeting_id}/calls"), targets).await;
            ids.insert("call", id(&placed.body["calls"][0]));
        }
        if has("order") {
            let body = json!({"users": ["uma@acme.test"], "sessions": [meeting_id]});
            ids.insert("order", id(&tia.post("/v1/multi-invites", body).await.body));
        }
        if has("request") {
            let body = json!({"email": format!("new{n}@else.test")});
            ids.insert("request", id(&tia.post("/v1/user-requests", body).await.body));
        }
        if has("key") {
            let body = json!({"name": "n", "scopes": ["read"]});
            ids.insert("key", id(&tia.post("/v1/api-keys", body).await.body["api_key"]));
        }
        if has("webhook") {
            let body = json!({"url": "https://hooks.example/x", "description": "x"});
            ids.insert("webhook", id(&tia.post("/v1/webhooks", body).await.body));
        }
        if has("device") {
            let path = format!("/v1/users/{}/devices", self.users["pia"]);
            let made = tia.post(&path, json!({"kind": "desk phone", "name": format!("m{n}")})).await;
            ids.insert("device", id(&made.body["device"]));
        }
        if has("number") {
            let list = if path.contains("blocked") { "/v1/blocked-numbers" } else { "/v1/numbers" };
            let made = tia.post(list, json!({"number": format!("+1202555{:04}", 2_000 + n)})).await;
            ids.insert("number", id(&made.body));
        }
        if has("trunk") {
            let body = json!({"name": format!("t{n}"), "host": "carrier.test", "peer": "192.0.2.1:5060"});
            ids.insert("trunk", tia.post("/v1/trunks", body).await.body["id"].to_string());
        }
        if path.contains("/enrol/") {
            let body = json!({"first": "N", "email": format!("enrol{n}@acme.test"), "role": "user"});
            ids.insert("token", last_part(&tia.post("/v1/users", body).await.body["enrol"]["link"]));
        } else {
            ids.insert("token", link);
        }
        ids.insert("meeting", meeting_id);
        (ids, participant)
    }

    /// The body of a row: `$n` is a number never used before, `$digits` four digits of one, `$pia` a user, `$meeting` the meeting.
    fn body(&self, row: &str, ids: &Ids) -> String {
        let next = self.next();
        let mut body =
            row.replace("$n", &next.to_string()).replace("$digits", &format!("{:04}", 6_000 + next));
        for (name, user) in &self.users {
            body = body.replace(&format!("${name}"), user);
        }
        body.replace("$meeting", &ids["meeting"])
    }
}

/// The path with its parameters filled in; what a fixture does not know is an id nobody has.
fn fill(path: &str, ids: &Ids) -> String {
    let mut filled = path.to_owned();
    while let Some((before, rest)) = filled.clone().split_once('{') {
        let (name, after) = rest.split_once('}').unwrap();
        filled = format!("{before}{}{after}", ids.get(name).map_or("x0", String::as_str));
    }
    filled
}

async fn ask(client: &Client<'_>, operation: &str, path: &str, body: &str) -> Reply {
    let method: Method = operation.split(' ').next().unwrap().parse().unwrap();
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = &client.token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let kind = match body {
        file if file.starts_with("First name") => "text/csv",
        mail if mail.starts_with("From: ") => "message/rfc822",
        _ => "application/json",
    };
    if !body.is_empty() {
        request = request.header(header::CONTENT_TYPE, kind);
    }
    let body = if kind == "application/json" { body.to_owned() } else { body.replace("\\n", "\n") };
    client.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w2_i80_d61_every_operation_for_every_role() {
    let app = App::new().await;
    let stage = Stage::new(&app).await;
    let rows = read_table();
    let update = std::env::var_os("UPDATE_SNAPSHOTS").is_some();
    let mut table = HEADER.to_owned();
    let mut wrong = Vec::new();
    for operation in operations() {
        let path = operation.split(' ').nth(1).unwrap().to_owned();
        let Some(row) = rows.get(&operation) else {
            wrong.push(format!("{operation} has no row in {TABLE}: add one with a body that is taken"));
            writeln!(table, "{operation} |  | ? ? ? ? ? ? ?").unwrap();
            continue;
        };
        let mut statuses = Vec::new();
        let mut kept: Option<(Ids, Option<String>)> = None;
        for asker in ASKERS {
            let (ids, participant) = match kept.take() {
                Some(kept) => kept,
                None => stage.fixture(&path).await,
            };
            let login;
            let client = match (asker, &participant) {
                ("participant", Some(token)) => &app.with_token(token),
                // A login that ends must be one of its own.
                (asker, _) if path == "/v1/logout" && asker != "nobody" => {
                    login = app.login(asker).await;
                    &login
                }
                (asker, _) => &stage.clients[asker],
            };
            let body = stage.body(&row.body, &ids);
            let reply = ask(client, &operation, &fill(&path, &ids), &body).await;
            statuses.push(reply.status.as_u16().to_string());
            // What was refused has changed nothing.
            if !reply.status.is_success() {
                kept = Some((ids, participant));
            }
        }
        if statuses != row.statuses && !update {
            wrong.push(format!("{operation}: {} instead of {}", statuses.join(" "), row.statuses.join(" ")));
        }
        writeln!(table, "{operation} | {} | {}", row.body, statuses.join(" ")).unwrap();
    }
    if update {
        std::fs::write(TABLE, table).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (operation, row) in &rows {
        assert!(operations().contains(operation), "{operation} is no operation any more");
        assert!(!row.statuses.contains(&"500".to_owned()), "{operation}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w2_d61_ids_of_another_tenant_are_as_unknown_for_every_role_and_operation() {
    let app = App::new().await;
    let stage = Stage::new(&app).await;
    let zed = app.login("zed").await;
    let created = zed.post("/v1/meetings", json!({"title": "Zeta"})).await;
    let link = last_part(&created.body["link"]);
    let joined = app.anonymous().post(&format!("/v1/join/{link}"), json!({"name": "Zoe"})).await;
    let participant = app.with_token(joined.body["token"].as_str().unwrap());
    let rows = read_table();
    let mut wrong = Vec::new();
    let mut asked = 0;
    for operation in operations() {
        let path = operation.split(' ').nth(1).unwrap();
        let (Some(row), true) = (rows.get(&operation), path.contains('{') && !path.contains("{token}"))
        else {
            continue;
        };
        let (ids, _) = stage.fixture(path).await;
        let (foreign, unknown) = (fill(path, &ids), fill(path, &Ids::new()));
        let body = stage.body(&row.body, &ids);
        for role in [
            None,
            Some(TenantRole::Guest),
            Some(TenantRole::User),
            Some(TenantRole::SessionAdmin),
            Some(TenantRole::TenantAdmin),
        ] {
            let client = if role.is_some() { &zed } else { &participant };
            if let Some(role) = role {
                set_role(&app, &zed, role).await;
            }
            let answers = [
                ask(client, &operation, &foreign, &body).await,
                ask(client, &operation, &unknown, &body).await,
            ];
            asked += 1;
            let words =
                |reply: &Reply| (reply.status, reply.body["detail"].clone(), reply.body["mend"].clone());
            let refused = [StatusCode::NOT_FOUND, StatusCode::FORBIDDEN].contains(&answers[0].status);
            if !refused || words(&answers[0]) != words(&answers[1]) {
                wrong.push(format!(
                    "{operation} as {role:?}: {:?} but {:?}",
                    words(&answers[0]),
                    words(&answers[1])
                ));
            }
        }
        set_role(&app, &zed, TenantRole::TenantAdmin).await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(asked >= 100, "{asked}");
}

/// Gives Zed, who is alone in his tenant, another role.
async fn set_role(app: &App, zed: &Client<'_>, role: TenantRole) {
    let Ok(Actor::User(actor)) = app.bench.services.authenticate(zed.token.as_deref().unwrap()).await else {
        panic!("Zed is a user")
    };
    if actor.role == role {
        return;
    }
    // The store's rule that somebody must administer does not bind a test's second administrator.
    let admin = Actor::User(UserActor { role: TenantRole::TenantAdmin, ..actor.clone() });
    let user: UserId = actor.user.clone();
    let change = UserChange { role: Some(role), ..UserChange::default() };
    if actor.role == TenantRole::TenantAdmin {
        let second = conference::services::users_admin::NewUser {
            first: "Second".to_owned(),
            last: String::new(),
            mail: None,
            login: Some("zeta-second".to_owned()),
            phone: None,
            role: TenantRole::TenantAdmin,
            extension: None,
            area_code: None,
            generic_id: None,
        };
        if let Ok(created) = app.bench.services.create_user(&admin, second).await {
            let token = created.enrol.link.rsplit('/').next().unwrap().to_owned();
            app.bench.services.enrol(&token, "a long password").await.unwrap();
        }
    }
    app.bench.services.change_user(&admin, &user, change).await.unwrap();
}
