//! Sealing anew, with the newest key, what older keys have sealed.

use super::columns::Columns;
use super::{Store, StoreError, Vault};

/// Where sealed texts stand: table, the column that finds a row again, the sealed one.
const SEALED: &[(&str, &str, &str)] = &[
    ("calls", "id", "keys_sealed"),
    ("meetings", "id", "guest_pin"),
    ("meetings", "id", "host_pin"),
    ("oidc_logins", "state_hash", "verifier"),
    ("outbox", "id", "payload"),
    ("people", "id", "pin"),
    ("trunks", "CAST(id AS TEXT)", "password"),
    ("webhooks", "id", "secret"),
];
/// So many in one transaction: others who write wait for it.
const BATCH: i64 = 200;

/// What became of what older keys had sealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Sealed with the newest key now.
    pub sealed: u64,
    /// Left as they were: their key is gone, or they were changed.
    pub unreadable: u64,
}

impl Store {
    /// Seals anew whatever is not sealed with the vault's newest key, some hundreds in each transaction. Stopped half-way
    /// it can be called again, and it may run beside the program: what is changed meanwhile is left alone.
    ///
    /// # Errors
    /// When the database fails; what was sealed before stays sealed.
    pub async fn reseal(&self, vault: &Vault) -> Result<Resealed, StoreError> {
        let mut done = Resealed::default();
        for place in SEALED {
            let mut after = Some(String::new());
            while let Some(last) = after {
                after = self.reseal_batch(vault, *place, &last, &mut done).await?;
            }
        }
        Ok(done)
    }

    /// The rows behind `after`; returns the last one that was looked at, if there may be more.
    async fn reseal_batch(
        &self,
        vault: &Vault,
        (table, key, column): (&str, &str, &str),
        after: &str,
        done: &mut Resealed,
    ) -> Result<Option<String>, StoreError> {
        let mut transaction = self.begin().await?;
        let text = format!(
            "SELECT {key} AS place, {column} AS sealed FROM {table} WHERE {column} LIKE '________.%' AND {key} > $1 \
             ORDER BY {key} LIMIT $2"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(after)
            .bind(BATCH)
            .fetch_all(&mut *transaction)
            .await?;
        let mut last = None;
        for row in &rows {
            let (place, sealed) = (Columns(row).text("place")?, Columns(row).text("sealed")?);
            last = Some(place.clone());
            if !vault.is_sealed_before(&sealed) {
                continue;
            }
            let Some(secret) = vault.open(&sealed) else {
                done.unreadable += 1;
                continue;
            };
            let text = format!("UPDATE {table} SET {column} = $1 WHERE {key} = $2 AND {column} = $3");
            let changed = sqlx::query(sqlx::AssertSqlSafe(text))
                .bind(vault.seal(&secret))
                .bind(place)
                .bind(sealed)
                .execute(&mut *transaction)
                .await?;
            done.sealed += changed.rows_affected();
        }
        transaction.commit().await?;
        Ok(last)
    }
}

#[cfg(test)]
#[path = "reseal_tests.rs"]
mod tests;
