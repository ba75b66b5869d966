//! A session admin asks for somebody to be added; a tenant admin decides (B35).

use super::views::{CreatedUser, RequestState, UserRequest};
use super::{NewUser, Services, optional_name, phone_number};
use crate::live::event::PublicEvent;
use crate::services::actor::Actor;
use crate::services::error::ServiceError;
use crate::services::input;
use crate::services::meetings::conflict;
use crate::services::page::{Page, PageRequest};
use crate::store::{Store, StoreError, UserRequestRow};
use crate::vocabulary::TenantRole;
use serde_json::json;

/// The longest note.
const NOTE_MAX: usize = 500;

/// Who is asked for: exactly one of email and number.
#[derive(Clone, Debug, Default)]
pub struct NewUserRequest {
    /// The address.
    pub email: Option<String>,
    /// The phone number, or number@domain, as typed.
    pub number: Option<String>,
    /// First name, as far as it is known.
    pub first: Option<String>,
    /// Last name, as far as it is known.
    pub last: Option<String>,
    /// Why.
    pub note: Option<String>,
}

/// What a tenant admin decides.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Add the user, under these names and with this role.
    Accept {
        /// First name; the request's when missing.
        first: Option<String>,
        /// Last name; the request's when missing.
        last: Option<String>,
        /// Rights in the tenant.
        role: TenantRole,
    },
    /// Do not.
    Decline,
}

impl Services {
    /// Asks for a user. Asking twice for the same address gives the request there is.
    ///
    /// # Errors
    /// Invalid, naming the field; conflict if there is such a user; forbidden for all but the tenant's admins.
    pub async fn request_user(
        &self,
        actor: &Actor,
        new: NewUserRequest,
    ) -> Result<UserRequest, ServiceError> {
        let asker = actor.user()?.session_admin()?;
        let tenant = self.own_tenant(asker).await?;
        let (target, kind) = match (&new.email, &new.number) {
            (Some(mail), None) => (input::mail("email", mail)?, "email"),
            (None, Some(number)) => {
                let own = tenant.phone_address_domain.as_deref();
                let digits = number
                    .trim()
                    .rsplit_once('@')
                    .filter(|(_, domain)| own.is_some_and(|own| own.eq_ignore_ascii_case(domain)));
                let digits = digits.map_or(number.as_str(), |(digits, _)| digits);
                let number = phone_number(&tenant, digits);
                (
                    number.map_err(|error| ServiceError { field: Some("number".to_owned()), ..error })?,
                    "number",
                )
            }
            _ => {
                return Err(ServiceError::invalid("email", "Exactly one of email and number is needed")
                    .mend("Send one of them"));
            }
        };
        let optional =
            |field, text: &Option<String>| text.as_deref().map(|t| optional_name(field, t)).transpose();
        let row = UserRequestRow {
            id: self.random_id('q'),
            tenant: asker.tenant.clone(),
            requested_by: asker.user.clone(),
            target,
            target_kind: kind.to_owned(),
            first: optional("first", &new.first)?,
            last: optional("last", &new.last)?,
            note: new.note.as_deref().map(note).transpose()?,
            state: RequestState::Open,
            decided_by: None,
            decided_at: None,
            user: None,
            created_at: self.now(),
        };
        let mut transaction = self.store.begin().await?;
        if let Some(open) = Store::open_user_request(&mut transaction, &row.tenant, &row.target).await? {
            return Ok(view(open));
        }
        let address_kind = if kind == "email" { "mail" } else { "phone" };
        if Store::address_holder(&mut transaction, &row.tenant, address_kind, &row.target).await?.is_some() {
            return Err(conflict("There is such a user already").mend("Invite them"));
        }
        Store::insert_user_request(&mut transaction, &row).await?;
        let after = json!({ kind: row.target });
        self.audit(&mut transaction, asker, "user_request.created", &row.id, (None, Some(after))).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.tell_request("user_request.created", &row);
        Ok(view(row))
    }

    /// The requests: all of them for tenant admins, their own for session admins. Newest first.
    ///
    /// # Errors
    /// Forbidden for everybody else.
    pub async fn user_requests(
        &self,
        actor: &Actor,
        state: Option<RequestState>,
        page: PageRequest,
    ) -> Result<Page<UserRequest>, ServiceError> {
        let asker = actor.user()?.session_admin()?;
        let by = (asker.role != TenantRole::TenantAdmin).then_some(&asker.user);
        let (rows, total) = self.store.user_requests(&asker.tenant, by, state, page.slice()).await?;
        Ok(page.of(rows.into_iter().map(view).collect(), total))
    }

    /// Decides a request. Accepting it adds the user, who enrols by the link in the answer.
    ///
    /// # Errors
    /// Not found; conflict if it was decided already; invalid, naming the field; forbidden for all but tenant admins.
    pub async fn decide_user_request(
        &self,
        actor: &Actor,
        id: &str,
        decision: Decision,
    ) -> Result<(UserRequest, Option<CreatedUser>), ServiceError> {
        let admin = actor.user()?.tenant_admin()?;
        let row = self.store.user_request(&admin.tenant, id).await?;
        let mut row = row.ok_or_else(|| ServiceError::not_found("request for a user"))?;
        let tenant = self.own_tenant(admin).await?;
        let new = match decision {
            Decision::Accept { first, last, role } => {
                Some(self.new_user_row(&tenant, accepted(&row, first, last, role))?)
            }
            Decision::Decline => None,
        };
        row.state = if new.is_some() { RequestState::Accepted } else { RequestState::Declined };
        row.decided_by = Some(admin.user.clone());
        row.decided_at = Some(self.now());
        let mut transaction = self.store.begin().await?;
        let mut token = None;
        if let Some(new) = &new {
            token = Some(self.write_user(&mut transaction, admin, new.clone(), "request").await?);
            row.user = Some(new.0.id.clone());
        }
        if !Store::decide_user_request(&mut transaction, &row, self.now()).await? {
            return Err(conflict("This request has been decided").mend("Look at it again"));
        }
        let after = json!({ "state": row.state, "user": row.user });
        self.audit(&mut transaction, admin, "user_request.decided", &row.id, (None, Some(after))).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.tell_request("user_request.decided", &row);
        let created = match (new, token) {
            (Some((user, _)), Some(token)) => {
                let user = self.user_detail(&self.stored_user(&user).await?, true).await?;
                Some(CreatedUser { user, enrol: self.enrol_link(&token) })
            }
            _ => None,
        };
        Ok((view(row), created))
    }

    fn tell_request(&self, kind: &'static str, row: &UserRequestRow) {
        self.publish(PublicEvent {
            tenant: row.tenant.clone(),
            meeting: None,
            kind,
            at: self.now(),
            data: json!({ "request": row.id, "state": row.state, "requested_by": row.requested_by }),
        });
    }
}

/// The user a request becomes.
fn accepted(row: &UserRequestRow, first: Option<String>, last: Option<String>, role: TenantRole) -> NewUser {
    let mail = (row.target_kind == "email").then(|| row.target.clone());
    let phone = (row.target_kind == "number").then(|| row.target.clone());
    // Somebody nobody could name is named by their address until they are.
    let named = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    let unnamed = || row.target.split('@').next().unwrap_or_default().to_owned();
    NewUser {
        first: first.or_else(|| named(&row.first)).unwrap_or_else(unnamed),
        last: last.or_else(|| named(&row.last)).unwrap_or_default(),
        mail,
        login: None,
        phone,
        role,
        extension: None,
        area_code: None,
        generic_id: None,
    }
}

fn note(text: &str) -> Result<String, ServiceError> {
    if text.chars().count() > NOTE_MAX || text.contains('\0') {
        return Err(ServiceError::invalid("note", "This note cannot be taken")
            .mend(format!("Write at most {NOTE_MAX} printable characters")));
    }
    Ok(text.trim().to_owned())
}

fn view(row: UserRequestRow) -> UserRequest {
    let mail = row.target_kind == "email";
    UserRequest {
        id: row.id,
        email: mail.then(|| row.target.clone()),
        number: (!mail).then_some(row.target),
        first: row.first,
        last: row.last,
        note: row.note,
        requested_by: row.requested_by,
        state: row.state,
        decided_by: row.decided_by,
        decided_at: row.decided_at,
        user: row.user,
        created_at: row.created_at,
    }
}
