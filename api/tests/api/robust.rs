//! No input makes the API fail: generated requests for every operation of its description.

use crate::support::{App, Client};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// A small generator, seeded, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // Splitmix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(sides).unwrap()).unwrap()
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.roll(from.len())]
    }
}

const TEXTS: [&str; 30] = [
    "",
    " ",
    "x",
    "Hana",
    "\0",
    "a\0b",
    "\r\nX: y",
    "'; DROP TABLE users; --",
    "\" OR 1=1",
    "%",
    "_",
    "%%%%",
    "../../etc",
    "\u{202e}x",
    "🦀",
    "é\u{301}",
    "pia@acme.test",
    "a@b@c",
    "<a@b>",
    "+12025550177",
    "911",
    "(202) 555-0177",
    "0",
    "-1",
    "9999999999999999999999",
    "2026-02-30T25:61:00Z",
    "FREQ=SECONDLY;COUNT=999999",
    "Mars/Olympus",
    "\u{feff}",
    "null",
];

/// A value for a schema, mostly of its form, sometimes not.
fn value(dice: &mut Dice, schema: &Value, all: &Value, depth: usize) -> Value {
    if dice.roll(12) == 0 || depth > 6 {
        return wild(dice, 0);
    }
    if let Some(name) = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next()) {
        return value(dice, &all["components"]["schemas"][name], all, depth + 1);
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        if let Some(choices) = schema[choice].as_array() {
            let chosen = dice.pick(choices).clone();
            return value(dice, &chosen, all, depth + 1);
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        return dice.pick(words).clone();
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => vec!["object"],
    };
    match if kinds.is_empty() { "null" } else { *dice.pick(&kinds) } {
        "string" => json!(text(dice)),
        "integer" | "number" => {
            json!(*dice.pick(&[0_i64, 1, -1, 7, 500, 501, i64::MAX, i64::MIN, 1_800_000_000_000]))
        }
        "boolean" => json!(dice.roll(2) == 0),
        "array" => {
            let length = dice.roll(4);
            Value::Array((0..length).map(|_| value(dice, &schema["items"], all, depth + 1)).collect())
        }
        "object" => {
            let mut fields = Map::new();
            for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
                if dice.roll(3) > 0 {
                    fields.insert(name.clone(), value(dice, schema, all, depth + 1));
                }
            }
            if dice.roll(20) == 0 {
                fields.insert(text(dice), wild(dice, 0));
            }
            Value::Object(fields)
        }
        _ => Value::Null,
    }
}

fn text(dice: &mut Dice) -> String {
    match dice.roll(12) {
        0 => "x".repeat(*dice.pick(&[121, 255, 5_000, 70_000])),
        1 => (0..dice.roll(40))
            .map(|_| char::from_u32(u32::try_from(dice.roll(0x300)).unwrap()).unwrap_or('?'))
            .collect(),
        _ => (*dice.pick(&TEXTS)).to_owned(),
    }
}

fn wild(dice: &mut Dice, depth: usize) -> Value {
    match dice.roll(8) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(1e308),
        3 => json!(-9_007_199_254_740_993_i64),
        4 if depth < 20 => Value::Array(vec![wild(dice, depth + 1); dice.roll(3)]),
        5 if depth < 20 => json!({"a": wild(dice, depth + 1)}),
        _ => json!(text(dice)),
    }
}

/// Percent-encodes everything that is not plain.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let sign = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02x}") };
    text.bytes().map(sign).collect()
}

async fn ids(client: &Client<'_>) -> Vec<String> {
    let meeting = client.active_meeting().await;
    let people = client.get(&format!("/v1/meetings/{meeting}/people")).await;
    let person = people.body["people"][1]["id"].as_str().unwrap().to_owned();
    vec![meeting, person, client.user("Pia").await, "x0".to_owned(), String::new()]
}

fn request(
    dice: &mut Dice,
    token: &str,
    method: &str,
    path: &str,
    operation: &Value,
    all: &Value,
    ids: &[String],
) -> Request<Body> {
    let mut uri = String::new();
    for part in path.split('/').skip(1) {
        let filled = if part.starts_with('{') {
            if dice.roll(3) == 0 {
                encoded(&text(dice).chars().take(200).collect::<String>())
            } else {
                dice.pick(ids).clone()
            }
        } else {
            part.to_owned()
        };
        uri = format!("{uri}/{filled}");
    }
    let mut query = Vec::new();
    let mut headers = Vec::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap();
        let chosen = value(dice, &parameter["schema"], all, 0);
        let chosen = chosen.as_str().map_or_else(|| chosen.to_string(), str::to_owned);
        match parameter["in"].as_str() {
            Some("query") if dice.roll(2) == 0 => {
                query.push(format!("{name}={}", encoded(&chosen.chars().take(300).collect::<String>())));
            }
            Some("header") if dice.roll(2) == 0 => headers.push((name.to_owned(), chosen)),
            _ => {}
        }
    }
    if !query.is_empty() {
        uri = format!("{uri}?{}", query.join("&"));
    }
    let mut builder = Request::builder().method(method.to_uppercase().parse::<Method>().unwrap()).uri(uri);
    builder = builder.header(header::AUTHORIZATION, format!("Bearer {token}"));
    for (name, text) in headers {
        if let Ok(text) = header::HeaderValue::from_bytes(text.as_bytes()) {
            builder = builder.header(name, text);
        }
    }
    let contents = operation["requestBody"]["content"].as_object();
    let Some((kind, content)) = contents.and_then(|contents| contents.iter().next()) else {
        return builder.body(Body::empty()).unwrap();
    };
    let mut body = match kind.as_str() {
        "application/json" => value(dice, &content["schema"], all, 0).to_string().into_bytes(),
        _ => format!("First name,Last name,E-mail,Role\n{},{},{},User\n", text(dice), text(dice), text(dice))
            .into_bytes(),
    };
    if dice.roll(15) == 0 && !body.is_empty() {
        let at = dice.roll(body.len());
        body[at] = u8::try_from(dice.roll(256)).unwrap();
    }
    builder.header(header::CONTENT_TYPE, kind).body(Body::from(body)).unwrap()
}

/// Asks every operation with generated input. [`Client::send`] itself refuses an answer of 500.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w6_w9_no_input_makes_it_fail() {
    const ROUNDS: usize = 40;
    let app = App::new().await;
    let all = serde_json::to_value(api::document()).unwrap();
    let (hana, tia) = (app.login("hana").await, app.login("tia").await);
    let ids = ids(&hana).await;
    let mut dice = Dice(7);
    let mut seen = std::collections::BTreeMap::<StatusCode, usize>::new();
    let mut undescribed = std::collections::BTreeSet::new();
    for round in 0..ROUNDS {
        for (path, item) in all["paths"].as_object().unwrap() {
            // A login that ends would end the test; a wrong password is slow by intent.
            if ["/v1/logout", "/v1/login", "/v1/me/password"].contains(&path.as_str()) {
                continue;
            }
            for (method, operation) in item.as_object().unwrap() {
                app.bench.clock.advance(Duration::from_millis(20));
                let client = if round % 2 == 0 { &tia } else { &hana };
                let token = client.token.as_deref().unwrap();
                let request = request(&mut dice, token, method, path, operation, &all, &ids);
                let reply = client.send(request).await;
                *seen.entry(reply.status).or_default() += 1;
                // Too many at once may be said everywhere.
                let described = operation["responses"].get(reply.status.as_str()).is_some();
                if !described && reply.status != StatusCode::TOO_MANY_REQUESTS {
                    undescribed.insert(format!("{method} {path}: {} {}", reply.status, reply.body["detail"]));
                }
                if reply.status.is_client_error() && path.starts_with("/v1/") {
                    let kind = reply.headers.get(header::CONTENT_TYPE).map(header::HeaderValue::as_bytes);
                    assert_eq!(kind, Some(&b"application/problem+json"[..]), "{method} {path}: {reply:?}");
                    assert!(
                        reply.body["detail"].as_str().is_some_and(|text| !text.is_empty()),
                        "{path}: {reply:?}"
                    );
                }
            }
        }
    }
    assert!(
        seen.keys().any(StatusCode::is_success) && seen.contains_key(&StatusCode::UNPROCESSABLE_ENTITY),
        "{seen:?}"
    );
    assert!(undescribed.is_empty(), "answers that the description does not name: {undescribed:#?}");
    assert_eq!(hana.get("/v1/me").await.status, StatusCode::OK);
}

#[tokio::test]
async fn w9_depth_size_and_type_have_limits_everywhere() {
    let app = App::new().await;
    let tia = app.login("tia").await;
    let token = tia.token.clone().unwrap();
    let all = serde_json::to_value(api::document()).unwrap();
    let send = async |method: &str, path: &str, kind: &str, body: Vec<u8>| {
        app.bench.clock.advance(Duration::from_millis(50));
        let path: String = path.replace(['{', '}'], "");
        let request = Request::builder()
            .method(method.to_uppercase().parse::<Method>().unwrap())
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, kind);
        tia.send(request.body(Body::from(body)).unwrap()).await
    };
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(5_000), "]".repeat(5_000)).into_bytes();
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(3 * 1024 * 1024)).into_bytes();
    let mut asked = 0;
    for (path, item) in all["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation["requestBody"]["content"].get("application/json").is_none() {
                continue;
            }
            asked += 1;
            let reply = send(method, path, "application/json", deep.clone()).await;
            assert!(reply.status.is_client_error(), "{method} {path}: {reply:?}");
            let reply = send(method, path, "application/json", large.clone()).await;
            assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE, "{method} {path}");
            let reply = send(method, path, "text/html", b"{}".to_vec()).await;
            assert_eq!(reply.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{method} {path}: {reply:?}");
            let reply = send(method, path, "application/json", b"{\"".to_vec()).await;
            assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{method} {path}: {reply:?}");
        }
    }
    assert!(asked >= 12, "{asked}");
}

#[tokio::test]
async fn d60_every_method_that_is_none_is_a_problem_naming_those_there_are() {
    let app = App::new().await;
    let tia = app.login("tia").await;
    let all = serde_json::to_value(api::document()).unwrap();
    for (path, item) in all["paths"].as_object().unwrap().iter().filter(|(path, _)| path.starts_with("/v1/"))
    {
        app.bench.clock.advance(Duration::from_millis(50));
        let known: Vec<String> =
            item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        let method = ["DELETE", "PUT", "PATCH", "POST"]
            .into_iter()
            .find(|method| !known.contains(&(*method).to_owned()));
        let Some(method) = method else { continue };
        let reply = tia.request(method.parse().unwrap(), &path.replace(['{', '}'], ""), &[], None).await;
        reply.is_problem(StatusCode::METHOD_NOT_ALLOWED, None);
        let allow = reply.headers[header::ALLOW].to_str().unwrap();
        assert!(known.iter().all(|method| allow.contains(method)), "{path}: {allow} but {known:?}");
    }
}
