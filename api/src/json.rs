//! Request bodies and queries, with errors that name the field.

use crate::problem::ApiError;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use serde::de::DeserializeOwned;

/// A JSON request body. Syntax errors are 400, wrong or unknown fields 422 with the field's name.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !is_json(&request) {
            return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is not marked as JSON")
                .mend("Send the header Content-Type: application/json"));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| refused(&rejection))?;
        // A list would be read as the fields in their order, which no route means.
        if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
            return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "The body is a list")
                .mend("Send one JSON object"));
        }
        let mut reader = serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let path = error.path().to_string();
            explain(error.inner(), &path)
        })?;
        reader.end().map_err(|error| explain(&error, "."))?;
        Ok(Self(value))
    }
}

/// The largest CSV file taken.
const CSV_MAX: usize = 2 * 1024 * 1024;

/// A CSV file as request body.
pub(crate) struct Csv(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for Csv {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        if !is_type(&request, "text/csv") {
            return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is not marked as CSV")
                .mend("Send the header Content-Type: text/csv"));
        }
        axum::body::to_bytes(request.into_body(), CSV_MAX).await.map(Self).map_err(|_| {
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "The file is too large")
                .mend(format!("Send at most {} MiB; split larger files", CSV_MAX / (1024 * 1024)))
        })
    }
}

/// The largest mail taken: reports and answers are small, unless they bring the whole mail back.
const MAIL_MAX: usize = 1024 * 1024;

/// A mail as request body.
pub(crate) struct Rfc822(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for Rfc822 {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        if !is_type(&request, "message/rfc822") {
            return Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The body is not marked as a mail",
            )
            .mend("Send the header Content-Type: message/rfc822"));
        }
        axum::body::to_bytes(request.into_body(), MAIL_MAX).await.map(Self).map_err(|_| {
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "The mail is too large")
                .mend(format!("Send at most {} MiB", MAIL_MAX / (1024 * 1024)))
        })
    }
}

/// A query string. Wrong or unknown fields are 422.
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = axum::extract::Query::try_from_uri(&parts.uri).map_err(|rejection| {
            let text = rejection.body_text();
            let words =
                text.rsplit_once("query string: ").map_or(text.as_str(), |(_, words)| words).to_owned();
            let error = ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, words.clone());
            match words.split_once(": ").map(|(field, _)| field).or_else(|| quoted(&words)) {
                Some(field) => error.field(field),
                None => error,
            }
        })?;
        Ok(Self(query.0))
    }
}

/// For fields that may be taken away: missing is `None`, null is `Some(None)`.
pub(crate) fn nullable<'de, T: serde::Deserialize<'de>, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    serde::Deserialize::deserialize(deserializer).map(Some)
}

/// The key by which a request that comes twice is known. What is no text is no key either; the service says so.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Option<&str> {
    headers.get("idempotency-key").map(|value| value.to_str().unwrap_or_default())
}

fn is_json(request: &Request) -> bool {
    is_type(request, "application/json")
}

fn is_type(request: &Request, wanted: &str) -> bool {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(wanted)
}

fn refused(rejection: &BytesRejection) -> ApiError {
    let status = rejection.status();
    let error = ApiError::new(status, "The body could not be read");
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        return ApiError::new(status, "The body is too large")
            .mend(format!("Send at most {} KiB", crate::BODY_MAX / 1024));
    }
    error
}

fn explain(error: &serde_json::Error, path: &str) -> ApiError {
    let text = error.to_string();
    let words = text.split(" at line ").next().unwrap_or_default().to_owned();
    if !error.is_data() {
        return ApiError::new(StatusCode::BAD_REQUEST, format!("The body is not JSON: {text}"))
            .mend("Send one JSON object");
    }
    let field = field(&words, path);
    let error = ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, sentence(&words));
    let mend = if words.starts_with("missing field") {
        "Send this field".to_owned()
    } else if words.starts_with("unknown field") {
        "Leave this field out, or check its spelling".to_owned()
    } else {
        "Correct this field".to_owned()
    };
    let error = error.mend(mend);
    match field {
        Some(field) => error.field(field),
        None => error,
    }
}

/// The path of the field at fault. A missing or unknown field is named in the words, and its parent by the path.
fn field(words: &str, path: &str) -> Option<String> {
    let parent = (path != "." && path != "?").then(|| path.trim_end_matches(".?").to_owned());
    let inner = if words.starts_with("missing field") || words.starts_with("unknown field") {
        quoted(words).map(str::to_owned)
    } else {
        None
    };
    match (parent, inner) {
        (Some(parent), Some(inner)) if parent == inner || parent.ends_with(&format!(".{inner}")) => {
            Some(parent)
        }
        (Some(parent), Some(inner)) => Some(format!("{parent}.{inner}")),
        (parent, inner) => parent.or(inner),
    }
}

fn quoted(words: &str) -> Option<&str> {
    words.split('`').nth(1)
}

fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d60_the_field_is_named_wherever_it_stands() {
        for (words, path, expected) in [
            ("missing field `title`", ".", Some("title")),
            ("unknown field `titel`, expected `title`", "titel", Some("titel")),
            ("unknown field `rol`, expected `role`", "people[0]", Some("people[0].rol")),
            ("unknown variant `boss`, expected `host`", "people[0].role", Some("people[0].role")),
            ("invalid type: string", "?", None),
        ] {
            assert_eq!(field(words, path).as_deref(), expected, "{words} at {path}");
        }
    }
}
