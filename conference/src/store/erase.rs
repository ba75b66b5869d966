//! Deleting what is too old, and the traces of one person (I89).

use super::columns::{Columns, millis};
use super::{Connection, Store, StoreError};
use crate::ids::{MeetingId, PersonId, TenantId};
use crate::services::record_views::Erased;
use crate::vocabulary::UnixMillis;
use sqlx::Row as _;

/// How many rows go at once: nobody waits long for a sweep.
const BATCH: i64 = 500;
/// What stands where a name was.
const NOBODY: &str = "Erased";

/// Whose traces go.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Whom<'a> {
    pub(crate) mail: Option<&'a str>,
    /// E.164.
    pub(crate) number: Option<&'a str>,
    pub(crate) person: Option<&'a PersonId>,
}

impl Store {
    /// Deletes a tenant's call records, calls, attendance and instances from before `before`. Returns how many call records
    /// there were.
    pub(crate) async fn sweep_records(
        &self,
        tenant: &TenantId,
        before: UnixMillis,
    ) -> Result<u64, StoreError> {
        let mut swept = 0;
        for (statement, counts) in [
            (
                "DELETE FROM cdrs WHERE id IN (SELECT id FROM cdrs WHERE tenant_id = $1 AND started_at < $2 \
                 ORDER BY started_at LIMIT $3)",
                true,
            ),
            (
                "DELETE FROM attendance WHERE id IN (SELECT a.id FROM attendance a JOIN meetings m ON m.id = a.meeting_id \
                 WHERE m.tenant_id = $1 AND a.at < $2 LIMIT $3)",
                false,
            ),
            (
                "DELETE FROM meeting_instances WHERE id IN (SELECT id FROM meeting_instances WHERE tenant_id = $1 \
                 AND started_at < $2 AND ended_at IS NOT NULL LIMIT $3)",
                false,
            ),
        ] {
            loop {
                let statement = sqlx::query(statement).bind(tenant.as_str()).bind(millis(before)).bind(BATCH);
                let gone = statement.execute(&self.pool).await?.rows_affected();
                swept += if counts { gone } else { 0 };
                if i64::try_from(gone).unwrap_or(0) < BATCH {
                    break;
                }
            }
        }
        while self.sweep_calls(tenant, before).await? {}
        Ok(swept)
    }

    /// Deletes a batch of calls with their trails; says whether there may be more.
    async fn sweep_calls(&self, tenant: &TenantId, before: UnixMillis) -> Result<bool, StoreError> {
        let rows = sqlx::query(
            "SELECT id FROM calls WHERE tenant_id = $1 AND created_at < $2 AND ended_at IS NOT NULL \
             ORDER BY created_at LIMIT $3",
        )
        .bind(tenant.as_str())
        .bind(millis(before))
        .bind(BATCH / 5)
        .fetch_all(&self.pool)
        .await?;
        let mut transaction = self.begin().await?;
        for row in &rows {
            let id: String = row.try_get(0)?;
            for statement in [
                "UPDATE calls SET retry_of = NULL WHERE retry_of = $1",
                "DELETE FROM call_events WHERE call_id = $1",
                "DELETE FROM call_ladders WHERE call_id = $1",
                "DELETE FROM calls WHERE id = $1",
            ] {
                sqlx::query(statement).bind(&id).execute(&mut *transaction).await?;
            }
        }
        transaction.commit().await?;
        Ok(i64::try_from(rows.len()).unwrap_or(0) == BATCH / 5)
    }

    /// Forgets the answers to requests with idempotency keys from before `before`.
    pub(crate) async fn delete_answers_before(&self, before: UnixMillis) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM idempotency_keys WHERE created_at < $1")
            .bind(millis(before))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Whether an address or number is one of a user of the tenant.
    pub(crate) async fn address_of_user(
        &self,
        tenant: &TenantId,
        mail: Option<&str>,
        number: Option<&str>,
    ) -> Result<bool, StoreError> {
        let row = sqlx::query(
            "SELECT 1 FROM user_addresses WHERE tenant_id = $1 AND (value = $2 OR value = $3) \
             UNION ALL SELECT 1 FROM numbers WHERE tenant_id = $1 AND e164 = $3",
        )
        .bind(tenant.as_str())
        .bind(mail)
        .bind(number)
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.is_some())
    }

    /// Erases the name, address and number of somebody who is no user. Returns what was changed, and the rows of people
    /// lists, for the running part.
    pub(crate) async fn erase_person(
        connection: &mut Connection,
        tenant: &TenantId,
        whom: Whom<'_>,
        now: UnixMillis,
    ) -> Result<(Erased, Vec<(MeetingId, PersonId)>), StoreError> {
        let rows = sqlx::query(
            "SELECT id, meeting_id, display_name FROM people WHERE tenant_id = $1 AND user_id IS NULL \
             AND (mail = $2 OR e164 = $3 OR id = $4)",
        )
        .bind(tenant.as_str())
        .bind(whom.mail)
        .bind(whom.number)
        .bind(whom.person.map(PersonId::as_str))
        .fetch_all(&mut *connection)
        .await?;
        let (mut erased, mut people) = (Erased::default(), Vec::new());
        for row in rows.iter().map(Columns) {
            let (id, meeting) = (row.text("id")?, row.text("meeting_id")?);
            erase_rows(connection, tenant, &id, now, &mut erased).await?;
            // Lists of several people name each one beside their identifier.
            erase_mentions(connection, tenant, &id, &mut erased).await?;
            people.push((MeetingId::new(meeting), PersonId::new(id)));
        }
        if let Some(number) = whom.number {
            erase_number(connection, tenant, number, &mut erased).await?;
        }
        for text in [whom.mail, whom.number].into_iter().flatten() {
            erase_mentions(connection, tenant, text, &mut erased).await?;
        }
        Ok((erased, people))
    }
}

/// Everything that hangs on one row of a people list.
async fn erase_rows(
    connection: &mut Connection,
    tenant: &TenantId,
    person: &str,
    now: UnixMillis,
    erased: &mut Erased,
) -> Result<(), StoreError> {
    let people = "UPDATE people SET display_name = $3, mail = NULL, e164 = NULL, link_hash = 'erased ' || id, \
        removed_at = coalesce(removed_at, $4) WHERE tenant_id = $1 AND id = $2";
    let changed = sqlx::query(people)
        .bind(tenant.as_str())
        .bind(person)
        .bind(NOBODY)
        .bind(millis(now))
        .execute(&mut *connection)
        .await?;
    erased.people += changed.rows_affected();
    for (statement, count) in [
        (
            "DELETE FROM call_ladders WHERE tenant_id = $1 AND $3 <> '' \
             AND call_id IN (SELECT id FROM calls WHERE person_id = $2)",
            &mut 0,
        ),
        (
            "UPDATE calls SET display_name = $3, target = $3, number = NULL WHERE tenant_id = $1 AND person_id = $2",
            &mut erased.calls,
        ),
        (
            "UPDATE cdrs SET display_name = $3, from_text = CASE WHEN direction = 'in' THEN NULL ELSE from_text END, \
             to_text = CASE WHEN direction = 'out' THEN NULL ELSE to_text END WHERE tenant_id = $1 AND person_id = $2",
            &mut erased.cdrs,
        ),
        (
            "UPDATE attendance SET display_name = $3 WHERE person_id = $2 AND display_name IS NOT NULL \
             AND meeting_id IN (SELECT id FROM meetings WHERE tenant_id = $1)",
            &mut erased.attendance,
        ),
        (
            "UPDATE invitations SET address = NULL, error = NULL WHERE tenant_id = $1 AND person_id = $2 AND $3 <> ''",
            &mut erased.mails,
        ),
        (
            "UPDATE audit SET before_value = NULL, after_value = '{\"erased\":true}' WHERE tenant_id = $1 AND object = $2 \
             AND $3 <> ''",
            &mut erased.audit,
        ),
    ] {
        let statement = sqlx::query(statement).bind(tenant.as_str()).bind(person).bind(NOBODY);
        *count += statement.execute(&mut *connection).await?.rows_affected();
    }
    Ok(())
}

/// A number that was called or that called, whoever it was taken for.
async fn erase_number(
    connection: &mut Connection,
    tenant: &TenantId,
    number: &str,
    erased: &mut Erased,
) -> Result<(), StoreError> {
    for (statement, count) in [
        (
            "DELETE FROM call_ladders WHERE tenant_id = $1 AND $3 <> '' \
             AND call_id IN (SELECT id FROM calls WHERE number = $2)",
            &mut 0,
        ),
        (
            "UPDATE calls SET display_name = $3, target = $3, number = NULL WHERE tenant_id = $1 AND number = $2",
            &mut erased.calls,
        ),
        (
            "UPDATE cdrs SET display_name = $3, \
             from_text = CASE WHEN direction = 'in' AND from_text = $2 THEN NULL ELSE from_text END, \
             to_text = CASE WHEN to_text = $2 THEN NULL ELSE to_text END \
             WHERE tenant_id = $1 AND ((direction = 'in' AND from_text = $2) OR to_text = $2)",
            &mut erased.cdrs,
        ),
    ] {
        let statement = sqlx::query(statement).bind(tenant.as_str()).bind(number).bind(NOBODY);
        *count += statement.execute(&mut *connection).await?.rows_affected();
    }
    Ok(())
}

/// Answers and acts in whose text it stands.
async fn erase_mentions(
    connection: &mut Connection,
    tenant: &TenantId,
    text: &str,
    erased: &mut Erased,
) -> Result<(), StoreError> {
    let within = format!("%{}%", text.replace('!', "!!").replace('%', "!%").replace('_', "!_"));
    sqlx::query("DELETE FROM idempotency_keys WHERE tenant_id = $1 AND response LIKE $2 ESCAPE '!'")
        .bind(tenant.as_str())
        .bind(&within)
        .execute(&mut *connection)
        .await?;
    // What waits to be sent is not sent, and of what was sent nothing stays.
    let mails = sqlx::query(
        "UPDATE outbox SET recipient = $3, payload = '', error = NULL, \
         state = CASE WHEN state = 'queued' THEN 'superseded' ELSE state END \
         WHERE tenant_id = $1 AND (recipient = $2 OR payload LIKE $4 ESCAPE '!')",
    )
    .bind(tenant.as_str())
    .bind(text)
    .bind(NOBODY)
    .bind(&within)
    .execute(&mut *connection)
    .await?;
    erased.mails += mails.rows_affected();
    let changed = sqlx::query(
        "UPDATE audit SET before_value = NULL, after_value = '{\"erased\":true}' WHERE tenant_id = $1 \
         AND (before_value LIKE $2 ESCAPE '!' OR after_value LIKE $2 ESCAPE '!')",
    )
    .bind(tenant.as_str())
    .bind(within)
    .execute(connection)
    .await?;
    erased.audit += changed.rows_affected();
    Ok(())
}
