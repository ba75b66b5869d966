//! The tenant's numbers and the caller ID of each user. A number that is shown must be the tenant's, verified, and
//! nobody else's (D34, S5): that is asked when it is set, and again at each call.

use super::actor::Actor;
use super::error::ServiceError;
use super::meetings::conflict;
use super::page::{Page, PageRequest};
use super::policy::tenant_admin;
use super::views::CallerId;
use super::{Provision, Services, input};
use crate::ids::UserId;
use crate::live::number::{self, Home};
use crate::live::policy::refuse_emergency;
use crate::store::{NumberRow, Store, StoreError, UserRow};
use crate::vocabulary::{Cause, TenantRole, UnixMillis};
use serde::Serialize;

pub use crate::store::NumberPurpose;

/// A number of the tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Number {
    /// Its row.
    pub id: String,
    /// E.164.
    pub number: String,
    /// As people read it.
    pub display: String,
    /// What it is for.
    pub purpose: NumberPurpose,
    /// Whose it is; nobody's is everybody's of the tenant.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub user: Option<UserId>,
    /// What the tenant calls it.
    pub label: Option<String>,
    /// The trunk it is rented on.
    pub trunk: Option<u64>,
    /// A, B or C: how the carrier vouches for calls that show it (RFC 8588).
    pub attestation: Option<String>,
    /// When it was found to be the tenant's; only then it may be shown.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub verified_at: Option<UnixMillis>,
}

impl From<NumberRow> for Number {
    fn from(row: NumberRow) -> Self {
        Self {
            display: number::display_of(&row.e164),
            id: row.id,
            number: row.e164,
            purpose: row.purpose,
            user: row.user,
            label: row.label,
            trunk: row.trunk,
            attestation: row.attestation,
            verified_at: row.verified_at,
        }
    }
}

/// What is to change about a number. What is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberChange {
    /// What it is for.
    pub purpose: Option<NumberPurpose>,
    /// Whose it is; `Some(None)` makes it everybody's.
    pub user: Option<Option<UserId>>,
    /// What the tenant calls it.
    pub label: Option<Option<String>>,
    /// The trunk it is rented on.
    pub trunk: Option<Option<u64>>,
    /// A, B or C.
    pub attestation: Option<Option<String>>,
    /// Whether it was found to be the tenant's.
    pub verified: Option<bool>,
}

/// What calls of a user are to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewCallerId {
    /// E.164 or as typed; none takes the caller ID away.
    pub number: Option<String>,
    /// The name beside it; the user's own when missing.
    pub display: Option<String>,
    /// Show neither.
    pub hidden: bool,
}

impl Services {
    /// The tenant's numbers.
    ///
    /// # Errors
    /// Forbidden for all but Tenant Admins.
    pub async fn numbers(&self, actor: &Actor, page: PageRequest) -> Result<Page<Number>, ServiceError> {
        let admin = tenant_admin(actor)?;
        let (rows, total) = self.store.page_of_numbers(&admin.tenant, page.slice()).await?;
        Ok(page.of(rows.into_iter().map(Into::into).collect(), total))
    }

    /// Adds a number. It is not shown to anybody until it is verified.
    ///
    /// # Errors
    /// Forbidden for all but Tenant Admins; conflict for a number that is taken, in whatever tenant; invalid, naming the
    /// field.
    pub async fn add_number(
        &self,
        actor: &Actor,
        text: &str,
        change: NumberChange,
    ) -> Result<Number, ServiceError> {
        let admin = tenant_admin(actor)?;
        let tenant = self.tenant_row(&admin.tenant).await?;
        refuse_emergency(text)?;
        let home = Home { country: &tenant.country, area_code: tenant.area_code.as_deref() };
        let e164 = number::normalise(text, &home)?.e164;
        let mut row = NumberRow {
            id: self.random_id('n'),
            e164,
            purpose: NumberPurpose::CallerId,
            user: None,
            label: None,
            trunk: None,
            attestation: None,
            verified_at: None,
        };
        self.apply_number(admin, &mut row, change).await?;
        let mut transaction = self.store.begin().await?;
        match Store::insert_number(&mut transaction, &admin.tenant, &row, self.now()).await {
            Err(error) if error.is_unique_violation() => {
                return Err(ServiceError {
                    field: Some("number".to_owned()),
                    ..conflict("This number is taken").mend("Check it; a number belongs to one tenant only")
                });
            }
            written => written?,
        }
        let after = serde_json::to_value(Number::from(row.clone())).ok();
        self.audit(&mut transaction, admin, "number.added", &row.e164, (None, after)).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.provision_number(&admin.tenant, &row.e164).await;
        Ok(row.into())
    }

    /// Changes what is known of a number.
    ///
    /// # Errors
    /// As for [`Self::add_number`]; not found.
    pub async fn change_number(
        &self,
        actor: &Actor,
        id: &str,
        change: NumberChange,
    ) -> Result<Number, ServiceError> {
        let admin = tenant_admin(actor)?;
        let row = self.store.number(&admin.tenant, id).await?;
        let before = row.ok_or_else(|| ServiceError::not_found("number"))?;
        let mut row = before.clone();
        self.apply_number(admin, &mut row, change).await?;
        let mut transaction = self.store.begin().await?;
        Store::update_number(&mut transaction, &admin.tenant, &row, self.now()).await?;
        let values = (
            serde_json::to_value(Number::from(before)).ok(),
            serde_json::to_value(Number::from(row.clone())).ok(),
        );
        self.audit(&mut transaction, admin, "number.changed", &row.e164, values).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        Ok(row.into())
    }

    /// Removes a number, and with it the caller IDs that show it: those users' calls are refused until they set
    /// another one.
    ///
    /// # Errors
    /// Forbidden for all but Tenant Admins; not found.
    pub async fn remove_number(&self, actor: &Actor, id: &str) -> Result<(), ServiceError> {
        let admin = tenant_admin(actor)?;
        let row = self.store.number(&admin.tenant, id).await?;
        let row = row.ok_or_else(|| ServiceError::not_found("number"))?;
        let mut transaction = self.store.begin().await?;
        Store::delete_number(&mut transaction, &admin.tenant, &row.id).await?;
        let before = serde_json::to_value(Number::from(row.clone())).ok();
        self.audit(&mut transaction, admin, "number.removed", &row.e164, (before, None)).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.live.provision(Provision::NoDialIn(row.e164)).await;
        Ok(())
    }

    async fn apply_number(
        &self,
        admin: &super::UserActor,
        row: &mut NumberRow,
        change: NumberChange,
    ) -> Result<(), ServiceError> {
        if let Some(user) = change.user {
            if let Some(user) = &user {
                let known = self.store.user(&admin.tenant, user).await?;
                known.ok_or_else(|| {
                    ServiceError::invalid("user", "There is no such user")
                        .mend("Choose one from the list of users")
                })?;
            }
            row.user = user;
        }
        if let Some(trunk) = change.trunk {
            let trunks = self.store.trunks(&admin.tenant).await?;
            if trunk.is_some_and(|id| trunks.iter().all(|known| known.id != id)) {
                return Err(
                    ServiceError::invalid("trunk", "There is no such trunk").mend("Choose one of the trunks")
                );
            }
            row.trunk = trunk;
        }
        if let Some(attestation) = change.attestation {
            if attestation.as_deref().is_some_and(|level| !["A", "B", "C"].contains(&level)) {
                return Err(ServiceError::invalid("attestation", "There are three levels")
                    .mend("Send \"A\", \"B\", \"C\" or null"));
            }
            row.attestation = attestation;
        }
        if let Some(label) = change.label {
            row.label = label.map(|label| input::name("label", &label)).transpose()?;
        }
        row.purpose = change.purpose.unwrap_or(row.purpose);
        match change.verified {
            Some(true) => row.verified_at = row.verified_at.or_else(|| Some(self.now())),
            Some(false) => row.verified_at = None,
            None => {}
        }
        Ok(())
    }

    /// Sets what calls of a user show: one's own, or as Tenant Admin anybody's. Only verified numbers of this user or
    /// of the whole tenant can be chosen.
    ///
    /// # Errors
    /// Forbidden for others' caller IDs; not found; invalid with the reason `caller_id_not_owned`.
    pub async fn set_caller_id(
        &self,
        actor: &Actor,
        user: &UserId,
        new: &NewCallerId,
    ) -> Result<Option<CallerId>, ServiceError> {
        let member = actor.member()?;
        if member.user != *user && member.role != TenantRole::TenantAdmin {
            return Err(
                ServiceError::forbidden("This is somebody else's Caller ID").mend("Ask your Tenant Admin")
            );
        }
        let row = self.store.user(&member.tenant, user).await?;
        let row = row.ok_or_else(|| ServiceError::not_found("user"))?;
        let before = self.store.caller_id(&member.tenant, user).await?.map(|caller| caller.number);
        let Some(text) = &new.number else {
            let mut transaction = self.store.begin().await?;
            Store::delete_caller_id(&mut transaction, &member.tenant, user).await?;
            let values = (serde_json::to_value(before).ok(), None);
            self.audit(&mut transaction, member, "caller_id.removed", user.as_str(), values).await?;
            transaction.commit().await.map_err(StoreError::from)?;
            return Ok(None);
        };
        let number = self.showable(&row, text).await?;
        let display = match &new.display {
            Some(display) => input::name("display", display)?,
            None => row.display_name.clone(),
        };
        let mut transaction = self.store.begin().await?;
        let owner = (&member.tenant, user);
        Store::put_caller_id(&mut transaction, owner, &number.id, &display, new.hidden, self.now()).await?;
        let values = (serde_json::to_value(before).ok(), serde_json::to_value(&number.e164).ok());
        self.audit(&mut transaction, member, "caller_id.set", user.as_str(), values).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        Ok(Some(CallerId { number: number.e164, display }))
    }

    /// A number this user's calls may show.
    async fn showable(&self, user: &UserRow, text: &str) -> Result<NumberRow, ServiceError> {
        let tenant = self.tenant_row(&user.tenant).await?;
        let area_code = user.area_code.as_deref().or(tenant.area_code.as_deref());
        let e164 = number::normalise(text, &Home { country: &tenant.country, area_code })?.e164;
        let row = self.store.number(&user.tenant, &e164).await?;
        let row = row.filter(|row| row.may_show(&user.id));
        row.ok_or_else(|| ServiceError {
            cause: Some(Cause::CallerIdNotOwned),
            ..ServiceError::invalid("number", Cause::CallerIdNotOwned.words())
                .mend("Choose a number that your Tenant Admin has assigned to you, and that is verified")
        })
    }

    /// The numbers a user may choose as caller ID.
    ///
    /// # Errors
    /// Forbidden for guests and for those who came by a link.
    pub async fn own_numbers(&self, actor: &Actor) -> Result<Vec<Number>, ServiceError> {
        let member = actor.member()?;
        let rows = self.store.numbers(&member.tenant).await?;
        Ok(rows.into_iter().filter(|row| row.may_show(&member.user)).map(Into::into).collect())
    }
}
