//! What every fuzz target asks of a parser: that no bytes make it panic, and that what it accepted means the same after it
//! has been written and read again. One function a target; the fuzzer only finds the bytes.

mod dialog;
#[cfg(feature = "media")]
mod media;
mod sip;

pub use dialog::sip_dialog;
#[cfg(feature = "media")]
pub use media::{media_ports, sdp};
pub use sip::{sip_body, sip_digest, sip_framing, sip_headers, sip_message, sip_uri};
