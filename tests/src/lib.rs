//! The lab of Partyline: a carrier in a box, phones that register, ears and headless web participants.
//!
//! Nothing here uses the product's own SIP or media code. Messages are read and written by `rsip`, packets by `rtp`,
//! the browser side by `webrtc`, so that a fault of the product cannot cancel itself out.
//!
//! | module | what it is |
//! |---|---|
//! | [`tone`] | the tones the lab knows, a generator and a Goertzel meter |
//! | [`voice`] | what an endpoint says: a tone, a sequence of tones, or nothing, changed while it runs |
//! | [`ear`] | what an endpoint hears: which known tones, how loud, since when |
//! | [`g711`] | PCMU and PCMA |
//! | [`rtp_leg`] | an RTP endpoint with a voice and an ear, and RFC 4733 keys |
//! | [`sip`] | a small SIP user agent for loopback |
//! | [`phone`], [`carrier`] | the two users of it |
//! | [`script`] | who can be called, and what each callee does, as a text |
//! | [`participant`] | a web participant without a browser |
//! | [`api`] | the REST and event client |
//! | [`mail_sink`], [`webhook_sink`] | a mail server and a webhook receiver that keep what they get and fail on demand |
//! | [`gateway`] | starts and stops the program under test |
//! | [`sipp`], [`baresip`], [`linphone`], [`kamailio`], [`browser`] | foreign peers |
//! | [`sipp_script`] | SIPp scenarios out of callee scripts |
//! | [`flood`] | hostile floods with honest clients beside them, and avalanches of registrations |
//! | [`postgres`], [`slow_link`] | a private PostgreSQL, and a slow way to it |
//! | [`report`] | tables |
//! | [`stage`], [`delay`] | a whole house to test in, and mouth-to-ear measurement |
//! | [`demo`] | the guided demonstration |
//! | [`mod@bench`] | the bench of the API |
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "test equipment: signal arithmetic on bounded values; a fault here fails a test, not a call"
)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::float_cmp, reason = "tests")
)]

pub mod api;
pub mod baresip;
pub mod bench;
pub mod browser;
pub mod carrier;
pub mod delay;
pub mod demo;
pub mod ear;
pub mod error;
pub mod flood;
pub mod g711;
pub mod gateway;
pub mod kamailio;
pub mod linphone;
pub mod mail_sink;
pub mod participant;
pub mod phone;
pub mod postgres;
pub mod report;
pub mod rtp_leg;
pub mod script;
pub mod shared;
pub mod sip;
pub mod sipp;
pub mod sipp_script;
pub mod slow_link;
pub mod stage;
pub mod tone;
pub mod voice;
pub mod webhook_sink;
pub mod ws_phone;
