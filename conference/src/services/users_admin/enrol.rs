//! Enrolment by a one-time link, and changing one's password.

use super::Services;
use super::views::{EnrolLink, EnrolPreview};
use crate::ids::UserId;
use crate::services::accounts::{PASSWORD_MAX, later};
use crate::services::actor::{Actor, UserActor};
use crate::services::error::ServiceError;
use crate::services::meetings::conflict;
use crate::store::secrets::{random_token, token_hash};
use crate::store::{Connection, Store, StoreError, UserRow};
use std::time::Duration;

/// The shortest password taken.
pub const PASSWORD_MIN: usize = 10;
/// How long an enrolment link works.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
const PURPOSE: &str = "enrol";

impl Services {
    /// Makes an enrolment link for a user; earlier ones no longer work. Returns its token.
    pub(super) async fn new_enrolment(
        &self,
        connection: &mut Connection,
        user: &UserRow,
    ) -> Result<String, ServiceError> {
        let token = random_token(self.entropy.as_ref());
        let now = self.now();
        let times = (now, later(now, LIFETIME));
        let owner = (&user.tenant, &user.id);
        Store::insert_user_token(connection, owner, PURPOSE, &token_hash(&token), times).await?;
        Ok(token)
    }

    pub(super) fn enrol_link(&self, token: &str) -> EnrolLink {
        EnrolLink {
            link: format!("{}/enrol/{token}", self.config.base_url),
            expires_at: later(self.now(), LIFETIME),
        }
    }

    /// A new enrolment link for a user who lost theirs or their password.
    ///
    /// # Errors
    /// Not found; conflict for a disabled user; forbidden for all but tenant admins.
    pub async fn renew_enrolment(&self, actor: &Actor, id: &UserId) -> Result<EnrolLink, ServiceError> {
        let admin = actor.user()?.tenant_admin()?;
        let user = self.store.any_user(&admin.tenant, id).await?;
        let user = user.ok_or_else(|| ServiceError::not_found("user"))?;
        if !user.enabled {
            return Err(conflict("This user is disabled").mend("Enable the user first"));
        }
        let mut transaction = self.store.begin().await?;
        let token = self.new_enrolment(&mut transaction, &user).await?;
        self.audit(&mut transaction, admin, "user.enrolment_renewed", user.id.as_str(), (None, None)).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        Ok(self.enrol_link(&token))
    }

    /// What an enrolment link leads to.
    ///
    /// # Errors
    /// Not found, in the same words, for a link that is unknown, used, expired, or a disabled user's.
    pub async fn enrolment(&self, token: &str) -> Result<EnrolPreview, ServiceError> {
        let user = self.enrolling(token).await?;
        let tenant = self.store.tenant(&user.tenant).await?;
        Ok(EnrolPreview {
            display_name: user.display_name,
            login: user.login_name.unwrap_or(user.login),
            tenant: tenant.map(|tenant| tenant.name).unwrap_or_default(),
            password_min: u64::try_from(PASSWORD_MIN).unwrap_or(0),
        })
    }

    async fn enrolling(&self, token: &str) -> Result<UserRow, ServiceError> {
        let none = || ServiceError::not_found("enrolment link").mend("Ask your Tenant Admin for a new one");
        if token.len() != 64 {
            return Err(none());
        }
        let found = self.store.user_token(PURPOSE, &token_hash(token), self.now()).await?;
        let (tenant, user) = found.ok_or_else(none)?;
        self.store.user(&tenant, &user).await?.ok_or_else(none)
    }

    /// Chooses a password by an enrolment link, which is used up by that.
    ///
    /// # Errors
    /// As for [`Self::enrolment`]; invalid for a bad password.
    pub async fn enrol(&self, token: &str, password: &str) -> Result<(), ServiceError> {
        let user = self.enrolling(token).await?;
        check_password(&user, password)?;
        let hash = self.passwords.hash(&self.entropy, password).await?;
        let mut transaction = self.store.begin().await?;
        if !Store::take_user_token(&mut transaction, &token_hash(token)).await? {
            return Err(ServiceError::not_found("enrolment link").mend("Ask your Tenant Admin for a new one"));
        }
        Store::set_password(&mut transaction, &user.tenant, &user.id, &hash, self.now()).await?;
        Store::delete_sessions_of_user(&mut transaction, &user.tenant, &user.id, None).await?;
        self.audit(&mut transaction, &user, "user.enrolled", user.id.as_str(), (None, None)).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.tell_user("user.enrolled", &user);
        Ok(())
    }

    /// Changes one's own password. Every other login of the user ends.
    ///
    /// # Errors
    /// Invalid if the current password is wrong or the new one is bad; forbidden for those who came by a link.
    pub async fn change_password(
        &self,
        actor: &Actor,
        token: &str,
        (current, new): (&str, &str),
    ) -> Result<(), ServiceError> {
        let UserActor { tenant, user, .. } = actor.user()?;
        let row = self.store.user(tenant, user).await?.ok_or_else(|| ServiceError::not_found("user"))?;
        let known = Some(row.password_hash.clone()).filter(|hash| !hash.is_empty());
        if current.len() > PASSWORD_MAX || !self.passwords.check(current.to_owned(), known).await? {
            return Err(ServiceError::invalid("current", "This is not your password").mend("Check it"));
        }
        check_password(&row, new)?;
        let hash = self.passwords.hash(&self.entropy, new).await?;
        let mut transaction = self.store.begin().await?;
        Store::set_password(&mut transaction, tenant, user, &hash, self.now()).await?;
        Store::delete_sessions_of_user(&mut transaction, tenant, user, Some(&token_hash(token))).await?;
        self.audit(&mut transaction, &row, "user.password_changed", row.id.as_str(), (None, None)).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        Ok(())
    }
}

/// Long enough, not endless, and not the login itself (NIST SP 800-63B section 3.1.1: length, no composition rules).
fn check_password(user: &UserRow, password: &str) -> Result<(), ServiceError> {
    let wrong = |detail: &str, mend: String| Err(ServiceError::invalid("password", detail).mend(mend));
    if password.chars().count() < PASSWORD_MIN {
        return wrong("This password is too short", format!("Choose at least {PASSWORD_MIN} characters"));
    }
    if password.len() > PASSWORD_MAX {
        return wrong("This password is too long", format!("Choose at most {PASSWORD_MAX} bytes"));
    }
    let lower = password.to_lowercase();
    let known = [Some(&user.login), user.login_name.as_ref(), user.mail.as_ref()];
    let first = lower.chars().next();
    if known.into_iter().flatten().any(|name| *name == lower) || lower.chars().all(|c| Some(c) == first) {
        return wrong("This password is easy to guess", "Choose another password".to_owned());
    }
    Ok(())
}
