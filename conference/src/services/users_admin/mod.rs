//! Users as a tenant admin sees them: adding, changing, disabling, enrolment, requests.

mod csv_upload;
mod disable;
mod enrol;
mod requests;
mod views;

pub use csv_upload::TEMPLATE;
pub use enrol::PASSWORD_MIN;
pub use requests::{Decision, NewUserRequest};
pub use views::{
    Account, CreatedUser, EnrolLink, EnrolPreview, RequestState, UploadReport, UploadRow, UploadStatus,
    UserDetail, UserRequest,
};

use super::actor::{Actor, UserActor};
use super::error::ServiceError;
use super::meetings::conflict;
use super::page::{Page, PageRequest};
use super::provision::Provision;
use super::{Services, input};
use crate::ids::UserId;
use crate::live::event::PublicEvent;
use crate::live::number::{self, Home};
use crate::live::{emergency, resolver};
use crate::store::{Connection, DeviceRow, Store, StoreError, TenantRow, UserRow, UserSlice};
use crate::vocabulary::TenantRole;
use serde_json::json;

/// The longest identifier of the tenant's own.
const GENERIC_ID_MAX: usize = 64;

/// Somebody to be added.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// First name.
    pub first: String,
    /// Last name; may be empty.
    pub last: String,
    /// Where invitations go; also what is typed at login unless `login` says otherwise.
    pub mail: Option<String>,
    /// What is typed at login.
    pub login: Option<String>,
    /// An outside phone number, for users who have no mail.
    pub phone: Option<String>,
    /// Rights in the tenant.
    pub role: TenantRole,
    /// Extension.
    pub extension: Option<String>,
    /// The area code of seven-digit numbers this user types.
    pub area_code: Option<String>,
    /// The tenant's own identifier.
    pub generic_id: Option<String>,
}

/// What is to change about a user. `Some(None)` takes a value away.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// First name.
    pub first: Option<String>,
    /// Last name.
    pub last: Option<String>,
    /// The name shown; follows first and last name when those change and this is not given.
    pub display_name: Option<String>,
    /// Rights in the tenant.
    pub role: Option<TenantRole>,
    /// Whether the user may do anything at all.
    pub enabled: Option<bool>,
    /// Extension.
    pub extension: Option<Option<String>>,
    /// Area code.
    pub area_code: Option<Option<String>>,
    /// The tenant's own identifier.
    pub generic_id: Option<Option<String>>,
}

impl UserActor {
    /// Session and tenant admins send invitations to many sessions at once (B02).
    ///
    /// # Errors
    /// Forbidden for everybody else (B03).
    pub(crate) fn session_admin(&self) -> Result<&Self, ServiceError> {
        if self.reaches_all_meetings() {
            return Ok(self);
        }
        Err(ServiceError::forbidden("Only Session Admins and Tenant Admins may do this")
            .mend("Invite people from within a session of yours, or ask an admin of your company"))
    }

    /// Tenant admins administer users (I80).
    ///
    /// # Errors
    /// Forbidden for everybody else.
    pub(crate) fn tenant_admin(&self) -> Result<&Self, ServiceError> {
        if self.role == TenantRole::TenantAdmin {
            return Ok(self);
        }
        Err(ServiceError::forbidden("Only a Tenant Admin may do this")
            .mend("Ask your company's Tenant Admin"))
    }
}

impl Services {
    /// Every user of the tenant, disabled ones too, by extension and name.
    ///
    /// # Errors
    /// Forbidden for all but tenant admins.
    pub async fn user_accounts(
        &self,
        actor: &Actor,
        query: Option<&str>,
        page: PageRequest,
    ) -> Result<Page<UserDetail>, ServiceError> {
        let admin = actor.user()?.tenant_admin()?;
        let query = resolver::fold(query.unwrap_or_default().trim());
        let (limit, offset) = page.slice();
        let slice =
            UserSlice { tenant: &admin.tenant, without: None, disabled: true, query: &query, limit, offset };
        let (rows, total) = self.store.users_slice(&slice).await?;
        let views = self.user_views(&admin.tenant, &rows).await?;
        let detail = |(row, user)| UserDetail { user, account: Some(views::account(row)) };
        Ok(page.of(rows.iter().zip(views).map(detail).collect(), total))
    }

    /// One user: everything for tenant admins and about oneself, name and devices for colleagues.
    ///
    /// # Errors
    /// Not found for users of other tenants; forbidden for guests, unless it is themselves.
    pub async fn user_account(&self, actor: &Actor, id: &UserId) -> Result<UserDetail, ServiceError> {
        let user = actor.user()?;
        let oneself = user.user == *id;
        if !oneself {
            actor.member()?;
        }
        let admin = user.role == TenantRole::TenantAdmin;
        let row = if admin {
            self.store.any_user(&user.tenant, id).await?
        } else {
            self.store.user(&user.tenant, id).await?
        };
        let row = row.ok_or_else(|| ServiceError::not_found("user"))?;
        self.user_detail(&row, admin || oneself).await
    }

    pub(super) async fn user_detail(&self, row: &UserRow, account: bool) -> Result<UserDetail, ServiceError> {
        let devices = self.store.devices_of(&row.tenant, &row.id).await?;
        let devices: Vec<&DeviceRow> = devices.iter().collect();
        let user = self.user_view(row, &devices).await;
        Ok(UserDetail { user, account: account.then(|| views::account(row)) })
    }

    /// Adds a user, who enrols by the link in the answer.
    ///
    /// # Errors
    /// Invalid, naming the field; forbidden for all but tenant admins.
    pub async fn create_user(&self, actor: &Actor, new: NewUser) -> Result<CreatedUser, ServiceError> {
        let admin = actor.user()?.tenant_admin()?;
        let tenant = self.own_tenant(admin).await?;
        let row = self.new_user_row(&tenant, new)?;
        let mut transaction = self.store.begin().await?;
        let token = self.write_user(&mut transaction, admin, row.clone(), "api").await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.tell_user("user.created", &row.0);
        let user = self.user_detail(&self.stored_user(&row.0).await?, true).await?;
        Ok(CreatedUser { user, enrol: self.enrol_link(&token) })
    }

    pub(super) async fn own_tenant(&self, user: &UserActor) -> Result<TenantRow, ServiceError> {
        let tenant = self.store.tenant(&user.tenant).await?;
        tenant.ok_or_else(|| ServiceError::internal("a user without tenant"))
    }

    async fn stored_user(&self, row: &UserRow) -> Result<UserRow, ServiceError> {
        let stored = self.store.any_user(&row.tenant, &row.id).await?;
        stored.ok_or_else(|| ServiceError::not_found("user"))
    }

    /// Checks everything that can be checked without the database. The phone number comes in E.164.
    pub(super) fn new_user_row(
        &self,
        tenant: &TenantRow,
        new: NewUser,
    ) -> Result<(UserRow, Option<String>), ServiceError> {
        let first = input::name("first", &new.first)?;
        let last = optional_name("last", &new.last)?;
        let mail = new.mail.as_deref().map(|mail| input::mail("email", mail)).transpose()?;
        let phone = new.phone.as_deref().map(|phone| phone_number(tenant, phone)).transpose()?;
        let login = match (&new.login, &mail, &phone) {
            (Some(login), _, _) => input::name("login", login)?.to_lowercase(),
            (None, Some(mail), _) => mail.clone(),
            (None, None, Some(phone)) => phone.clone(),
            (None, None, None) => {
                return Err(ServiceError::invalid(
                    "email",
                    "A user needs an e-mail address, a login or a phone",
                )
                .mend("Send one of email, login and phone"));
            }
        };
        if login.contains('#') {
            return Err(
                ServiceError::invalid("login", "A login must not hold #").mend("Choose another login")
            );
        }
        let extension = new.extension.as_deref().map(|text| extension(tenant, text)).transpose()?;
        let row = UserRow {
            id: UserId::new(self.random_id('u')),
            tenant: tenant.id.clone(),
            login,
            password_hash: String::new(),
            display_name: format!("{first} {last}").trim().to_owned(),
            first,
            last,
            extension,
            area_code: new.area_code.as_deref().map(area_code).transpose()?,
            tenant_role: new.role,
            enabled: true,
            enrolled_at: None,
            generic_id: new.generic_id.as_deref().map(generic_id).transpose()?,
            login_name: None,
            mail,
            phones: Vec::new(),
            direct_numbers: Vec::new(),
        };
        Ok((row, phone))
    }

    /// Writes a checked user with addresses, audit and enrolment; returns the token of the enrolment link.
    pub(super) async fn write_user(
        &self,
        connection: &mut Connection,
        admin: &UserActor,
        (mut row, phone): (UserRow, Option<String>),
        source: &str,
    ) -> Result<String, ServiceError> {
        let tenant = row.tenant.clone();
        if let Some(extension) = &row.extension
            && Store::extension_holder(connection, &tenant, extension).await?.is_some()
        {
            return Err(taken("extension", extension));
        }
        let addresses = [("mail", "email", row.mail.clone()), ("phone", "phone", phone)];
        for (kind, field, value) in &addresses {
            if let Some(value) = value
                && Store::address_holder(connection, &tenant, kind, value).await?.is_some()
            {
                return Err(taken(field, value));
            }
        }
        self.choose_login(connection, &mut row).await?;
        Store::insert_user(connection, &row, self.now()).await?;
        for (kind, _, value) in &addresses {
            if let Some(value) = value {
                let (id, at) = (self.random_id('a'), self.now());
                Store::insert_address(connection, (&tenant, &row.id), &id, (kind, value), at).await?;
            }
        }
        let after = json!({ "first": row.first, "last": row.last, "role": row.tenant_role });
        self.audit_from(source, connection, admin, "user.created", row.id.as_str(), (None, Some(after)))
            .await?;
        self.new_enrolment(connection, &row).await
    }

    /// Logins are unique over all tenants, but nobody may learn by a refusal who else is a customer (B33): where
    /// another tenant has the login, ours is kept apart by a suffix that nobody types.
    async fn choose_login(&self, connection: &mut Connection, row: &mut UserRow) -> Result<(), ServiceError> {
        if Store::login_taken(connection, &row.login).await? {
            let own = format!("{}#{}", row.login, row.tenant);
            if Store::login_taken(connection, &own).await?
                || Store::login_of_tenant(connection, &row.tenant, &row.login).await?
            {
                return Err(taken("login", &row.login));
            }
            row.login_name = Some(std::mem::replace(&mut row.login, own));
        }
        Ok(())
    }

    /// Changes a user. Taking `enabled` away ends everything they have at once (I82).
    ///
    /// # Errors
    /// Invalid, naming the field; conflict if nobody would be left to administer the tenant; not found; forbidden
    /// for all but tenant admins.
    pub async fn change_user(
        &self,
        actor: &Actor,
        id: &UserId,
        change: UserChange,
    ) -> Result<UserDetail, ServiceError> {
        let admin = actor.user()?.tenant_admin()?;
        let tenant = self.own_tenant(admin).await?;
        let none = || ServiceError::not_found("user");
        let old = self.store.any_user(&admin.tenant, id).await?.ok_or_else(none)?;
        let row = changed(&tenant, old.clone(), change)?;
        let mut transaction = self.store.begin().await?;
        if let Some(extension) = &row.extension
            && Store::extension_holder(&mut transaction, &tenant.id, extension)
                .await?
                .is_some_and(|holder| holder != row.id)
        {
            return Err(taken("extension", extension));
        }
        let administers = |row: &UserRow| row.enabled && row.tenant_role == TenantRole::TenantAdmin;
        if administers(&old)
            && !administers(&row)
            && Store::other_admins(&mut transaction, &tenant.id, &row.id).await? == 0
        {
            return Err(conflict("Nobody would be left to administer the company")
                .mend("Make somebody else Tenant Admin first"));
        }
        Store::update_user(&mut transaction, &row, self.now()).await?;
        if !row.enabled {
            Store::delete_sessions_of_user(&mut transaction, &tenant.id, &row.id, None).await?;
            Store::delete_participations_of_user(&mut transaction, &tenant.id, &row.id).await?;
        }
        let action = match (old.enabled, row.enabled) {
            (true, false) => "user.disabled",
            (false, true) => "user.enabled",
            _ => "user.changed",
        };
        let facts = (Some(views::facts(&old)), Some(views::facts(&row)));
        self.audit(&mut transaction, admin, action, row.id.as_str(), facts).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.follow_user(&old, &row).await?;
        self.tell_user(action, &row);
        self.user_detail(&self.stored_user(&row).await?, true).await
    }

    /// Brings the running part to what has changed.
    async fn follow_user(&self, old: &UserRow, row: &UserRow) -> Result<(), ServiceError> {
        if old.enabled && !row.enabled {
            return self.end_everything_of(row).await;
        }
        if !old.enabled && row.enabled {
            self.put_account(row.id.clone(), true).await;
        }
        let renamed = old.display_name != row.display_name;
        if row.enabled && (!old.enabled || renamed) {
            for device in self.store.devices_of(&row.tenant, &row.id).await? {
                let provisioned = super::provision::device(&device, row)?;
                self.live.provision(Provision::Device(Box::new(provisioned))).await;
            }
        }
        Ok(())
    }

    /// Tells the tenant's admins.
    pub(super) fn tell_user(&self, kind: &'static str, row: &UserRow) {
        self.publish(PublicEvent {
            tenant: row.tenant.clone(),
            meeting: None,
            kind,
            at: self.now(),
            data: json!({ "user": row.id, "display_name": row.display_name, "enabled": row.enabled }),
        });
    }
}

/// A user with the change applied, checked.
fn changed(tenant: &TenantRow, mut row: UserRow, change: UserChange) -> Result<UserRow, ServiceError> {
    let old_name = row.display_name.clone();
    let followed = format!("{} {}", row.first, row.last).trim() == old_name;
    if let Some(first) = &change.first {
        row.first = input::name("first", first)?;
    }
    if let Some(last) = &change.last {
        row.last = optional_name("last", last)?;
    }
    row.display_name = match &change.display_name {
        Some(name) => input::name("display_name", name)?,
        None if followed => format!("{} {}", row.first, row.last).trim().to_owned(),
        None => old_name,
    };
    row.tenant_role = change.role.unwrap_or(row.tenant_role);
    row.enabled = change.enabled.unwrap_or(row.enabled);
    if let Some(text) = &change.extension {
        row.extension = text.as_deref().map(|text| extension(tenant, text)).transpose()?;
    }
    if let Some(text) = &change.area_code {
        row.area_code = text.as_deref().map(area_code).transpose()?;
    }
    if let Some(text) = &change.generic_id {
        row.generic_id = text.as_deref().map(generic_id).transpose()?;
    }
    Ok(row)
}

fn taken(field: &str, value: &str) -> ServiceError {
    ServiceError::invalid(field, format!("{value} belongs to another user of your company"))
        .mend("Choose another one")
}

fn optional_name(field: &str, text: &str) -> Result<String, ServiceError> {
    if text.trim().is_empty() { Ok(String::new()) } else { input::name(field, text) }
}

/// 2 to 6 digits, and never a number somebody dials for help.
fn extension(tenant: &TenantRow, text: &str) -> Result<String, ServiceError> {
    let text = text.trim();
    if !(2..=6).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(
            ServiceError::invalid("extension", "This is not an extension").mend("Write 2 to 6 digits")
        );
    }
    if !emergency::may_be_extension(text, &tenant.country) {
        return Err(ServiceError::invalid("extension", format!("{text} is an emergency number"))
            .mend("Choose another extension: nobody must reach a colleague when they need help"));
    }
    Ok(text.to_owned())
}

fn area_code(text: &str) -> Result<String, ServiceError> {
    let text = text.trim();
    if !(1..=6).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(
            ServiceError::invalid("area_code", "This is not an area code").mend("Write 1 to 6 digits")
        );
    }
    Ok(text.to_owned())
}

fn generic_id(text: &str) -> Result<String, ServiceError> {
    let text = input::name("id", text)?;
    if text.chars().count() > GENERIC_ID_MAX {
        return Err(ServiceError::invalid("id", "This is too long")
            .mend(format!("Write at most {GENERIC_ID_MAX} characters")));
    }
    Ok(text)
}

fn phone_number(tenant: &TenantRow, text: &str) -> Result<String, ServiceError> {
    let home = Home { country: &tenant.country, area_code: tenant.area_code.as_deref() };
    let wrong = |detail: String| ServiceError::invalid("phone", detail).mend("Write it as +1 202 555 0177");
    if emergency::might_reach(text) {
        return Err(wrong("This is an emergency number".to_owned()));
    }
    number::normalise(text, &home).map(|number| number.e164).map_err(|refusal| wrong(refusal.detail))
}
