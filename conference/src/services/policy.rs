//! Who may call whom, when and for how much: the tenant's rules, the do-not-call list, and what is left.

use super::actor::{Actor, UserActor};
use super::audit::Who;
use super::error::ServiceError;
use super::provision::Provision;
use super::views::CallerId;
use super::{Services, input};
use crate::ids::{MeetingId, TenantId, UserId};
use crate::live::event::PublicEvent;
use crate::live::focus::TenantDialling;
use crate::live::number::{self, Home, NumberClass};
use crate::live::policy::dial::{Asking, Called, Confirmation, Verdict, check_mode, decide};
use crate::live::policy::refuse_emergency;
use crate::live::policy::region::LocalTime;
use crate::live::policy::rules::{CallMe, DialMode, DialPolicy};
use crate::live::policy::usage::left;
use crate::store::{BlockedRow, Store, StoreError, TenantRow, UsageOf};
use crate::vocabulary::{Cause, TenantRole, UnixMillis};
use serde::Serialize;
use std::collections::BTreeSet;

/// How many numbers of the do-not-call list one answer holds.
pub const BLOCKED_PAGE: usize = 500;
/// How many of them the running part is told.
const BLOCKED_MAX: i64 = 100_000;
/// The longest reason.
const REASON_MAX: usize = 200;

/// A number judged by itself: as if everything else were in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NumberCheck {
    /// E.164, if it is a number.
    pub number: Option<String>,
    /// As people read it.
    pub display: String,
    /// Its country (ISO 3166).
    pub country: Option<String>,
    /// Its class.
    pub number_class: Option<NumberClass>,
    /// What time it is there.
    pub local_time: Option<String>,
    /// The policy's answer in one word.
    pub verdict: Verdict,
    /// What a Host would have to confirm.
    pub confirm: Vec<Confirmation>,
    /// Which rule said so.
    pub rule: Option<String>,
    /// Why it would not be called, from the closed list.
    pub reason: Option<Cause>,
    /// The same in a sentence.
    pub detail: Option<String>,
    /// What would help.
    pub mend: Option<String>,
    /// The price class, if one fits.
    pub price_class: Option<String>,
    /// What a minute costs, in thousandths of the currency's unit.
    pub price_per_minute_milli: u32,
}

/// A number that is not called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BlockedNumber {
    /// Its row.
    pub id: String,
    /// E.164.
    pub number: String,
    /// Why.
    pub reason: String,
    /// By which way it came on the list: `admin`, `keypad`.
    pub source: String,
    /// Who put it there.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub added_by: Option<UserId>,
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub created_at: UnixMillis,
}

impl From<BlockedRow> for BlockedNumber {
    fn from(row: BlockedRow) -> Self {
        Self {
            id: row.id,
            number: row.e164,
            reason: row.reason,
            source: row.source,
            added_by: row.added_by,
            created_at: row.created_at,
        }
    }
}

/// What the asker may still do about calling out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DialOut {
    /// Who may call out here.
    pub mode: DialMode,
    /// Whether the asker may.
    pub allowed: bool,
    /// Why not.
    pub detail: Option<String>,
    /// What would help.
    pub mend: Option<String>,
    /// What calls of the asker show.
    pub caller_id: Option<CallerId>,
    /// Whether that number is still theirs to show.
    pub caller_id_owned: bool,
    /// Seconds of outside calls left, if anything bounds them.
    pub seconds_left: Option<u64>,
    /// Money left, in thousandths of the currency's unit, if anything bounds it.
    pub money_left_milli: Option<u64>,
    /// The currency, as ISO 4217.
    pub currency: String,
    /// Who may have themselves called.
    pub call_me: CallMe,
}

impl Services {
    /// The tenant's rules for calling out.
    ///
    /// # Errors
    /// Forbidden for all but Tenant Admins.
    pub async fn dial_policy(&self, actor: &Actor) -> Result<DialPolicy, ServiceError> {
        self.policy_of(&tenant_admin(actor)?.tenant).await
    }

    /// Replaces them, whole.
    ///
    /// # Errors
    /// Forbidden for all but Tenant Admins; invalid, naming the field.
    pub async fn set_dial_policy(
        &self,
        actor: &Actor,
        policy: DialPolicy,
    ) -> Result<DialPolicy, ServiceError> {
        let admin = tenant_admin(actor)?;
        let policy = policy.checked()?;
        if let Some(number) = &policy.service_caller_id {
            let row = self.store.number(&admin.tenant, number).await?;
            if row.is_none_or(|row| row.verified_at.is_none() || row.user.is_some()) {
                return Err(ServiceError {
                    cause: Some(Cause::CallerIdNotOwned),
                    ..ServiceError::invalid(
                        "service_caller_id",
                        "This is no verified number of the whole tenant",
                    )
                    .mend("Choose a number that is verified and nobody's own")
                });
            }
        }
        let before = self.policy_of(&admin.tenant).await?;
        let text =
            serde_json::to_string(&policy).map_err(|error| ServiceError::internal(error.to_string()))?;
        let now = self.now();
        let mut transaction = self.store.begin().await?;
        Store::put_dial_policy(&mut transaction, &admin.tenant, &text, now).await?;
        self.audit(
            &mut transaction,
            admin,
            "dial_policy.changed",
            admin.tenant.as_str(),
            (serde_json::to_value(&before).ok(), serde_json::to_value(&policy).ok()),
        )
        .await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.tell_dialling(&admin.tenant).await?;
        Ok(policy)
    }

    /// The rules in force: what was set, else the installation's.
    pub(super) async fn policy_of(&self, tenant: &TenantId) -> Result<DialPolicy, ServiceError> {
        match self.store.dial_policy(tenant).await? {
            Some(text) => serde_json::from_str(&text)
                .map_err(|error| ServiceError::internal(format!("dial policy of {tenant}: {error}"))),
            None => Ok(self.default_policy()),
        }
    }

    fn default_policy(&self) -> DialPolicy {
        let mut policy = DialPolicy::default();
        policy.limits.host_per_minute = self.config.calls_per_minute;
        policy.allowed_countries =
            self.config.dial_countries.iter().map(|code| code.to_ascii_uppercase()).collect();
        policy
    }

    /// Tries a number against the rules, for a user if one is named.
    ///
    /// # Errors
    /// Forbidden for all but Tenant Admins.
    pub async fn check_number(
        &self,
        actor: &Actor,
        text: &str,
        user: Option<&UserId>,
    ) -> Result<NumberCheck, ServiceError> {
        let admin = tenant_admin(actor)?;
        let policy = self.policy_of(&admin.tenant).await?;
        let tenant = self.tenant_row(&admin.tenant).await?;
        let home = Home { country: &tenant.country, area_code: tenant.area_code.as_deref() };
        let shown: String = text.chars().take(64).collect();
        let head = number::split_keys(text).0;
        let read = refuse_emergency(head).and_then(|()| number::normalise(text, &home));
        let number = match read {
            Ok(number) => number,
            Err(refusal) => return Ok(refused_number(shown, &refusal)),
        };
        let host = user.unwrap_or(&admin.user);
        let of = UsageOf { tenant: &admin.tenant, host, meeting: &MeetingId::new("") };
        let mut usage = self.store.usage(of, &policy, self.now()).await?;
        if let Some(country) = &number.country
            && self.store.has_called(&admin.tenant, country).await?
        {
            usage.countries.insert(country.clone());
        }
        let blocked = self.store.is_blocked(&admin.tenant, &number.e164).await?;
        let owned = ["any".to_owned()];
        let asking = Asking {
            user: Some(host),
            caller_id: Some("any"),
            owned_numbers: &owned,
            host_present: true,
            has_trunk: true,
            own: false,
        };
        let none = BTreeSet::new();
        let called =
            Called { number: Some(&number), keys: number.keys.as_deref(), blocked, confirmed: &none };
        let decision = decide(&policy, &tenant.country, &usage, &asking, &called, self.now());
        let refusal = decision.refusal.as_ref();
        Ok(NumberCheck {
            number: Some(number.e164.clone()),
            display: number.display.clone(),
            country: number.country.clone(),
            number_class: Some(number.class),
            local_time: decision.local_time.as_ref().map(LocalTime::words),
            verdict: decision.verdict(),
            rule: decision.rule.map(str::to_owned),
            reason: refusal.and_then(|refusal| refusal.cause),
            detail: refusal.map(|refusal| refusal.detail.clone()),
            mend: refusal.map(|refusal| refusal.mend.clone()).filter(|mend| !mend.is_empty()),
            price_class: decision.price.class.clone(),
            price_per_minute_milli: decision.price.per_minute_milli,
            confirm: decision.ask,
        })
    }

    /// What the asker may still do about calling out.
    ///
    /// # Errors
    /// Forbidden for those who came by a link.
    pub async fn dial_out(&self, actor: &Actor) -> Result<DialOut, ServiceError> {
        let user = actor.user()?;
        let policy = self.policy_of(&user.tenant).await?;
        let caller = self.store.caller_id(&user.tenant, &user.user).await?;
        let of = UsageOf { tenant: &user.tenant, host: &user.user, meeting: &MeetingId::new("") };
        let usage = self.store.spent(of, self.now()).await?;
        let left = left(&policy, Some(&user.user), &usage);
        let refusal = check_mode(&policy, Some(&user.user)).err();
        Ok(DialOut {
            mode: policy.mode,
            allowed: refusal.is_none(),
            detail: refusal.as_ref().map(|refusal| refusal.detail.clone()),
            mend: refusal.map(|refusal| refusal.mend),
            caller_id_owned: caller.as_ref().is_some_and(|caller| caller.owned),
            caller_id: caller.map(|caller| CallerId { number: caller.number, display: caller.display_name }),
            seconds_left: left.seconds,
            money_left_milli: left.milli,
            currency: policy.currency,
            call_me: policy.call_me,
        })
    }

    /// The do-not-call list, from the number behind `after` on.
    ///
    /// # Errors
    /// Forbidden for all but Tenant Admins.
    pub async fn blocked_numbers(
        &self,
        actor: &Actor,
        after: Option<&str>,
    ) -> Result<Vec<BlockedNumber>, ServiceError> {
        let admin = tenant_admin(actor)?;
        let limit = i64::try_from(BLOCKED_PAGE).unwrap_or(i64::MAX);
        let rows = self.store.blocked_numbers(&admin.tenant, after.unwrap_or_default(), limit).await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// Puts a number on the do-not-call list.
    ///
    /// # Errors
    /// Forbidden for all but Tenant Admins; invalid, naming the field.
    pub async fn add_blocked_number(
        &self,
        actor: &Actor,
        text: &str,
        reason: &str,
    ) -> Result<BlockedNumber, ServiceError> {
        let admin = tenant_admin(actor)?;
        let tenant = self.tenant_row(&admin.tenant).await?;
        let home = Home { country: &tenant.country, area_code: tenant.area_code.as_deref() };
        let number = number::normalise(text, &home)?;
        let reason = if reason.trim().is_empty() { String::new() } else { input::name("reason", reason)? };
        let row = self.blocked_row(number.e164, reason, "admin", Some(admin.user.clone()));
        self.block(&admin.tenant, &row).await?;
        Ok(row.into())
    }

    /// Puts a number on the list of a tenant because the person behind it asked for it: a key during the prompt.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn block_number(
        &self,
        tenant: &TenantId,
        e164: &str,
        reason: &str,
        source: &str,
    ) -> Result<(), ServiceError> {
        let reason = reason.chars().take(REASON_MAX).collect();
        let row = self.blocked_row(e164.to_owned(), reason, source, None);
        self.block(tenant, &row).await
    }

    fn blocked_row(&self, e164: String, reason: String, source: &str, by: Option<UserId>) -> BlockedRow {
        BlockedRow {
            id: self.random_id('b'),
            e164,
            reason,
            source: source.to_owned(),
            added_by: by,
            created_at: self.now(),
        }
    }

    async fn block(&self, tenant: &TenantId, row: &BlockedRow) -> Result<(), ServiceError> {
        let mut transaction = self.store.begin().await?;
        if Store::block_number(&mut transaction, tenant, row).await? {
            let who = Who { tenant, user: row.added_by.as_ref() };
            self.audit_from(
                &row.source,
                &mut transaction,
                who,
                "number.blocked",
                &row.e164,
                (None, Some(serde_json::json!({ "reason": row.reason }))),
            )
            .await?;
        }
        transaction.commit().await.map_err(StoreError::from)?;
        self.live.provision(Provision::Blocked(tenant.clone(), row.e164.clone(), true)).await;
        Ok(())
    }

    /// Takes a number off the list, by its row's id or as it stands.
    ///
    /// # Errors
    /// Forbidden for all but Tenant Admins; not found.
    pub async fn remove_blocked_number(&self, actor: &Actor, id: &str) -> Result<(), ServiceError> {
        let admin = tenant_admin(actor)?;
        let mut transaction = self.store.begin().await?;
        let number = Store::unblock_number(&mut transaction, &admin.tenant, id).await?;
        let number = number.ok_or_else(|| ServiceError::not_found("number on the do-not-call list"))?;
        self.audit(&mut transaction, admin, "number.unblocked", &number, (None, None)).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.live.provision(Provision::Blocked(admin.tenant.clone(), number, false)).await;
        Ok(())
    }

    /// Many calls went to one prefix: Tenant Admins are told by an event, and the audit log keeps it.
    pub(super) async fn raise_alarm(
        &self,
        host: &UserActor,
        meeting: &MeetingId,
        prefix: &str,
    ) -> Result<(), ServiceError> {
        let at = self.now();
        let mut transaction = self.store.begin().await?;
        self.audit_from(
            "policy",
            &mut transaction,
            host,
            "policy.alarm",
            meeting.as_str(),
            (None, Some(serde_json::json!({ "rule": "prefix_calls", "prefix": prefix }))),
        )
        .await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.publish(PublicEvent {
            tenant: host.tenant.clone(),
            meeting: Some(meeting.clone()),
            kind: "policy.alarm",
            at,
            data: serde_json::json!({ "rule": "prefix_calls", "prefix": prefix, "host": host.user, "at": at }),
        });
        Ok(())
    }

    /// Tells the running part the rules: it judges redirections by them.
    pub(super) async fn provision_dialling(&self, tenant: &TenantRow) -> Result<(), ServiceError> {
        let blocked = self.store.blocked_numbers(&tenant.id, "", BLOCKED_MAX).await?;
        let rules = TenantDialling {
            policy: self.policy_of(&tenant.id).await?,
            home: tenant.country.clone(),
            blocked: blocked.into_iter().map(|row| row.e164).collect(),
        };
        self.live.provision(Provision::Dialling(tenant.id.clone(), Box::new(rules))).await;
        Ok(())
    }

    async fn tell_dialling(&self, tenant: &TenantId) -> Result<(), ServiceError> {
        let tenant = self.tenant_row(tenant).await?;
        self.provision_dialling(&tenant).await
    }

    pub(super) async fn tenant_row(&self, tenant: &TenantId) -> Result<TenantRow, ServiceError> {
        let row = self.store.tenant(tenant).await?;
        row.ok_or_else(|| ServiceError::internal("a user without tenant"))
    }
}

fn refused_number(display: String, refusal: &crate::live::refusal::Refusal) -> NumberCheck {
    NumberCheck {
        number: None,
        display,
        country: None,
        number_class: None,
        local_time: None,
        verdict: Verdict::Deny,
        confirm: Vec::new(),
        rule: (refusal.cause == Some(Cause::Emergency)).then(|| "emergency".to_owned()),
        reason: refusal.cause,
        detail: Some(refusal.detail.clone()),
        mend: Some(refusal.mend.clone()).filter(|mend| !mend.is_empty()),
        price_class: None,
        price_per_minute_milli: 0,
    }
}

/// The logged-in Tenant Admin.
///
/// # Errors
/// Forbidden for everybody else.
pub(super) fn tenant_admin(actor: &Actor) -> Result<&UserActor, ServiceError> {
    let user = actor.user()?;
    if user.role == TenantRole::TenantAdmin {
        return Ok(user);
    }
    Err(ServiceError::forbidden("Only Tenant Admins may do this").mend("Ask your Tenant Admin"))
}
