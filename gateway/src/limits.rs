//! What the operating system allows: every phone leg and every connection is a file descriptor.

use crate::config::Config;
use crate::error::StartError;

/// Descriptors kept for the database, HTTP and WebSocket connections, logs.
const FOR_THE_REST: u64 = 1024;

/// Raises the soft limit of open files to the hard one, and refuses to start where even that cannot hold the RTP ports the
/// configuration promises: better now than in the middle of a meeting.
///
/// # Errors
/// [`StartError::OpenFiles`] with what is there and what is needed.
pub(crate) fn check(config: &Config) -> Result<(), StartError> {
    let [first, last] = config.media.rtp_ports;
    // Every second port carries RTCP where it is not multiplexed, so a leg needs at most one descriptor a port.
    let needed = u64::from(last.saturating_sub(first)) + 1 + FOR_THE_REST;
    let (_, hard) = rlimit::Resource::NOFILE.get()?;
    let allowed = rlimit::increase_nofile_limit(hard)?;
    if allowed < needed {
        return Err(StartError::OpenFiles { allowed, needed });
    }
    tracing::debug!(allowed, needed, "open files");
    Ok(())
}
