//! Bindings, kept so that a restart does not lose the registered phones.

use super::columns::{Columns, millis};
use super::{Connection, Store, StoreError};
use crate::store::Row;
use crate::vocabulary::UnixMillis;

/// One row of `registrations`. The address of record names the tenant by its domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RegistrationRow {
    /// `sip:103a@acme.test`.
    pub(crate) aor: String,
    pub(crate) contact: String,
    /// Where the REGISTER came from, and where an INVITE goes.
    pub(crate) source: String,
    /// `udp`, `tcp`, `tls`, `ws` or `wss`.
    pub(crate) transport: String,
    pub(crate) instance: Option<String>,
    pub(crate) reg_id: Option<u32>,
    /// The proxies a call must pass, one a line.
    pub(crate) path: String,
    pub(crate) user_agent: String,
    pub(crate) call_id: String,
    pub(crate) cseq: u32,
    /// How much the phone likes to be called there, in thousandths.
    pub(crate) q: u16,
    pub(crate) latency_ms: Option<u32>,
    pub(crate) expires_at: UnixMillis,
}

impl RegistrationRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let row = Columns(row);
        Ok(Self {
            aor: row.text("aor")?,
            contact: row.text("contact")?,
            source: row.text("source")?,
            transport: row.text("transport")?,
            instance: row.optional_text("instance")?,
            reg_id: row.optional_integer("reg_id")?.and_then(|id| u32::try_from(id).ok()),
            path: row.text("path")?,
            user_agent: row.text("user_agent")?,
            call_id: row.text("call_id")?,
            cseq: u32::try_from(row.integer("cseq")?).unwrap_or(0),
            q: u16::try_from(row.integer("q")?).unwrap_or(u16::MAX),
            latency_ms: row.optional_integer("last_latency_ms")?.and_then(|ms| u32::try_from(ms).ok()),
            expires_at: row.time("expires_at")?,
        })
    }
}

impl Store {
    /// The bindings of a device as they were last written, each with when.
    pub(crate) async fn registrations_of(
        &self,
        aor: &str,
    ) -> Result<Vec<(RegistrationRow, UnixMillis)>, StoreError> {
        let rows = sqlx::query("SELECT * FROM registrations WHERE aor = $1 ORDER BY updated_at DESC")
            .bind(aor)
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| Ok((RegistrationRow::read(row)?, Columns(row).time("updated_at")?))).collect()
    }

    pub(crate) async fn put_registration(
        connection: &mut Connection,
        binding: &RegistrationRow,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO registrations (aor, contact, source, user_agent, call_id, cseq, expires_at, updated_at, \
             transport, instance, reg_id, path, last_latency_ms, q) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
             ON CONFLICT (aor, contact) DO UPDATE SET source = excluded.source, \
             transport = excluded.transport, instance = excluded.instance, reg_id = excluded.reg_id, path = excluded.path, \
             user_agent = excluded.user_agent, call_id = excluded.call_id, cseq = excluded.cseq, \
             expires_at = excluded.expires_at, updated_at = excluded.updated_at, \
             last_latency_ms = excluded.last_latency_ms, q = excluded.q",
        )
        .bind(&binding.aor)
        .bind(&binding.contact)
        .bind(&binding.source)
        .bind(&binding.user_agent)
        .bind(&binding.call_id)
        .bind(i64::from(binding.cseq))
        .bind(millis(binding.expires_at))
        .bind(millis(now))
        .bind(&binding.transport)
        .bind(binding.instance.as_deref())
        .bind(binding.reg_id.map(i64::from))
        .bind(&binding.path)
        .bind(binding.latency_ms.map(i64::from))
        .bind(i64::from(binding.q))
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Removes one binding, or every binding of the address of record.
    pub(crate) async fn delete_registration(
        connection: &mut Connection,
        aor: &str,
        contact: Option<&str>,
    ) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM registrations WHERE aor = $1 AND ($2 IS NULL OR contact = $2)")
            .bind(aor)
            .bind(contact)
            .execute(connection)
            .await?;
        Ok(())
    }

    /// The bindings that have not expired. Expired ones are forgotten.
    pub(crate) async fn live_registrations(
        &self,
        now: UnixMillis,
    ) -> Result<Vec<RegistrationRow>, StoreError> {
        sqlx::query("DELETE FROM registrations WHERE expires_at <= $1")
            .bind(millis(now))
            .execute(&self.pool)
            .await?;
        let rows =
            sqlx::query("SELECT * FROM registrations ORDER BY aor, contact").fetch_all(&self.pool).await?;
        rows.iter().map(RegistrationRow::read).collect()
    }
}
