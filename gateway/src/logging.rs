//! Where log lines go: standard error, so that standard output holds the ready line alone.

use crate::StartError;
use tracing_subscriber::EnvFilter;

/// Installs the subscriber. `RUST_LOG`, where set, wins over the configured filter.
///
/// # Errors
/// When the filter of `log.filter` cannot be read.
pub fn start(filter: &str) -> Result<(), StartError> {
    let parsed = match std::env::var(EnvFilter::DEFAULT_ENV) {
        Ok(variable) => EnvFilter::try_new(variable),
        Err(_) => EnvFilter::try_new(filter),
    };
    let filter = parsed.map_err(|error| StartError::LogFilter(error.to_string()))?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    Ok(())
}
