use crate::support::App;
use serde_json::Value;

/// The reviewed description. After a wanted change: `UPDATE_SNAPSHOTS=1 cargo test -p api`, then read the difference.
const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

#[tokio::test]
async fn d60_the_description_is_the_reviewed_one() {
    let app = App::new().await;
    let served = app.anonymous().get("/v1/openapi.json").await.body;
    let text = format!("{}\n", serde_json::to_string_pretty(&served).unwrap());
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(SNAPSHOT, &text).unwrap();
    }
    let reviewed = std::fs::read_to_string(SNAPSHOT).unwrap_or_default();
    assert!(
        reviewed == text,
        "api/openapi.json differs: run with UPDATE_SNAPSHOTS=1 and review the difference"
    );
}

#[tokio::test]
async fn d60_every_route_is_described() {
    let app = App::new().await;
    let served = app.anonymous().get("/v1/openapi.json").await.body;
    let described = served["paths"].as_object().unwrap();
    let source = include_str!("../../src/routes/mod.rs");
    for line in source.lines().filter_map(|line| line.trim().strip_prefix(".route(\"")) {
        let (path, handlers) = line.split_once('"').unwrap();
        let operations = described.get(path).unwrap_or_else(|| panic!("{path} is not described"));
        for method in ["get", "post", "put", "patch", "delete"] {
            let wanted = handlers.contains(&format!("{method}("));
            assert_eq!(operations.get(method).is_some(), wanted, "{method} {path}");
        }
    }
    let mut names: Vec<_> = described
        .values()
        .flat_map(|item| item.as_object().unwrap().values())
        .filter_map(|operation| operation["operationId"].as_str())
        .collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "operation names are unique");
    let schemas: &Value = &served["components"]["schemas"];
    let roles = &schemas["Role"];
    assert!(roles.to_string().contains("presenter"), "{roles}");
}

/// A client made from the description sends what it says: in the path what stands in the path, the rest behind `?`.
#[tokio::test]
async fn d60_every_parameter_is_described_where_it_is_sent() {
    let served = App::new().await.anonymous().get("/v1/openapi.json").await.body;
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for (path, item) in served["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let place = |name: &str| {
                parameters.iter().find(|one| one["name"] == name).and_then(|one| one["in"].as_str())
            };
            for name in path.split('{').skip(1).filter_map(|part| part.split('}').next()) {
                if place(name) != Some("path") {
                    wrong.push(format!("{method} {path}: {name} is missing"));
                }
            }
            for parameter in &parameters {
                let name = parameter["name"].as_str().unwrap();
                let in_path = path.contains(&format!("{{{name}}}"));
                asked += 1;
                if in_path != (parameter["in"] == "path") {
                    wrong.push(format!("{method} {path}: {name} in {}", parameter["in"]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(asked > 100, "{asked}");
}
