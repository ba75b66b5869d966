//! Every limit on what the network may make us hold, in one place.

use std::time::Duration;

use crate::guard::GuardLimits;

/// Bounds on messages and on the state that messages create. All of them are generous for honest peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest message in bytes; more is refused with 513.
    pub message_bytes: usize,
    /// How long a message may take to come over a stream, from its first byte to its last.
    pub message_time: Duration,
    /// Longest start line in bytes; more is refused with 414 (requests) or dropped.
    pub start_line_bytes: usize,
    /// Most header fields in a message; more is refused with 400.
    pub header_count: usize,
    /// Longest single header field in bytes, folding included; more is refused with 400.
    pub header_bytes: usize,
    /// Most Via values in a request; more is refused with 400 (a loop, or an attack on whoever echoes them).
    pub via_count: usize,
    /// Most transactions alive at once, client and server together; beyond it new requests get 503.
    pub transactions: usize,
    /// Most sessions alive at once; beyond it an INVITE gets 503 and a dial-out ends at once.
    pub sessions: usize,
    /// Most subscriptions alive at once, those of transfers included; beyond it new ones get 503.
    pub subscriptions: usize,
    /// Most subscriptions of one device.
    pub subscriptions_per_device: usize,
    /// How long a session lives without a sign of life from its peer, in seconds (RFC 4028); 0 for ever.
    pub session_expires: u32,
    /// The shortest such time a peer may ask for, in seconds; less than 90 counts as 90 (RFC 4028 section 4).
    pub min_session_expires: u32,
    /// What one address may do.
    pub guard: GuardLimits,
    /// Most nonces whose counts are remembered; the oldest is forgotten and becomes stale.
    pub nonces: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 65_535,
            message_time: Duration::from_secs(20),
            start_line_bytes: 4_096,
            header_count: 256,
            header_bytes: 8_192,
            via_count: 70,
            transactions: 50_000,
            sessions: 10_000,
            subscriptions: 10_000,
            subscriptions_per_device: 10,
            session_expires: 1_800,
            min_session_expires: 90,
            guard: GuardLimits::default(),
            nonces: 50_000,
        }
    }
}
