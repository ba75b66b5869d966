//! Keys by which a request that comes twice is known (D39).

use super::error::ServiceError;
use super::meetings::conflict;

/// The longest key taken.
const KEY_MAX: usize = 200;

/// A key must be printable ASCII of bounded length.
pub(super) fn check_key(key: &str) -> Result<&str, ServiceError> {
    let key = key.trim();
    if key.is_empty() || key.len() > KEY_MAX || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ServiceError::invalid("Idempotency-Key", "This is not a key")
            .mend(format!("Send 1 to {KEY_MAX} printable characters without spaces, new for each request")));
    }
    Ok(key)
}

/// The key stands for something else already.
pub(super) fn key_was_used() -> ServiceError {
    ServiceError {
        field: Some("Idempotency-Key".to_owned()),
        ..conflict("This key was used for another request").mend("Use a new key for a new request")
    }
}
