//! The list of attendees being invited, as a table for one's records (A68 to A77).

use super::Services;
use super::actor::Actor;
use super::csv;
use super::error::ServiceError;
use super::records::iso;
use crate::ids::{MeetingId, PersonId};
use crate::store::{Identity, InvitationRow, PersonRow, UserRow, word_of};
use std::collections::BTreeMap;

/// The columns of A76.
const COLUMNS: [&str; 10] = [
    "Name",
    "Email",
    "Extension",
    "Phone",
    "Role",
    "Access",
    "Invited by",
    "Invited at",
    "Invitation status",
    "Response",
];

/// A table to be saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// What it is to be called.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// What became of a person's invitation, as the table shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InvitationState {
    /// `not sent`, `sent`, `failed` ...
    pub(super) status: String,
    /// `none`, `accepted`, `declined`, `tentative`.
    pub(super) response: String,
}

impl Default for InvitationState {
    fn default() -> Self {
        Self { status: "not sent".to_owned(), response: "none".to_owned() }
    }
}

impl Services {
    /// Everybody on the list of a meeting or room at this moment, one row each (A75); the file's name counts them (A74).
    ///
    /// # Errors
    /// Not found if the asker may not know of the meeting; forbidden for all but Hosts and the tenant's admins.
    pub async fn attendee_list(&self, actor: &Actor, meeting: &MeetingId) -> Result<File, ServiceError> {
        let reach = self.reach(actor, meeting).await?;
        reach.require_moderate()?;
        let people: Vec<&PersonRow> = reach.listed().collect();
        let inviters = people.iter().filter_map(|person| person.invited_by.as_ref());
        let names = self.names(actor.tenant(), inviters).await?;
        let invitations = self.invitation_states(actor, meeting).await?;
        let mut text = String::new();
        csv::row(&mut text, COLUMNS);
        for person in &people {
            let user = match person.user() {
                Some(user) => self.store.any_user(actor.tenant(), user).await?,
                None => None,
            };
            let inviter = person.invited_by.as_ref().and_then(|user| names.get(user));
            let invitation = invitations.get(&person.id).cloned().unwrap_or_default();
            let cells = cells(person, user.as_ref(), inviter, &invitation);
            csv::row(&mut text, cells.iter().map(String::as_str));
        }
        Ok(File { name: format!("Attendees list ({}).csv", people.len()), text })
    }

    /// What became of the invitations of a meeting's people; those without one are absent.
    async fn invitation_states(
        &self,
        actor: &Actor,
        meeting: &MeetingId,
    ) -> Result<BTreeMap<PersonId, InvitationState>, ServiceError> {
        let rows = self.store.invitations(actor.tenant(), meeting).await?;
        let state = |row: InvitationRow| {
            let response = row.rsvp.as_ref().map_or_else(|| "none".to_owned(), word_of);
            (row.person, InvitationState { status: word_of(&row.status).replace('_', " "), response })
        };
        Ok(rows.into_iter().map(state).collect())
    }
}

fn cells(
    person: &PersonRow,
    user: Option<&UserRow>,
    inviter: Option<&String>,
    invitation: &InvitationState,
) -> [String; 10] {
    let (mail, phone) = match &person.identity {
        Identity::User(_) => {
            let phone = user.and_then(|user| user.direct_numbers.first().or_else(|| user.phones.first()));
            (user.and_then(|user| user.mail.clone()), phone.cloned())
        }
        Identity::Mail(mail) => (Some(mail.clone()), None),
        Identity::Number(number) => (None, Some(number.clone())),
        Identity::Guest => (None, None),
    };
    [
        person.display_name.clone(),
        mail.unwrap_or_default(),
        user.and_then(|user| user.extension.clone()).unwrap_or_default(),
        phone.unwrap_or_default(),
        word_of(&person.role),
        word_of(&person.access),
        inviter.cloned().unwrap_or_default(),
        iso(person.created_at),
        invitation.status.clone(),
        invitation.response.clone(),
    ]
}
