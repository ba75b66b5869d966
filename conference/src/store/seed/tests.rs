//! Seed data: idempotent, all or nothing, and errors that name the field.

use super::*;
use crate::services::testing::{SEED, TestEntropy};
use crate::store::secrets::LinkKey;
use crate::store::{Store, StoreError};
use crate::vocabulary::UnixMillis;
use sqlx::Row as _;

async fn apply(store: &Store, text: &str) -> Result<(), String> {
    let seed: Seed = toml::from_str(text).map_err(|error| error.to_string())?;
    let links = LinkKey::new([1; 32]);
    seed.apply(store, &TestEntropy, &links, UnixMillis(1)).await.map_err(|error| match error {
        StoreError::Seed(error) => error.to_string(),
        other => panic!("{other}"),
    })
}

async fn counts(store: &Store) -> Vec<i64> {
    let mut counts = Vec::new();
    for query in [
        "SELECT count(*) FROM tenants",
        "SELECT count(*) FROM users",
        "SELECT count(*) FROM user_addresses",
        "SELECT count(*) FROM numbers",
        "SELECT count(*) FROM caller_ids",
        "SELECT count(*) FROM devices",
        "SELECT count(*) FROM trunks",
        "SELECT count(*) FROM meetings",
        "SELECT count(*) FROM people",
    ] {
        counts.push(sqlx::query(query).fetch_one(&store.pool).await.unwrap().try_get(0).unwrap());
    }
    counts
}

const ROOMS: &str = r#"
[[tenant]]
name = "bench"
domain = "bench.test"
user = [{ login = "bo", password = "bo-demo", first = "Bo" }]
meeting = [{ id = "m1", number = "482915736", title = "Room", kind = "presentation", owner = "bo", alias = "town" }]
[tenant.meeting_range]
first = 900000001
count = 500
alias = "room{n}"
role = "presenter"
"#;

#[tokio::test]
async fn i94_applying_again_changes_and_doubles_nothing() {
    let store = Store::scratch().await.unwrap();
    for text in [SEED, ROOMS] {
        apply(&store, text).await.unwrap();
    }
    let first = counts(&store).await;
    assert_eq!(first, [3, 9, 7, 3, 3, 5, 1, 501, 1]);
    for text in [SEED, ROOMS] {
        apply(&store, text).await.unwrap();
    }
    assert_eq!(counts(&store).await, first);
}

#[tokio::test]
async fn a_range_makes_rooms_with_aliases() {
    let store = Store::scratch().await.unwrap();
    apply(&store, ROOMS).await.unwrap();
    let tenant = store.tenants().await.unwrap()[0].id.clone();
    let meetings = store.meetings(&tenant, 1000).await.unwrap();
    let last = meetings.iter().find(|meeting| meeting.number == "900000500").unwrap();
    assert_eq!(last.alias.as_deref(), Some("room500"));
    assert_eq!(last.direct_join_role, Role::Presenter);
    assert_eq!(last.id.as_str(), "m900000500");
}

#[tokio::test]
async fn what_changed_in_the_file_changes_in_the_database() {
    let store = Store::scratch().await.unwrap();
    apply(&store, ROOMS).await.unwrap();
    let before = store.users_by_typed_login("bo").await.unwrap().remove(0);
    let changed = ROOMS.replace("bo-demo", "other-demo").replace("\"Bo\"", "\"Bob\"");
    apply(&store, &changed).await.unwrap();
    let after = store.users_by_typed_login("bo").await.unwrap().remove(0);
    assert_eq!((after.id, after.display_name.as_str()), (before.id, "Bob"));
    assert_ne!(after.password_hash, before.password_hash);
}

#[tokio::test]
async fn every_error_names_the_entry_the_field_and_the_mend() {
    let store = Store::scratch().await.unwrap();
    apply(&store, SEED).await.unwrap();
    let before = counts(&store).await;
    let user = |fields: &str| {
        format!(
            "[[tenant]]\nname = \"new\"\ndomain = \"new.test\"\nuser = [{{ login = \"li\", password = \"li-demo\", \
             first = \"Li\", {fields} }}]"
        )
    };
    for (text, parts) in [
        (user("extension = \"911\""), vec!["tenant \"new\"", "user \"li\"", "extension", "emergency"]),
        (user("extension = \"abc\""), vec!["extension", "digits"]),
        (user("caller_id = \"2025550199\""), vec!["caller_id", "E.164", "+12025550100"]),
        (user("caller_id = \"+12025550100\""), vec!["user \"li\"", "caller_id", "somebody else"]),
        (user("mail = \"x\""), vec!["mail", "name@domain"]),
        (user("device = [{ name = \"1 a\", password = \"12345678\" }]"), vec!["device \"1 a\"", "name"]),
        (user("device = [{ name = \"1a\", password = \"short\" }]"), vec!["device \"1a\"", "password"]),
        (user("").replace("\"li\"", "\"zed\""), vec!["user \"zed\"", "login", "another tenant"]),
        (user("").replace("\"li\"", "\"Li\""), vec!["login", "small letters"]),
        (user("").replace("new.test", "acme.test"), vec!["tenant \"new\"", "domain", "another"]),
        (user("colour = 1"), vec!["unknown field `colour`"]),
        (user("role = \"boss\""), vec!["unknown variant `boss`", "tenant_admin"]),
        (
            "[[tenant]]\nname = \"new\"\ndomain = \"new.test\"\ntrunk = [{ name = \"t\", host = \"h\", peer = \"h:0\" }]"
                .to_owned(),
            vec!["trunk \"t\"", "peer", "192.0.2.1:5060"],
        ),
        (
            "[[tenant]]\nname = \"new\"\ndomain = \"new.test\"\nmeeting_range = { first = 1, count = 5 }".to_owned(),
            vec!["meeting_range", "first", "nine digits"],
        ),
    ] {
        let error = apply(&store, &text).await.unwrap_err();
        for part in parts {
            assert!(error.contains(part), "{part} is not in: {error}");
        }
    }
    assert_eq!(counts(&store).await, before, "nothing of a faulty seed is written");
}

#[test]
fn secrets_stay_out_of_debug_output() {
    let seed: Seed = toml::from_str(SEED).unwrap();
    let text = format!("{seed:?} {:?}", seed.trunk_passwords());
    assert!(!text.contains("-demo") && !text.contains("secret"), "{text}");
}
