//! Administering users.

use crate::AppState;
use crate::auth::Caller;
use crate::json::{Body, Csv, nullable};
use crate::problem::{ApiError, Problem};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use conference::ids::UserId;
use conference::services::users_admin::{
    CreatedUser, EnrolLink, NewUser, TEMPLATE, UploadReport, UserChange, UserDetail,
};
use conference::vocabulary::TenantRole;
use serde::Deserialize;
use utoipa::ToSchema;

/// Somebody to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"first": "Nia", "last": "North", "email": "nia@acme.test", "role": "user", "extension": "120"}))]
pub(crate) struct NewUserRequest {
    /// First name.
    first: String,
    /// Last name.
    #[serde(default)]
    last: String,
    /// Where invitations go; also the login unless another one is given.
    email: Option<String>,
    /// What is typed at login.
    login: Option<String>,
    /// An outside phone number, for those who have no address.
    phone: Option<String>,
    /// Rights in the tenant.
    role: TenantRole,
    /// 2 to 6 digits, unique in the tenant, no emergency number.
    extension: Option<String>,
    /// The area code of seven-digit numbers this user types.
    area_code: Option<String>,
    /// The tenant's own identifier, such as a staff number.
    id: Option<String>,
}

/// What is to change; null takes a value away.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"role": "session_admin", "extension": null}))]
pub(crate) struct ChangeUserRequest {
    /// First name.
    first: Option<String>,
    /// Last name.
    last: Option<String>,
    /// The name shown; follows first and last name unless it is given.
    display_name: Option<String>,
    /// Rights in the tenant.
    role: Option<TenantRole>,
    /// Whether the user may do anything: false ends logins, registrations and calls at once.
    enabled: Option<bool>,
    /// Extension.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    extension: Option<Option<String>>,
    /// Area code.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    area_code: Option<Option<String>>,
    /// The tenant's own identifier.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    id: Option<Option<String>>,
}

/// Adds a user. The link in the answer, shown this once, is how they choose a password.
#[utoipa::path(post, path = "/v1/users", tag = "users", request_body = NewUserRequest, responses(
    (status = 201, body = CreatedUser),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Body(request): Body<NewUserRequest>,
) -> Result<(StatusCode, Json<CreatedUser>), ApiError> {
    let new = NewUser {
        first: request.first,
        last: request.last,
        mail: request.email,
        login: request.login,
        phone: request.phone,
        role: request.role,
        extension: request.extension,
        area_code: request.area_code,
        generic_id: request.id,
    };
    Ok((StatusCode::CREATED, Json(state.services.create_user(&caller.actor, new).await?)))
}

/// One user; with the account for tenant admins and about oneself.
#[utoipa::path(get, path = "/v1/users/{user}", tag = "users",
    params(("user" = String, Path, description = "The user")), responses(
    (status = 200, body = UserDetail),
    (status = 401, body = Problem),
    (status = 403, description = "Guests see nobody but themselves", body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn show(
    State(state): State<AppState>,
    caller: Caller,
    Path(user): Path<String>,
) -> Result<Json<UserDetail>, ApiError> {
    Ok(Json(state.services.user_account(&caller.actor, &UserId::new(user)).await?))
}

/// Changes a user.
#[utoipa::path(patch, path = "/v1/users/{user}", tag = "users",
    params(("user" = String, Path, description = "The user")), request_body = ChangeUserRequest, responses(
    (status = 200, body = UserDetail),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "Nobody would be left to administer the tenant", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn change(
    State(state): State<AppState>,
    caller: Caller,
    Path(user): Path<String>,
    Body(request): Body<ChangeUserRequest>,
) -> Result<Json<UserDetail>, ApiError> {
    let change = UserChange {
        first: request.first,
        last: request.last,
        display_name: request.display_name,
        role: request.role,
        enabled: request.enabled,
        extension: request.extension,
        area_code: request.area_code,
        generic_id: request.id,
    };
    Ok(Json(state.services.change_user(&caller.actor, &UserId::new(user), change).await?))
}

/// A new enrolment link for a user who lost theirs, or their password. Earlier ones no longer work.
#[utoipa::path(post, path = "/v1/users/{user}/enrol-link", tag = "users",
    params(("user" = String, Path, description = "The user")), responses(
    (status = 201, body = EnrolLink),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "The user is disabled", body = Problem),
))]
pub(crate) async fn renew_enrolment(
    State(state): State<AppState>,
    caller: Caller,
    Path(user): Path<String>,
) -> Result<(StatusCode, Json<EnrolLink>), ApiError> {
    let link = state.services.renew_enrolment(&caller.actor, &UserId::new(user)).await?;
    Ok((StatusCode::CREATED, Json(link)))
}

/// Adds the users of a CSV file, at most 2 MiB and 10,000 rows. A row that cannot be taken is named by its line; the
/// others go in.
#[utoipa::path(post, path = "/v1/users/upload", tag = "users",
    request_body(content = String, content_type = "text/csv", description = "In the form of the template",
        example = "First name,Last name,E-mail,Role,ID,Extension\r\nNia,North,nia@acme.test,User,,120\r\n"), responses(
    (status = 200, body = UploadReport),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 413, description = "Too large", body = Problem),
    (status = 415, description = "Not text/csv", body = Problem),
    (status = 422, description = "Not of the template's form", body = Problem),
))]
pub(crate) async fn upload(
    State(state): State<AppState>,
    caller: Caller,
    Csv(file): Csv,
) -> Result<Json<UploadReport>, ApiError> {
    Ok(Json(state.services.upload_users(&caller.actor, &file).await?))
}

/// The file to fill in for an upload.
#[utoipa::path(get, path = "/v1/users/template.csv", tag = "users", responses(
    (status = 200, body = String, content_type = "text/csv"),
    (status = 401, body = Problem),
    (status = 403, description = "The token came from a join link", body = Problem),
))]
pub(crate) async fn template(caller: Caller) -> Result<Response, ApiError> {
    caller.actor.user()?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"users.csv\""),
    ];
    Ok((headers, TEMPLATE).into_response())
}
