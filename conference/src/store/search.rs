//! What a search looks at, folded (case and accents aside) beside the row it is of, so that either database finds it by LIKE.

use super::{Store, StoreError};
use crate::ids::TenantId;
use sqlx::Row as _;

/// Rows folded in one transaction.
const AT_ONCE: i64 = 1_000;

/// The statements of one searched table.
pub(super) struct Searched {
    /// `id` and `searched` of the rows of tenant `$1` whose folded text is of something else by now, at most `$2`.
    pub(super) stale: &'static str,
    /// Writes the folded text `$1` of the text `$2` into row `$3`.
    pub(super) write: &'static str,
}

impl Store {
    /// Folds anew what has changed since it was folded.
    pub(super) async fn fold_anew(
        &self,
        searched: &Searched,
        tenant: &TenantId,
        fold: fn(&str) -> String,
    ) -> Result<(), StoreError> {
        loop {
            let stale =
                sqlx::query(searched.stale).bind(tenant.as_str()).bind(AT_ONCE).fetch_all(&self.pool).await?;
            if stale.is_empty() {
                return Ok(());
            }
            let mut transaction = self.begin().await?;
            for row in &stale {
                let text: String = row.try_get("searched")?;
                sqlx::query(searched.write)
                    .bind(fold(&text))
                    .bind(&text)
                    .bind(row.try_get::<String, _>("id")?)
                    .execute(&mut *transaction)
                    .await?;
            }
            transaction.commit().await?;
        }
    }
}
