//! Media as pure logic: it is handed datagrams and the time, and hands back datagrams and events.
//!
//! [`worker::Worker`] is what a media thread drives; everything else is what a worker is made of, usable and
//! tested on its own. Nothing here opens a socket, starts a thread, reads a clock or draws global randomness.
//! The one exception are the WebRTC implementation behind [`webrtc::WebrtcPeer`] and the DTLS of phones, which draw
//! their own keys.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        clippy::float_cmp,
        clippy::wildcard_enum_match_arm,
        clippy::disallowed_methods,
        reason = "tests"
    )
)]

pub mod answer;
mod bursts;
pub mod codec;
pub mod conceal;
pub mod dtls;
pub mod dtmf;
pub mod ice;
pub mod jitter;
pub mod level;
pub mod loudness;
pub mod mixer;
pub mod noise;
pub mod pitch;
pub mod prompt;
pub mod quality;
pub mod resample;
pub mod rtcp;
pub mod rtp;
pub mod sample;
pub mod sdp;
pub mod shorten;
pub mod speaker;
pub mod srtp;
pub mod suppress;
pub mod tone;
pub mod webrtc;
pub mod worker;
