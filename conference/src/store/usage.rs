//! What was dialled and spent so far. Limits are counted from here, so that they hold over a restart.

use super::columns::{Columns, millis};
use super::{Store, StoreError};
use crate::ids::{MeetingId, TenantId, UserId};
use crate::live::policy::rules::DialPolicy;
use crate::live::policy::usage::{Spent, Usage};
use crate::vocabulary::UnixMillis;
use std::collections::BTreeMap;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 86_400_000;

/// Whose usage is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UsageOf<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) host: &'a UserId,
    pub(crate) meeting: &'a MeetingId,
}

fn ago(now: UnixMillis, ms: u64) -> i64 {
    millis(UnixMillis(now.0.saturating_sub(ms)))
}

fn small(value: i64) -> u32 {
    u32::try_from(value.max(0)).unwrap_or(u32::MAX)
}

fn large(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

impl Store {
    /// Everything the policy's bounds look at, as it is now.
    pub(crate) async fn usage(
        &self,
        of: UsageOf<'_>,
        policy: &DialPolicy,
        now: UnixMillis,
    ) -> Result<Usage, StoreError> {
        let mut usage = Usage::default();
        self.count_rates(of, now, &mut usage).await?;
        self.count_at_once(of, &mut usage).await?;
        self.count_misuse(of, policy, now, &mut usage).await?;
        usage.prefixes = self.count_prefixes(of.tenant, policy, now).await?;
        self.sum_spent(of, now, &mut usage).await?;
        Ok(usage)
    }

    /// What was spent alone, running calls as far as they will have come at `at`.
    pub(crate) async fn spent(&self, of: UsageOf<'_>, at: UnixMillis) -> Result<Usage, StoreError> {
        let mut usage = Usage::default();
        self.sum_spent(of, at, &mut usage).await?;
        Ok(usage)
    }

    async fn count_rates(
        &self,
        of: UsageOf<'_>,
        now: UnixMillis,
        usage: &mut Usage,
    ) -> Result<(), StoreError> {
        let row = sqlx::query(
            "SELECT CAST(count(*) AS BIGINT) AS tenant_hour, \
             CAST(coalesce(sum(CASE WHEN created_at >= $3 THEN 1 ELSE 0 END), 0) AS BIGINT) AS tenant_minute, \
             CAST(coalesce(sum(CASE WHEN acting_host_id = $2 THEN 1 ELSE 0 END), 0) AS BIGINT) AS host_hour, \
             CAST(coalesce(sum(CASE WHEN acting_host_id = $2 AND created_at >= $3 THEN 1 ELSE 0 END), 0) AS BIGINT) \
             AS host_minute \
             FROM calls WHERE tenant_id = $1 AND created_at >= $4 AND state <> 'refused'",
        )
        .bind(of.tenant.as_str())
        .bind(of.host.as_str())
        .bind(ago(now, MINUTE_MS))
        .bind(ago(now, HOUR_MS))
        .fetch_one(&self.pool)
        .await?;
        let row = Columns(&row);
        usage.tenant_hour = small(row.integer("tenant_hour")?);
        usage.tenant_minute = small(row.integer("tenant_minute")?);
        usage.host_hour = small(row.integer("host_hour")?);
        usage.host_minute = small(row.integer("host_minute")?);
        Ok(())
    }

    async fn count_at_once(&self, of: UsageOf<'_>, usage: &mut Usage) -> Result<(), StoreError> {
        let row = sqlx::query(
            "SELECT CAST(count(*) AS BIGINT) AS tenant_now, \
             CAST(coalesce(sum(CASE WHEN acting_host_id = $2 THEN 1 ELSE 0 END), 0) AS BIGINT) AS host_now \
             FROM calls WHERE tenant_id = $1 AND number IS NOT NULL \
             AND state NOT IN ('ended', 'failed', 'refused', 'cancelled')",
        )
        .bind(of.tenant.as_str())
        .bind(of.host.as_str())
        .fetch_one(&self.pool)
        .await?;
        let row = Columns(&row);
        usage.tenant_at_once = small(row.integer("tenant_now")?);
        usage.host_at_once = small(row.integer("host_now")?);
        Ok(())
    }

    async fn count_misuse(
        &self,
        of: UsageOf<'_>,
        policy: &DialPolicy,
        now: UnixMillis,
        usage: &mut Usage,
    ) -> Result<(), StoreError> {
        let breaker = &policy.breaker;
        let row = sqlx::query(
            "SELECT \
             (SELECT CAST(count(*) AS BIGINT) FROM calls WHERE tenant_id = $1 AND answered_at >= $2 \
              AND ended_at IS NOT NULL AND ended_at - answered_at < $3 AND number IS NOT NULL) AS short_calls, \
             (SELECT CAST(count(*) AS BIGINT) FROM calls WHERE tenant_id = $1 AND meeting_id = $4 \
              AND cause = 'not_confirmed' AND created_at >= $5) AS not_confirmed",
        )
        .bind(of.tenant.as_str())
        .bind(ago(now, u64::from(breaker.window_minutes).saturating_mul(MINUTE_MS)))
        .bind(i64::from(breaker.shorter_than_s) * 1000)
        .bind(of.meeting.as_str())
        .bind(ago(now, HOUR_MS))
        .fetch_one(&self.pool)
        .await?;
        let row = Columns(&row);
        usage.short_calls = small(row.integer("short_calls")?);
        usage.not_confirmed = small(row.integer("not_confirmed")?);
        Ok(())
    }

    async fn count_prefixes(
        &self,
        tenant: &TenantId,
        policy: &DialPolicy,
        now: UnixMillis,
    ) -> Result<BTreeMap<String, u32>, StoreError> {
        let rows = sqlx::query(
            "SELECT prefix, CAST(count(*) AS BIGINT) AS many FROM \
             (SELECT substr(number, 1, CAST($3 AS INTEGER)) AS prefix FROM calls WHERE tenant_id = $1 \
              AND created_at >= $2 AND number IS NOT NULL AND state <> 'refused') AS dialled GROUP BY prefix",
        )
        .bind(tenant.as_str())
        .bind(ago(now, HOUR_MS))
        .bind(i64::from(policy.breaker.prefix_digits) + 1)
        .fetch_all(&self.pool)
        .await?;
        let mut prefixes = BTreeMap::new();
        for row in &rows {
            let row = Columns(row);
            prefixes.insert(row.text("prefix")?, small(row.integer("many")?));
        }
        Ok(prefixes)
    }

    /// Sums whole seconds from each answer to its end, or to `now` while the call runs.
    async fn sum_spent(&self, of: UsageOf<'_>, now: UnixMillis, usage: &mut Usage) -> Result<(), StoreError> {
        let rows = sqlx::query(
            "SELECT of_host, of_meeting, CAST(sum(seconds) AS BIGINT) AS seconds, \
             CAST(sum((seconds * price_milli + 59) / 60) AS BIGINT) AS milli FROM \
             (SELECT CASE WHEN acting_host_id = $2 THEN 1 ELSE 0 END AS of_host, \
              CASE WHEN meeting_id = $3 THEN 1 ELSE 0 END AS of_meeting, price_milli, \
              (coalesce(ended_at, $4) - answered_at + 999) / 1000 AS seconds \
              FROM calls WHERE tenant_id = $1 AND number IS NOT NULL AND answered_at >= $5) AS answered \
             GROUP BY of_host, of_meeting",
        )
        .bind(of.tenant.as_str())
        .bind(of.host.as_str())
        .bind(of.meeting.as_str())
        .bind(millis(now))
        .bind(ago(now, DAY_MS))
        .fetch_all(&self.pool)
        .await?;
        for row in &rows {
            let row = Columns(row);
            let spent =
                Spent { seconds: large(row.integer("seconds")?), milli: large(row.integer("milli")?) };
            add(&mut usage.tenant, spent);
            if row.integer("of_host")? == 1 {
                add(&mut usage.host, spent);
            }
            if row.integer("of_meeting")? == 1 {
                add(&mut usage.meeting, spent);
            }
        }
        Ok(())
    }

    /// Whether the tenant has called this country before.
    pub(crate) async fn has_called(&self, tenant: &TenantId, country: &str) -> Result<bool, StoreError> {
        let row = sqlx::query(
            "SELECT CAST(count(*) AS BIGINT) AS many FROM (SELECT 1 FROM calls WHERE tenant_id = $1 AND country = $2 \
             AND state <> 'refused' LIMIT 1) AS called",
        )
        .bind(tenant.as_str())
        .bind(country)
        .fetch_one(&self.pool)
        .await?;
        Ok(Columns(&row).integer("many")? > 0)
    }

    /// The outside calls that somebody pays for at this moment: who pressed CALL, where, and at what price.
    pub(crate) async fn billed_calls(&self) -> Result<Vec<BilledCall>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, tenant_id, meeting_id, acting_host_id, price_milli FROM calls WHERE number IS NOT NULL \
             AND answered_at IS NOT NULL AND state NOT IN ('ended', 'failed', 'refused', 'cancelled')",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(BilledCall::read).collect()
    }
}

/// An outside call that runs.
#[derive(Clone, Debug)]
pub(crate) struct BilledCall {
    pub(crate) call: crate::ids::CallId,
    pub(crate) tenant: TenantId,
    pub(crate) meeting: MeetingId,
    pub(crate) host: UserId,
    pub(crate) price_milli: u32,
}

impl BilledCall {
    fn read(row: &super::Row) -> Result<Self, StoreError> {
        let row = Columns(row);
        Ok(Self {
            call: crate::ids::CallId::new(row.text("id")?),
            tenant: TenantId::new(row.text("tenant_id")?),
            meeting: MeetingId::new(row.text("meeting_id")?),
            host: UserId::new(row.text("acting_host_id")?),
            price_milli: small(row.integer("price_milli")?),
        })
    }
}

fn add(to: &mut Spent, spent: Spent) {
    to.seconds = to.seconds.saturating_add(spent.seconds);
    to.milli = to.milli.saturating_add(spent.milli);
}
