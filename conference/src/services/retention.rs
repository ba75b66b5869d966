//! How long records are kept, and the erasure of one person (I89).

use super::actor::Actor;
use super::error::{ErrorKind, ServiceError};
use super::record_views::{Erased, Retention};
use super::records::tenant_admin;
use super::{Services, input};
use crate::ids::PersonId;
use crate::live::focus::Command;
use crate::live::number::{self, Home};
use crate::store::{Store, StoreError, Whom};
use crate::vocabulary::UnixMillis;
use serde::{Deserialize, Serialize};

/// A day in milliseconds.
const DAY_MS: u64 = 24 * 3600 * 1000;
/// The longest time that can be set: a hundred years.
const DAYS_MAX: u32 = 36_500;
/// How long the answer to a request with an idempotency key is kept.
const ANSWERS_DAYS: u64 = 7;

/// The section `records` of a tenant's settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecordSettings {
    /// Days for which call records, calls and attendance are kept; for ever if absent.
    pub keep_days: Option<u32>,
    /// Days for which the SIP messages of calls are kept.
    pub ladder_days: u32,
}

impl Default for RecordSettings {
    fn default() -> Self {
        Self { keep_days: Some(365), ladder_days: 7 }
    }
}

/// Whose traces are to go.
#[derive(Clone, Debug, Default)]
pub struct Erasure {
    /// Their e-mail address.
    pub mail: Option<String>,
    /// Their phone number, as it is written in the tenant's country.
    pub number: Option<String>,
    /// Their row in the people of a meeting, for those known by a name alone.
    pub person: Option<PersonId>,
}

impl Services {
    /// How long the tenant's records are kept.
    ///
    /// # Errors
    /// Forbidden for all but tenant admins.
    pub async fn retention(&self, actor: &Actor) -> Result<Retention, ServiceError> {
        let admin = tenant_admin(actor)?;
        Ok(Retention { keep_days: self.tenant_settings(&admin.tenant).await?.records.keep_days })
    }

    /// Sets how long the tenant's records are kept. What is older goes with the next daily sweep.
    ///
    /// # Errors
    /// Forbidden for all but tenant admins; invalid for no day or more than a hundred years.
    pub async fn set_retention(&self, actor: &Actor, new: Retention) -> Result<Retention, ServiceError> {
        let admin = tenant_admin(actor)?;
        if new.keep_days.is_some_and(|days| !(1..=DAYS_MAX).contains(&days)) {
            return Err(ServiceError::invalid("keep_days", "Records are kept for at least a day")
                .mend(format!("Send 1 to {DAYS_MAX}, or null to keep them for ever")));
        }
        let old = self.tenant_settings(&admin.tenant).await?.records;
        let mut transaction = self.store.begin().await?;
        let section = serde_json::json!(RecordSettings { keep_days: new.keep_days, ..old.clone() });
        Store::set_tenant_section(&mut transaction, &admin.tenant, "records", &section).await?;
        self.audit(
            &mut transaction,
            admin,
            "retention.changed",
            admin.tenant.as_str(),
            (
                Some(serde_json::json!({ "keep_days": old.keep_days })),
                Some(serde_json::json!({ "keep_days": new.keep_days })),
            ),
        )
        .await?;
        transaction.commit().await.map_err(StoreError::from)?;
        Ok(new)
    }

    /// Deletes what is older than the tenants want it kept, and what has expired. To be called once a day. Returns how many
    /// call records went.
    ///
    /// # Errors
    /// When the database fails; what went before is gone.
    pub async fn sweep(&self) -> Result<u64, ServiceError> {
        let now = self.now();
        let before = |days: u64| UnixMillis(now.0.saturating_sub(days.saturating_mul(DAY_MS)));
        let mut swept = 0;
        for tenant in self.store.tenants().await? {
            let settings = self.tenant_settings(&tenant.id).await?;
            if let Some(days) = settings.records.keep_days {
                swept += self.store.sweep_records(&tenant.id, before(u64::from(days))).await?;
            }
            self.store.sweep_ladders(&tenant.id, before(u64::from(settings.records.ladder_days))).await?;
        }
        self.store.delete_expired_sessions(now).await?;
        self.store.delete_answers_before(before(ANSWERS_DAYS)).await?;
        Ok(swept)
    }

    /// Erases the name, address and number of somebody who is no user, wherever they stand: lists of people, calls, call
    /// records, attendance, audit log. Their links no longer work. The rows stay, without a trace of who it was.
    ///
    /// # Errors
    /// Forbidden for all but tenant admins; invalid without address and number, or for ones that cannot be read; conflict
    /// for those of a user.
    pub async fn erase(&self, actor: &Actor, whom: &Erasure) -> Result<Erased, ServiceError> {
        let admin = tenant_admin(actor)?;
        let mail = whom.mail.as_deref().map(|mail| input::mail("mail", mail)).transpose()?;
        let number = match whom.number.as_deref() {
            Some(text) => Some(self.e164_at_home(actor, text).await?),
            None => None,
        };
        if mail.is_none() && number.is_none() && whom.person.is_none() {
            return Err(ServiceError::invalid("mail", "Nobody is named").mend("Send mail, number or person"));
        }
        if self.store.address_of_user(&admin.tenant, mail.as_deref(), number.as_deref()).await? {
            return Err(ServiceError::new(ErrorKind::Conflict, "This is the address or number of a user")
                .mend("Delete the user first"));
        }
        let now = self.now();
        let mut transaction = self.store.begin().await?;
        let whom = Whom { mail: mail.as_deref(), number: number.as_deref(), person: whom.person.as_ref() };
        let (erased, people) = Store::erase_person(&mut transaction, &admin.tenant, whom, now).await?;
        // Who it was is what must not be written down.
        self.audit(&mut transaction, admin, "person.erased", "", (None, Some(serde_json::json!(erased))))
            .await?;
        transaction.commit().await.map_err(StoreError::from)?;
        for (meeting, person) in people {
            // A meeting that nobody is in does not know them.
            let _ = self.live.command(Command::Remove { meeting, person }).await;
        }
        Ok(erased)
    }

    async fn e164_at_home(&self, actor: &Actor, text: &str) -> Result<String, ServiceError> {
        let tenant = self.store.tenant(actor.tenant()).await?;
        let tenant = tenant.ok_or_else(|| ServiceError::internal("an actor without tenant"))?;
        let home = Home { country: &tenant.country, area_code: tenant.area_code.as_deref() };
        match number::normalise(text, &home) {
            Ok(number) => Ok(number.e164),
            Err(refusal) => Err(ServiceError { field: Some("number".to_owned()), ..refusal.into() }),
        }
    }
}
