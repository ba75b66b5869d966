//! What invitations of many to many answer with.

use crate::ids::{MeetingId, PersonId, UserId};
use crate::store::{BulkResultRow, BulkRow};
use crate::vocabulary::{Access, UnixMillis};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What became of one pair of user and session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Outcome {
    /// The user now has access.
    Granted,
    /// The user had access, which stays as it is.
    Already,
    /// The address or number is not registered with the company.
    NotRegistered,
    /// The text is no address, number or user.
    NotRecognised,
    /// There is no such session, or none to be known of.
    NoSuchSession,
    /// The session is over or was called off.
    SessionOver,
    /// The list of the session is full.
    SessionFull,
}

/// Whether an order is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum MultiInviteState {
    /// Pairs are still being worked on.
    Running,
    /// Every pair has its result.
    Done,
}

/// Users x sessions, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MultiInvite {
    /// The order.
    pub id: String,
    /// Whether it is done.
    pub state: MultiInviteState,
    /// The access it gives.
    pub access: Access,
    /// How many users, each counted once.
    pub users: u64,
    /// How many sessions, each counted once.
    pub sessions: u64,
    /// How many pairs.
    pub total: u64,
    /// How many of them have their result.
    pub done: u64,
    /// How many results by outcome.
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::HashMap<String, u64>))]
    pub counts: BTreeMap<Outcome, u64>,
    /// When it was ordered, in milliseconds since the Unix epoch.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub created_at: UnixMillis,
    /// When it was done, with every message handed over.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub finished_at: Option<UnixMillis>,
}

pub(super) fn multi_invite(row: &BulkRow) -> MultiInvite {
    let count = |value: i64| u64::try_from(value).unwrap_or(0);
    // Messages may still be on their way when every pair has its result.
    let done = !row.running || row.done >= row.users.saturating_mul(row.sessions);
    MultiInvite {
        id: row.id.clone(),
        state: if done { MultiInviteState::Done } else { MultiInviteState::Running },
        access: row.access,
        users: count(row.users),
        sessions: count(row.sessions),
        total: count(row.users.saturating_mul(row.sessions)),
        done: count(row.done),
        counts: serde_json::from_str(&row.counts).unwrap_or_default(),
        created_at: row.created_at,
        finished_at: row.finished_at,
    }
}

/// The result of one pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PairResult {
    /// The session.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub session: MeetingId,
    /// The entry of the list of users, as it was sent.
    pub target: String,
    /// The user it names.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub user: Option<UserId>,
    /// Who the user is in that session.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub person: Option<PersonId>,
    /// What became of it.
    pub outcome: Outcome,
    /// The same in a sentence.
    pub words: &'static str,
}

impl Outcome {
    /// The plain sentence an admin reads.
    pub fn words(self) -> &'static str {
        match self {
            Self::Granted => "Invited",
            Self::Already => "Already has access",
            Self::NotRegistered => {
                "Not registered with your company: check the spelling, or ask your company's Tenant Admin to add the user"
            }
            Self::NotRecognised => "This is neither a user nor an e-mail address nor a phone number",
            Self::NoSuchSession => "There is no such session",
            Self::SessionOver => "This session is over",
            Self::SessionFull => "The list of this session is full",
        }
    }
}

pub(super) fn pair_result(row: BulkResultRow) -> PairResult {
    let outcome = serde_json::from_value(serde_json::Value::String(row.outcome));
    let outcome = outcome.unwrap_or(Outcome::NotRecognised);
    PairResult {
        session: row.meeting,
        target: row.target,
        user: row.user,
        person: row.person,
        outcome,
        words: outcome.words(),
    }
}
