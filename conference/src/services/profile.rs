//! A user's own settings: e-mail addresses, and which of them invitations go to (A23, A24, I20).

use super::actor::{Actor, UserActor};
use super::error::ServiceError;
use super::invitations::queue::is_phone_address;
use super::meetings::conflict;
use super::views::Profile;
use super::{Services, input};
use crate::ids::UserId;
use crate::store::{Store, StoreError, UserRow};
use crate::vocabulary::{TenantRole, UnixMillis};

/// The most addresses of one user.
const EMAILS_MAX: usize = 10;

/// What is to change. What is not named stays.
#[derive(Clone, Debug, Default)]
pub struct ProfileChange {
    /// All e-mail addresses, in place of those there are.
    pub emails: Option<Vec<String>>,
    /// The one of them that invitations go to.
    pub invitation_address: Option<String>,
}

impl Services {
    /// The asker's own settings.
    ///
    /// # Errors
    /// Forbidden for those who came by a link.
    pub async fn profile(&self, actor: &Actor) -> Result<Profile, ServiceError> {
        let user = actor.user()?;
        self.profile_of(user, &user.user).await
    }

    async fn profile_of(&self, asker: &UserActor, user: &UserId) -> Result<Profile, ServiceError> {
        let row = self.store.user(&asker.tenant, user).await?;
        let row = row.ok_or_else(|| ServiceError::not_found("user"))?;
        let addresses = self.store.addresses_of(&row.tenant, &row.id).await?;
        let of_kind = |kind: &str| {
            addresses.iter().filter(|row| row.kind == kind).map(|row| row.value.clone()).collect::<Vec<_>>()
        };
        Ok(Profile {
            emails: of_kind("mail"),
            phones: of_kind("phone"),
            id: row.id,
            display_name: row.display_name,
            invitation_address: row.mail,
        })
    }

    /// Changes the asker's own settings.
    ///
    /// # Errors
    /// Invalid, naming the field; conflict for an address that somebody else of the tenant has.
    pub async fn change_profile(
        &self,
        actor: &Actor,
        change: &ProfileChange,
    ) -> Result<Profile, ServiceError> {
        let user = actor.user()?;
        self.change_profile_of(user, &user.user, change).await
    }

    /// Sets where a user's invitations go: an address they have, or a new one. Their own by anybody, others' by tenant
    /// admins. It counts from the next invitation on (A24).
    ///
    /// # Errors
    /// Not found; forbidden; invalid; conflict as for [`Self::change_profile`].
    pub async fn set_invitation_address(
        &self,
        actor: &Actor,
        user: &UserId,
        address: &str,
    ) -> Result<Profile, ServiceError> {
        let asker = actor.user()?;
        if *user != asker.user && asker.role != TenantRole::TenantAdmin {
            return Err(ServiceError::forbidden("Only Tenant Admins may change others' profiles")
                .mend("Ask your Tenant Admin"));
        }
        let address = input::mail("address", address)?;
        let mut emails = self.profile_of(asker, user).await?.emails;
        if !emails.contains(&address) {
            emails.push(address.clone());
        }
        let change = ProfileChange { emails: Some(emails), invitation_address: Some(address) };
        self.change_profile_of(asker, user, &change).await.map_err(|error| match error.field.as_deref() {
            Some("emails" | "invitation_address") => {
                ServiceError { field: Some("address".to_owned()), ..error }
            }
            _ => error,
        })
    }

    async fn change_profile_of(
        &self,
        asker: &UserActor,
        user: &UserId,
        change: &ProfileChange,
    ) -> Result<Profile, ServiceError> {
        let before = self.profile_of(asker, user).await?;
        let emails = match &change.emails {
            Some(emails) => self.checked_emails(asker, emails).await?,
            None => before.emails.clone(),
        };
        let marked = match &change.invitation_address {
            Some(address) => input::mail("invitation_address", address)?,
            None => before
                .invitation_address
                .clone()
                .filter(|address| emails.contains(address))
                .or_else(|| emails.first().cloned())
                .unwrap_or_default(),
        };
        if !emails.is_empty() && !emails.contains(&marked) {
            return Err(ServiceError::invalid(
                "invitation_address",
                "This is none of the addresses of the profile",
            )
            .mend("Add it to emails first, or choose one of them"));
        }
        let row = self.store.user(&asker.tenant, user).await?;
        let row = row.ok_or_else(|| ServiceError::not_found("user"))?;
        self.write_addresses(asker, &row, (&before, &emails, &marked)).await?;
        self.profile_of(asker, user).await
    }

    async fn checked_emails(
        &self,
        asker: &UserActor,
        emails: &[String],
    ) -> Result<Vec<String>, ServiceError> {
        input::length("emails", emails.len(), EMAILS_MAX)?;
        let tenant = self.store.tenant(&asker.tenant).await?;
        let tenant = tenant.ok_or_else(|| ServiceError::internal("a user without tenant"))?;
        let mut checked: Vec<String> = Vec::with_capacity(emails.len());
        for (index, text) in emails.iter().enumerate() {
            let address = input::mail(&format!("emails[{index}]"), text)?;
            if is_phone_address(&address, &tenant) {
                return Err(ServiceError::invalid(
                    format!("emails[{index}]"),
                    "This is a phone number, which gets no mail",
                )
                .mend("Write an e-mail address"));
            }
            if !checked.contains(&address) {
                checked.push(address);
            }
        }
        Ok(checked)
    }

    async fn write_addresses(
        &self,
        asker: &UserActor,
        user: &UserRow,
        (before, emails, marked): (&Profile, &[String], &str),
    ) -> Result<(), ServiceError> {
        let now = self.now();
        let owner = (&user.tenant, &user.id);
        let mut transaction = self.store.begin().await?;
        for gone in before.emails.iter().filter(|address| !emails.contains(address)) {
            Store::delete_address(&mut transaction, owner, ("mail", gone)).await?;
        }
        for (index, new) in emails.iter().enumerate().filter(|(_, address)| !before.emails.contains(address))
        {
            let id = self.random_id('a');
            // Each a millisecond younger than the one before: they are listed by age.
            let at = UnixMillis(now.0.saturating_add(u64::try_from(index).unwrap_or(0)));
            match Store::insert_address(&mut transaction, owner, &id, ("mail", new), at).await {
                Err(error) if error.is_unique_violation() => {
                    return Err(ServiceError {
                        field: Some(format!("emails[{index}]")),
                        ..conflict("Somebody else has this address").mend("Choose another one")
                    });
                }
                written => written?,
            }
        }
        Store::mark_invitation_address(&mut transaction, owner, marked, now).await?;
        self.audit(&mut transaction, asker, "user.addresses_changed", user.id.as_str(), (Some( serde_json::json!({ "emails": before.emails, "invitation_address": before.invitation_address }), ), Some(serde_json::json!({ "emails": emails, "invitation_address": marked })))).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        Ok(())
    }
}
