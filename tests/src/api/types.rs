//! The shapes of the REST interface, as far as the lab reads them. Unknown fields are ignored, so that the interface may
//! grow.

use serde::{Deserialize, Serialize};

/// Answer to a login.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct LoginAnswer {
    pub(super) token: String,
    pub(super) user: Me,
}

/// The user who is logged in.
#[derive(Debug, Clone, Deserialize)]
pub struct Me {
    /// Id.
    pub id: String,
    /// Name as shown.
    pub display_name: String,
    /// The tenant.
    #[serde(default)]
    pub tenant: String,
}

/// List of users.
#[derive(Debug, Clone, Deserialize)]
pub struct Users {
    /// The users.
    pub users: Vec<User>,
}

/// A user as others see them.
#[derive(Debug, Clone, Deserialize)]
pub struct User {
    /// Id.
    pub id: String,
    /// Name as shown.
    pub display_name: String,
    /// Extension.
    #[serde(default)]
    pub extension: Option<String>,
    /// Their devices.
    #[serde(default)]
    pub devices: Vec<Device>,
}

/// A device of a user.
#[derive(Debug, Clone, Deserialize)]
pub struct Device {
    /// Name, such as `103a`.
    pub name: String,
    /// Label, such as `Desk phone 103a`.
    #[serde(default)]
    pub label: String,
    /// Whether it is registered now.
    #[serde(default)]
    pub registered: bool,
}

/// Somebody to put on the PEOPLE list.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PersonToInvite {
    /// A user's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// An outside number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// An address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// A name for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `host`, `presenter` or `attendee`.
    pub role: String,
    /// `collaborate` or `view_only`.
    pub access: String,
}

impl PersonToInvite {
    /// A user with a role.
    pub fn user(id: &str, role: &str) -> Self {
        let access = "collaborate".to_owned();
        Self { user: Some(id.to_owned()), role: role.to_owned(), access, ..Self::default() }
    }
}

/// List of meetings.
#[derive(Debug, Clone, Deserialize)]
pub struct Meetings {
    /// The meetings.
    pub meetings: Vec<Meeting>,
}

/// A meeting.
#[derive(Debug, Clone, Deserialize)]
pub struct Meeting {
    /// Id.
    pub id: String,
    /// The number to dial.
    #[serde(default)]
    pub number: String,
    /// Title.
    #[serde(default)]
    pub title: String,
    /// Its state.
    #[serde(default)]
    pub state: String,
    /// The link for everybody.
    #[serde(default)]
    pub link: String,
    /// The people.
    #[serde(default)]
    pub people: Vec<Person>,
}

impl Meeting {
    /// The first person whose name contains `name`.
    pub fn person(&self, name: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.display_name.contains(name))
    }
}

/// A person in a meeting.
#[derive(Debug, Clone, Deserialize)]
pub struct Person {
    /// Id.
    pub id: String,
    /// Name as shown.
    #[serde(default)]
    pub display_name: String,
    /// Id of the user, if they are one.
    #[serde(default)]
    pub user: Option<String>,
    /// Their number, if they were called by number.
    #[serde(default)]
    pub number: Option<String>,
    /// Meeting role.
    #[serde(default)]
    pub role: String,
    /// Access.
    #[serde(default)]
    pub access: String,
    /// Whether they are in.
    #[serde(default)]
    pub present: bool,
}

/// A target of CALL.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CallTarget {
    /// A user's id, together with `device`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// A device's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// A number as typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// A name for a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `host`, `presenter` or `attendee`.
    pub role: String,
    /// `collaborate` or `view_only`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<String>,
}

impl CallTarget {
    /// One device of a user.
    pub fn device(user: &str, device: &str, role: &str) -> Self {
        Self {
            user: Some(user.to_owned()),
            device: Some(device.to_owned()),
            role: role.to_owned(),
            ..Self::default()
        }
    }

    /// A number as typed.
    pub fn number(number: &str, role: &str) -> Self {
        Self { number: Some(number.to_owned()), role: role.to_owned(), ..Self::default() }
    }

    /// The same with VIEW ONLY.
    #[must_use]
    pub fn view_only(self) -> Self {
        Self { access: Some("view_only".to_owned()), ..self }
    }
}

/// Answer to CALL.
#[derive(Debug, Clone, Deserialize)]
pub struct CallTickets {
    /// One per target, in order.
    pub calls: Vec<CallTicket>,
}

/// What became of one target at once.
#[derive(Debug, Clone, Deserialize)]
pub struct CallTicket {
    /// Id of the call.
    #[serde(default)]
    pub id: String,
    /// `queued` or `refused`.
    pub state: String,
    /// The number in E.164.
    #[serde(default)]
    pub number: Option<String>,
    /// Why it was refused.
    #[serde(default)]
    pub reason: Option<String>,
    /// In words.
    #[serde(default)]
    pub detail: Option<String>,
}

/// List of calls.
#[derive(Debug, Clone, Deserialize)]
pub struct Calls {
    /// The calls.
    pub calls: Vec<Call>,
}

/// A call.
#[derive(Debug, Clone, Deserialize)]
pub struct Call {
    /// Id.
    pub id: String,
    /// State.
    pub state: String,
    /// Cause of the end.
    #[serde(default)]
    pub cause: Option<String>,
    /// The SIP code behind it.
    #[serde(default)]
    pub sip_code: Option<u16>,
}

/// Answer to an offer.
#[derive(Debug, Clone, Deserialize)]
pub struct WebrtcAnswer {
    /// The answer.
    pub sdp: String,
    /// Id of the leg.
    pub leg: u64,
    /// Who joined.
    pub person: Person,
}

/// Answer to a join link.
#[derive(Debug, Clone, Deserialize)]
pub struct JoinAnswer {
    /// A participant's token.
    pub token: String,
    /// The meeting.
    pub meeting: Meeting,
    /// Who one is there.
    pub person: Person,
}

/// `application/problem+json`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// Short name.
    pub title: String,
    /// The status again.
    pub status: u16,
    /// In words.
    pub detail: String,
    /// The field at fault.
    pub field: Option<String>,
    /// How to mend it.
    pub mend: Option<String>,
}
