//! Errors as `application/problem+json` (RFC 9457).
//!
//! What the client reads and what the log gets are different fields. A handler's error travels as an extension of the
//! response; [`crate::frame`] adds the request id, writes the body and logs the internal part, once.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use conference::services::{ErrorKind, ServiceError};
use conference::vocabulary::Cause;
use serde::Serialize;

/// When to try again while the database is away.
const RETRY_AFTER_S: u64 = 2;

/// The body of every error.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Problem {
    /// `about:blank`, or `/problems/<reason>` for refusals with a reason from the closed list.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The class of the error in a few words.
    pub(crate) title: &'static str,
    /// The HTTP status.
    pub(crate) status: u16,
    /// What is wrong.
    pub(crate) detail: String,
    /// The field at fault, such as `people[2].role`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    /// Why a call is refused, from the closed list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<Cause>,
    /// What would help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mend: Option<String>,
    /// What to quote when asking for help.
    pub(crate) request_id: String,
}

/// An error on its way out of a handler.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) detail: String,
    pub(crate) field: Option<String>,
    pub(crate) reason: Option<Cause>,
    pub(crate) mend: Option<String>,
    /// For the log alone.
    pub(crate) internal: Option<String>,
    /// Seconds after which trying again makes sense.
    pub(crate) retry_after: Option<u64>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            field: None,
            reason: None,
            mend: None,
            internal: None,
            retry_after: None,
        }
    }

    pub(crate) fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    pub(crate) fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }

    /// The body, with the request it answers.
    pub(crate) fn problem(&self, request_id: &str) -> Problem {
        let reason = self.reason.and_then(|reason| serde_json::to_value(reason).ok());
        let reason_word = reason.as_ref().and_then(serde_json::Value::as_str);
        Problem {
            kind: reason_word.map_or_else(|| "about:blank".to_owned(), |word| format!("/problems/{word}")),
            title: title(self.status),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            field: self.field.clone(),
            reason: self.reason,
            mend: self.mend.clone(),
            request_id: request_id.to_owned(),
        }
    }

    /// The finished response.
    pub(crate) fn render(&self, request_id: &str) -> Response {
        let body = serde_json::to_vec(&self.problem(request_id)).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        let status = match error.kind {
            ErrorKind::Unauthorized => StatusCode::UNAUTHORIZED,
            ErrorKind::Forbidden => StatusCode::FORBIDDEN,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorKind::TooMany => StatusCode::TOO_MANY_REQUESTS,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self {
            status,
            detail: error.detail,
            field: error.field,
            reason: error.cause,
            mend: Some(error.mend).filter(|mend| !mend.is_empty()),
            internal: error.internal,
            retry_after: (status == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_AFTER_S),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The class of an error in a few words.
pub(crate) fn title(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("Error")
}
