//! A small SIP user agent for loopback, on `rsip` messages: enough to be a phone, a trunk peer and a registrar.
//!
//! | module | what it is |
//! |---|---|
//! | [`message`] | header values, name-addr, building requests and responses |
//! | [`digest`] | digest client and server, MD5 |
//! | [`sdp`] | the few SDP lines a phone needs |
//! | [`endpoint`] | one UDP socket: retransmission and matching |
//! | [`steps`] | what a callee does, step by step |
//! | [`call`] | one call, incoming or outgoing, with its RTP leg |
//! | [`agent`] | everything behind one endpoint: calls, registration, counters |

pub mod agent;
pub mod call;
pub mod digest;
pub mod endpoint;
mod incoming;
pub mod message;
mod outgoing;
pub mod sdp;
pub mod steps;
