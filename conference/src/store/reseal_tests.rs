use super::*;
use crate::services::meetings::NewMeeting;
use crate::services::people::NewPerson;
use crate::services::testing::{Bench, TestEntropy};
use crate::services::trunks::TrunkChange;
use crate::services::webhooks::WebhookChange;
use crate::services::{Actor, UserActor};
use crate::store::Scratch;
use crate::vocabulary::TenantRole;
use std::sync::Arc;

const OLD: [u8; 32] = [9; 32];
const NEW: [u8; 32] = [8; 32];

fn vault(keys: &[[u8; 32]]) -> Vault {
    Vault::new(keys, Arc::new(TestEntropy))
}

async fn actor(bench: &Bench, login: &str, role: TenantRole) -> Actor {
    let row = bench.store.users_by_typed_login(login).await.unwrap().remove(0);
    Actor::User(UserActor { tenant: row.tenant, user: row.id, display_name: row.display_name, role })
}

/// Something sealed in most of the places.
async fn filled(bench: &Bench) {
    let hana = actor(bench, "hana", TenantRole::User).await;
    let tia = actor(bench, "tia", TenantRole::TenantAdmin).await;
    let guests = |meeting: u32| {
        (0..10).map(move |n| NewPerson {
            email: Some(format!("g{n}.{meeting}@else.test")),
            ..NewPerson::default()
        })
    };
    for meeting in 0..30 {
        let people = guests(meeting).collect();
        let new = NewMeeting { title: format!("M{meeting}"), people, ..NewMeeting::default() };
        bench.services.create_meeting(&hana, new).await.unwrap();
    }
    let hook = WebhookChange { url: Some("https://hooks.example/x".to_owned()), ..WebhookChange::default() };
    bench.services.create_webhook(&tia, hook).await.unwrap();
    let trunk = TrunkChange {
        name: Some("second".to_owned()),
        host: Some("carrier.test".to_owned()),
        peer: Some("192.0.2.1:5060".to_owned()),
        user: Some("acme".to_owned()),
        password: Some("a secret of the carrier".to_owned()),
        ..TrunkChange::default()
    };
    bench.services.add_trunk(&tia, trunk).await.unwrap();
}

/// Every text of the whole database that looks sealed, whatever its column is called: a place that is missing in the
/// list shows here.
async fn sealed_texts(bench: &Bench) -> Vec<String> {
    let mut found = Vec::new();
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%sqlite%'";
    for table in sqlx::query(tables).fetch_all(&bench.store.pool).await.unwrap() {
        let table = Columns(&table).text("name").unwrap();
        let columns = format!("SELECT name FROM pragma_table_info('{table}') WHERE type = 'TEXT'");
        let columns = sqlx::query(sqlx::AssertSqlSafe(columns)).fetch_all(&bench.store.pool).await.unwrap();
        for column in columns {
            let column = Columns(&column).text("name").unwrap();
            let texts = format!("SELECT {column} AS found FROM {table} WHERE {column} LIKE '________.%'");
            let rows = sqlx::query(sqlx::AssertSqlSafe(texts)).fetch_all(&bench.store.pool).await.unwrap();
            let texts = rows.iter().map(|row| Columns(row).text("found").unwrap());
            let sealed =
                |text: &String| vault(&[OLD]).open(text).or_else(|| vault(&[NEW]).open(text)).is_some();
            found.extend(texts.filter(sealed));
        }
    }
    found
}

#[tokio::test]
async fn d65_after_a_rotation_everything_is_sealed_with_the_new_key_alone() {
    let scratch = Scratch::new().await.unwrap();
    let bench = Bench::on(Store::open(&scratch.url()).await.unwrap()).await;
    filled(&bench).await;
    let both = vault(&[NEW, OLD]);
    // Stopped after the first batches, and gone on with.
    let mut first = Resealed::default();
    let people = ("people", "id", "pin");
    let last = bench.store.reseal_batch(&both, people, "", &mut first).await.unwrap();
    assert_eq!((first.sealed, last.is_some()), (200, true));
    let rest = bench.store.reseal(&both).await.unwrap();
    assert!(rest.sealed > 400 && rest.unreadable == 0, "{rest:?}");
    assert_eq!(bench.store.reseal(&both).await.unwrap(), Resealed::default(), "nothing is left to do");
    if !scratch.url().starts_with("postgres") {
        let texts = sealed_texts(&bench).await;
        assert_eq!(texts.len() as u64, first.sealed + rest.sealed);
        let old: Vec<_> = texts.iter().filter(|text| vault(&[NEW]).open(text).is_none()).collect();
        assert!(old.is_empty(), "{} texts are in no place of the list", old.len());
    }
    // What nobody can read any more is counted and left as it is.
    let third = vault(&[[7; 32]]);
    let lost = bench.store.reseal(&third).await.unwrap();
    assert_eq!((lost.sealed, lost.unreadable), (0, first.sealed + rest.sealed));
}
