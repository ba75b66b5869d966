//! Devices: adding, changing, their registration, and what to type into them.
#![expect(unused_qualifications, reason = "utoipa writes them into what it generates")]

use super::numbers::given;
use crate::AppState;
use crate::auth::Caller;
use crate::json::{Body, Params};
use crate::problem::{ApiError, Problem};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use conference::ids::UserId;
use conference::services::devices::{
    DeviceChange, DeviceRecord, NewDevice, NewDeviceRecord, ProvisioningSheet,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A device to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeviceRequest {
    /// The user part of its SIP address; the user's extension with a letter when missing.
    name: Option<String>,
    /// What it is; `desk phone` when missing.
    kind: Option<String>,
    /// What its owner calls it.
    label: Option<String>,
    /// `udp`, `tcp`, `tls`, `wss`.
    transport: Option<String>,
    /// `off`, `optional`, `required`.
    srtp: Option<String>,
    /// Codecs, the best liked first: `opus`, `g722`, `pcmu`, `pcma`; none for those of the house.
    codecs: Option<Vec<String>>,
    /// Whether its voice is brought to one loudness; as the configuration says when missing.
    even_loudness: Option<bool>,
    /// Whether noise is taken out of its voice: for loud places, at a cost in time and 20 ms of delay.
    suppress_noise: Option<bool>,
    /// The beginning of the user agents that may register.
    ua_filter: Option<String>,
}

/// Makes a device. The answer holds its secret, this once: only its digest is kept.
#[utoipa::path(post, path = "/v1/users/{user}/devices", tag = "devices",
    params(("user" = String, Path, description = "Whose it will be")), request_body = DeviceRequest, responses(
    (status = 201, body = NewDeviceRecord),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "The name is taken", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn add(
    State(state): State<AppState>,
    caller: Caller,
    Path(user): Path<String>,
    Body(request): Body<DeviceRequest>,
) -> Result<(StatusCode, Json<NewDeviceRecord>), ApiError> {
    let change = DeviceChange {
        kind: None,
        label: Some(request.label),
        transport: request.transport,
        srtp: request.srtp,
        codecs: request.codecs,
        even_loudness: Some(request.even_loudness),
        suppress_noise: request.suppress_noise,
        ua_filter: Some(request.ua_filter),
        new_secret: false,
    };
    let new = NewDevice { name: request.name, kind: request.kind, change };
    let made = state.services.add_device(&caller.actor, &UserId::new(user), new).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// One device with its registration.
#[utoipa::path(get, path = "/v1/devices/{device}", tag = "devices",
    params(("device" = String, Path, description = "The row's id, or the device's name")), responses(
    (status = 200, body = DeviceRecord),
    (status = 401, body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn show(
    State(state): State<AppState>,
    caller: Caller,
    Path(device): Path<String>,
) -> Result<Json<DeviceRecord>, ApiError> {
    Ok(Json(state.services.device(&caller.actor, &device).await?))
}

/// What is to change. What is left out stays; null takes away.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeviceChangeRequest {
    /// What it is.
    kind: Option<String>,
    /// What its owner calls it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    label: Option<Option<String>>,
    /// `udp`, `tcp`, `tls`, `wss`.
    transport: Option<String>,
    /// `off`, `optional`, `required`.
    srtp: Option<String>,
    /// Codecs, the best liked first: `opus`, `g722`, `pcmu`, `pcma`; none for those of the house.
    codecs: Option<Vec<String>>,
    /// Whether its voice is brought to one loudness; null for what the configuration says.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<bool>)]
    even_loudness: Option<Option<bool>>,
    /// Whether noise is taken out of its voice: for loud places, at a cost in time and 20 ms of delay.
    suppress_noise: Option<bool>,
    /// The beginning of the user agents that may register; null for all.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    ua_filter: Option<Option<String>>,
    /// Makes a new secret: the device must register again with it.
    #[serde(default)]
    new_secret: bool,
}

/// A device after a change.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeviceChanged {
    /// The device.
    device: DeviceRecord,
    /// Its new secret, this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// What to type into the phone, the new secret included.
    #[serde(skip_serializing_if = "Option::is_none")]
    sheet: Option<ProvisioningSheet>,
}

/// Changes a device, or renews its secret.
#[utoipa::path(patch, path = "/v1/devices/{device}", tag = "devices",
    params(("device" = String, Path, description = "The row's id, or the device's name")),
    request_body = DeviceChangeRequest, responses(
    (status = 200, body = DeviceChanged),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 404, body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn change(
    State(state): State<AppState>,
    caller: Caller,
    Path(device): Path<String>,
    Body(request): Body<DeviceChangeRequest>,
) -> Result<Json<DeviceChanged>, ApiError> {
    let change = DeviceChange {
        kind: request.kind,
        label: request.label,
        transport: request.transport,
        srtp: request.srtp,
        codecs: request.codecs,
        even_loudness: request.even_loudness,
        suppress_noise: request.suppress_noise,
        ua_filter: request.ua_filter,
        new_secret: request.new_secret,
    };
    let (device, renewed) = state.services.change_device(&caller.actor, &device, change).await?;
    let (secret, sheet) = renewed.map(|made| (made.secret, made.sheet)).unzip();
    Ok(Json(DeviceChanged { device, secret, sheet }))
}

/// Removes a device.
#[utoipa::path(delete, path = "/v1/devices/{device}", tag = "devices",
    params(("device" = String, Path, description = "The row's id, or the device's name")), responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    Path(device): Path<String>,
) -> Result<StatusCode, ApiError> {
    state.services.remove_device(&caller.actor, &device).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a device's registration; it may register again.
#[utoipa::path(delete, path = "/v1/devices/{device}/registration", tag = "devices",
    params(("device" = String, Path, description = "The row's id, or the device's name")), responses(
    (status = 200, body = DeviceRecord),
    (status = 401, body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn unregister(
    State(state): State<AppState>,
    caller: Caller,
    Path(device): Path<String>,
) -> Result<Json<DeviceRecord>, ApiError> {
    Ok(Json(state.services.end_registration(&caller.actor, &device).await?))
}

/// In which form.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct SheetQuery {
    /// `json` (the default), `text` or `svg`.
    format: Option<String>,
}

/// What to type into the phone: as JSON, as text, or as a QR code. The secret is not among it.
#[utoipa::path(get, path = "/v1/devices/{device}/provisioning", tag = "devices", params(
    ("device" = String, Path, description = "The row's id, or the device's name"), SheetQuery,
), responses(
    (status = 200, body = ProvisioningSheet),
    (status = 401, body = Problem),
    (status = 404, body = Problem),
    (status = 422, description = "Another format", body = Problem),
))]
pub(crate) async fn sheet(
    State(state): State<AppState>,
    caller: Caller,
    Path(device): Path<String>,
    Params(query): Params<SheetQuery>,
) -> Result<Response, ApiError> {
    let sheet = state.services.provisioning_sheet(&caller.actor, &device).await?;
    match query.format.as_deref().unwrap_or("json") {
        "json" => Ok(Json(sheet).into_response()),
        "text" => Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], sheet.text).into_response()),
        "svg" => Ok(([(header::CONTENT_TYPE, "image/svg+xml")], sheet.qr_svg).into_response()),
        _ => Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "There is no such format")
            .field("format")
            .mend("Ask for json, text or svg")),
    }
}
