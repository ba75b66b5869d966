//! What the administration of users answers with.

use crate::ids::UserId;
use crate::services::views::User;
use crate::store::UserRow;
use crate::vocabulary::{TenantRole, UnixMillis};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A user, with the account for those who may see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserDetail {
    /// What colleagues see.
    #[serde(flatten)]
    pub user: User,
    /// The account; for tenant admins and about oneself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
}

/// What an administrator sees of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Account {
    /// First name.
    pub first: String,
    /// Last name.
    pub last: String,
    /// What is typed at login.
    pub login: String,
    /// Rights in the tenant.
    pub role: TenantRole,
    /// Whether the user may do anything: an administrator's decision.
    pub enabled: bool,
    /// Whether the user has chosen a password or logged in by the identity provider: their own doing.
    pub enrolled: bool,
    /// When they did, in milliseconds since the Unix epoch.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub enrolled_at: Option<UnixMillis>,
    /// The area code of seven-digit numbers this user types.
    pub area_code: Option<String>,
    /// The tenant's own identifier.
    pub generic_id: Option<String>,
    /// The user's own outside numbers, in E.164.
    pub phones: Vec<String>,
}

pub(super) fn account(row: &UserRow) -> Account {
    Account {
        first: row.first.clone(),
        last: row.last.clone(),
        login: row.login_name.clone().unwrap_or_else(|| row.login.clone()),
        role: row.tenant_role,
        enabled: row.enabled,
        enrolled: row.enrolled_at.is_some(),
        enrolled_at: row.enrolled_at,
        area_code: row.area_code.clone(),
        generic_id: row.generic_id.clone(),
        phones: row.phones.clone(),
    }
}

/// A user as the audit log keeps them.
pub(super) fn facts(row: &UserRow) -> Value {
    json!({
        "first": row.first, "last": row.last, "display_name": row.display_name, "role": row.tenant_role,
        "enabled": row.enabled, "extension": row.extension, "generic_id": row.generic_id,
    })
}

/// A user who was added, with the link by which they enrol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedUser {
    /// The user.
    pub user: UserDetail,
    /// How they enrol.
    pub enrol: EnrolLink,
}

/// A link that is used once, to choose a password. It is shown this once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EnrolLink {
    /// Where the user goes.
    pub link: String,
    /// Until when it works, in milliseconds since the Unix epoch.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub expires_at: UnixMillis,
}

/// What an enrolment link leads to, before it is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EnrolPreview {
    /// The name shown.
    pub display_name: String,
    /// What will be typed at login.
    pub login: String,
    /// The tenant's name.
    pub tenant: String,
    /// The shortest password taken.
    pub password_min: u64,
}

/// What became of an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UploadReport {
    /// How many users were added.
    pub created: u64,
    /// How many rows were not taken.
    pub failed: u64,
    /// Every row, in the order of the file.
    pub rows: Vec<UploadRow>,
}

/// What became of one row of an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UploadRow {
    /// The line of the file it begins on, counted from 1.
    pub line: u64,
    /// Whether the user was added.
    pub status: UploadStatus,
    /// The address in the row, if it could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The user who was added.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// How they enrol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enrol: Option<EnrolLink>,
    /// The column at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What would help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum UploadStatus {
    /// The user was added.
    Created,
    /// The row was not taken; the others were.
    Failed,
}

/// Where a request for a user stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RequestState {
    /// Waiting for a tenant admin.
    Open,
    /// The user was added.
    Accepted,
    /// A tenant admin said no.
    Declined,
}

/// A session admin's request to add somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserRequest {
    /// The request.
    pub id: String,
    /// The address, if one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The number in E.164, if one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// First name, as far as the asker knew it.
    pub first: Option<String>,
    /// Last name, as far as the asker knew it.
    pub last: Option<String>,
    /// What the asker wrote.
    pub note: Option<String>,
    /// Who asked.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub requested_by: UserId,
    /// Where it stands.
    pub state: RequestState,
    /// Who decided.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub decided_by: Option<UserId>,
    /// When, in milliseconds since the Unix epoch.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub decided_at: Option<UnixMillis>,
    /// The user who was added.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub user: Option<UserId>,
    /// When it was asked, in milliseconds since the Unix epoch.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub created_at: UnixMillis,
}
