//! Sending out: mails and webhook deliveries, at least once, in order where it matters, for as long as it makes sense.
//!
//! What is to be sent is a row, written in the transaction of the act that causes it. A worker per channel takes what is
//! due, hands it to a [`Carrier`] (the gateway has one for SMTP and one for HTTP) and writes down how it went. A process
//! that dies in between leaves the row queued, so it is sent again, with the same Message-ID or event identifier.

pub mod schedule;
pub(crate) mod settle;
mod worker;

pub use schedule::{Outcome, RetryPolicy, Slots};
pub use worker::Channel;

pub use super::invitations::calendar::Method;
use crate::vocabulary::UnixMillis;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long an event is offered to a webhook: 24 hours.
pub(crate) const WEBHOOK_LIFETIME_MS: u64 = 24 * 3600 * 1000;

/// Somebody who writes or gets a mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correspondent {
    /// The name shown.
    pub name: String,
    /// The address; empty if there is none.
    pub address: String,
}

/// A calendar object that goes with a mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// What it asks for.
    pub method: Method,
    /// The object, with CRLF line ends.
    pub text: String,
}

/// A mail, complete but for the sender's address, which belongs to the installation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// With its angle brackets; the same at every attempt.
    pub message_id: String,
    /// When it was written.
    pub date: UnixMillis,
    /// On whose behalf it is sent.
    pub from_name: String,
    /// Where an answer goes.
    pub reply_to: Option<Correspondent>,
    /// Whom it is for.
    pub to: Correspondent,
    /// One line.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// The calendar object, if the meeting has a time.
    pub calendar: Option<Attachment>,
}

/// One event on its way to one webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Where it goes.
    pub url: String,
    /// Its own headers: event, delivery, kind, signature.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: String,
}

/// What a carrier takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parcel {
    /// A mail.
    Mail(Box<Letter>),
    /// An event for a webhook.
    Webhook(Delivery),
}

/// Brings one parcel to its receiver. It must come to an end by itself, within a minute.
#[async_trait]
pub trait Carrier: Send + Sync + 'static {
    /// One attempt.
    async fn deliver(&self, parcel: Parcel) -> Outcome;
}

/// How mail is sent, as far as the services need to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxConfig {
    /// Whether there is a mail server. Without one invitations wait and say so.
    pub mail: bool,
    /// How long a mail is tried.
    pub mail_lifetime: Duration,
    /// How mail is tried again.
    pub mail_retry: RetryPolicy,
    /// How webhook deliveries are tried again.
    pub webhook_retry: RetryPolicy,
    /// How many mails are sent at the same time.
    pub mail_slots: Slots,
    /// How many webhook deliveries run at the same time.
    pub webhook_slots: Slots,
    /// How long what was sent stays on record.
    pub kept: Duration,
}

impl Default for OutboxConfig {
    fn default() -> Self {
        Self {
            mail: false,
            mail_lifetime: Duration::from_secs(5 * 24 * 3600),
            mail_retry: RetryPolicy { first: Duration::from_secs(5), longest: Duration::from_secs(1800) },
            webhook_retry: RetryPolicy { first: Duration::from_secs(1), longest: Duration::from_secs(3600) },
            mail_slots: Slots { total: 4, each: 4 },
            webhook_slots: Slots { total: 64, each: 4 },
            kept: Duration::from_secs(30 * 24 * 3600),
        }
    }
}
