//! Meeting invitations: SEND INVITE, resending, and the mails that follow a change, a removal or a deletion.

pub(crate) mod calendar;
mod inbound;
mod itip;
pub(crate) mod letters;
pub(crate) mod queue;
mod report;
mod rsvp;
mod time_zone;

pub(crate) use queue::Told;

use super::actor::Actor;
use super::error::ServiceError;
use super::meetings::{PEOPLE_MAX, conflict};
use super::people::NewPerson;
use super::reach::Reach;
use super::views::{InvitationStatus, InviteAnswer, InviteState, Person};
use super::{Services, input};
use crate::ids::{MeetingId, PersonId};
use crate::store::{Identity, InvitationRow, PersonRow, StoreError};
use queue::Press;

/// What a row says while there is no mail server.
pub(crate) const NO_SERVER: &str = "No mail server is configured";
/// What a row says of somebody without an address (A26).
pub(crate) const NO_ADDRESS: &str = "No e-mail, will not be sent an invitation";

/// A target that has been put on the list, or the reason why not.
enum Row {
    Listed(Box<PersonRow>, InviteState),
    Refused(InviteAnswer),
}

impl Services {
    /// SEND INVITE: puts each target on the list with its role and sends it one mail (A42). Targets are refused one by one.
    ///
    /// # Errors
    /// Forbidden for all but Hosts; invalid for too many targets.
    pub async fn invite(
        &self,
        actor: &Actor,
        meeting: &MeetingId,
        targets: &[NewPerson],
    ) -> Result<Vec<InviteAnswer>, ServiceError> {
        let user = actor.user()?;
        let reach = self.reach(actor, meeting).await?;
        reach.require_invite()?;
        reach.require_created()?;
        input::length("targets", targets.len(), PEOPLE_MAX)?;
        let snapshot = self.live.snapshot(meeting.clone()).await;
        let present = |id: &PersonId| {
            snapshot.iter().any(|snapshot| snapshot.people.iter().any(|p| p.id == *id && p.present))
        };
        let mut invitees = Vec::with_capacity(targets.len());
        for target in targets {
            invitees.push(self.invited_target(user, target).await);
        }
        let mut told = Told::default();
        let mut transaction = self.store.begin().await?;
        let post = self.post(&mut transaction, &reach.meeting, Some(&user.user)).await?;
        let mut rows = Vec::with_capacity(invitees.len());
        for invitee in invitees {
            let invitee = match invitee {
                Ok(invitee) => invitee,
                Err(refused) => {
                    rows.push(Row::Refused(refused));
                    continue;
                }
            };
            let person = self.put_person(&mut transaction, user, &reach, &invitee, "invite").await?;
            let state = match present(&person.id) {
                true => InviteState::AlreadyIn,
                false => {
                    self.queue_invitation(&mut transaction, &post, &person, Press::Invite, &mut told).await?
                }
            };
            rows.push(Row::Listed(Box::new(person), state));
        }
        transaction.commit().await.map_err(StoreError::from)?;
        let mut answers = Vec::with_capacity(rows.len());
        for row in rows {
            answers.push(self.announce_invited(row).await);
        }
        self.tell(told);
        Ok(answers)
    }

    async fn announce_invited(&self, row: Row) -> InviteAnswer {
        let (person, state) = match row {
            Row::Refused(answer) => return answer,
            Row::Listed(person, state) => (person, state),
        };
        self.put_live_person(&person).await;
        self.publish_person("person.added", &person);
        let detail = match state {
            InviteState::AlreadyIn => Some("In the meeting already"),
            InviteState::AlreadyInvited => Some("Invited before; no second mail is sent"),
            InviteState::NoAddress => Some(NO_ADDRESS),
            InviteState::NotSent => Some(NO_SERVER),
            InviteState::Queued | InviteState::Refused => None,
        };
        let mend = match state {
            InviteState::AlreadyInvited => Some("Use resend if the mail was lost"),
            InviteState::NoAddress => Some("Set an invitation address in the profile, or use CALL"),
            InviteState::NotSent => Some("Ask your administrator to set the section [mail]"),
            InviteState::AlreadyIn | InviteState::Queued | InviteState::Refused => None,
        };
        InviteAnswer {
            state,
            person: Some(person.id),
            display: person.display_name,
            detail: detail.map(str::to_owned),
            mend: mend.map(str::to_owned),
        }
    }

    /// Who is meant. INVITE takes names, extensions and addresses; a phone number belongs to CALL (A38).
    async fn invited_target(
        &self,
        user: &super::UserActor,
        target: &NewPerson,
    ) -> Result<super::people::Invitee, InviteAnswer> {
        let typed = || target.email.clone().or_else(|| target.number.clone()).unwrap_or_default();
        let refused = |detail: String, mend: String| InviteAnswer {
            state: InviteState::Refused,
            person: None,
            display: target.name.clone().unwrap_or_else(typed).chars().take(input::NAME_MAX).collect(),
            detail: Some(detail),
            mend: Some(mend).filter(|mend| !mend.is_empty()),
        };
        match self.invitee(user, target).await {
            Ok(invitee) if matches!(invitee.identity, Identity::Number(_)) => Err(refused(
                "A phone number is not sent an invitation".to_owned(),
                "Use the tab CALL to ring it".to_owned(),
            )),
            Ok(invitee) if matches!(&invitee.identity, Identity::User(id) if *id == user.user) => {
                Err(refused("This is you".to_owned(), String::new()))
            }
            Ok(invitee) => Ok(invitee),
            Err(error) => Err(refused(error.detail, error.mend)),
        }
    }

    /// Sends somebody their invitation once more, to the address they have now (I21).
    ///
    /// # Errors
    /// Forbidden for all but Hosts; not found; conflict for somebody without an address.
    pub async fn resend_invitation(
        &self,
        actor: &Actor,
        meeting: &MeetingId,
        person: &PersonId,
    ) -> Result<Person, ServiceError> {
        let user = actor.user()?;
        let reach = self.reach(actor, meeting).await?;
        reach.require_invite()?;
        reach.require_created()?;
        let row = reach.listed().find(|row| row.id == *person).cloned();
        let row = row.ok_or_else(|| ServiceError::not_found("person in this meeting"))?;
        let mut told = Told::default();
        let mut transaction = self.store.begin().await?;
        let post = self.post(&mut transaction, &reach.meeting, Some(&user.user)).await?;
        let state = self.queue_invitation(&mut transaction, &post, &row, Press::Resend, &mut told).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.tell(told);
        if state == InviteState::NoAddress {
            return Err(conflict("There is no address to send an invitation to")
                .mend("Set an invitation address in the profile, or use CALL"));
        }
        let reach = self.reach(actor, meeting).await?;
        let snapshot = self.live.snapshot(meeting.clone()).await;
        let live = snapshot.as_ref().and_then(|snapshot| snapshot.people.iter().find(|p| p.id == *person));
        Ok(self.listed_view(&reach, &row, live))
    }

    /// What Hosts see of an invitation.
    pub(super) fn invitation_view(&self, row: &InvitationRow) -> super::views::Invitation {
        let waiting = row.status == InvitationStatus::Queued && !self.config.outbox.mail;
        super::views::Invitation {
            status: if waiting { InvitationStatus::NotSent } else { row.status },
            sent_at: row.sent_at,
            error: if waiting { Some(NO_SERVER.to_owned()) } else { row.error.clone() },
            rsvp: row.rsvp,
            rsvp_at: row.rsvp_at,
        }
    }

    /// A person of a meeting as the asker may see them.
    pub(super) fn listed_view(
        &self,
        reach: &Reach,
        row: &PersonRow,
        live: Option<&crate::live::focus::PersonView>,
    ) -> Person {
        let mut view = self.seen_person(row, live, reach.sight());
        let invitation = reach.invitations.iter().find(|invitation| invitation.person == row.id);
        view.invitation = invitation.filter(|_| reach.is_host()).map(|row| self.invitation_view(row));
        view
    }
}

#[cfg(test)]
#[allow(clippy::default_trait_access, reason = "tests say what matters")]
mod tests;
