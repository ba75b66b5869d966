//! Answers to invitations, by a signed link. Looking at the link changes nothing: programs that scan mails follow links.

use crate::live::event::PublicEvent;
use crate::services::Services;
use crate::services::error::ServiceError;
use crate::services::outbox::settle::invitation_event;
use crate::services::views::{InvitationStatus, Rsvp, RsvpView};
use crate::store::secrets::token_hash;
use crate::store::{InvitationRow, MeetingRow, PersonRow, Store, StoreError};

/// What a link leads to.
pub(super) struct Asked {
    pub(super) invitation: InvitationRow,
    meeting: MeetingRow,
    person: PersonRow,
}

impl Services {
    /// The link under which an invitation is answered, without the answer.
    pub(crate) fn rsvp_link(&self, invitation: &str) -> String {
        format!("{}/v1/rsvp/{invitation}.{}", self.config.base_url, self.rsvp_proof(invitation))
    }

    fn rsvp_proof(&self, invitation: &str) -> String {
        self.links.token(&format!("rsvp {invitation}"))
    }

    /// What is asked, and what was answered so far.
    ///
    /// # Errors
    /// Not found for a link that is not ours; forbidden for somebody who was removed.
    pub async fn rsvp(&self, token: &str) -> Result<RsvpView, ServiceError> {
        let Asked { invitation, meeting, person } = self.asked(token).await?;
        Ok(RsvpView { title: meeting.title, display_name: person.display_name, rsvp: invitation.rsvp })
    }

    async fn asked(&self, token: &str) -> Result<Asked, ServiceError> {
        let none = || ServiceError::not_found("invitation").mend("Use the link of the latest mail");
        let (id, proof) = token.split_once('.').filter(|_| token.len() < 100).ok_or_else(none)?;
        // Hashes are compared, so that the time it takes tells nothing of the proof.
        if token_hash(proof) != token_hash(&self.rsvp_proof(id)) {
            return Err(none());
        }
        self.invited(id).await
    }

    /// An invitation that can still be answered.
    pub(super) async fn invited(&self, id: &str) -> Result<Asked, ServiceError> {
        let none = || ServiceError::not_found("invitation").mend("Use the link of the latest mail");
        let invitation = self.store.invitation(id).await?.ok_or_else(none)?;
        let meeting = self.store.meeting(&invitation.tenant, &invitation.meeting).await?.ok_or_else(none)?;
        let person = self.store.person(&invitation.tenant, &invitation.meeting, &invitation.person).await?;
        let person = person.ok_or_else(none)?;
        if person.removed_at.is_some() || invitation.status == InvitationStatus::Cancelled {
            return Err(ServiceError::forbidden("This invitation was taken back")
                .mend("Ask the person who invited you"));
        }
        Ok(Asked { invitation, meeting, person })
    }

    /// Takes an answer down; the latest one counts (I17).
    ///
    /// # Errors
    /// As for [`Self::rsvp`].
    pub async fn answer_invitation(&self, token: &str, rsvp: Rsvp) -> Result<RsvpView, ServiceError> {
        let asked = self.asked(token).await?;
        self.note_answer(asked, rsvp).await
    }

    /// The same by whatever way it has come.
    pub(super) async fn note_answer(&self, asked: Asked, rsvp: Rsvp) -> Result<RsvpView, ServiceError> {
        let Asked { mut invitation, meeting, person } = asked;
        let now = self.now();
        invitation.rsvp = Some(rsvp);
        let event = invitation_event("invitation.rsvp", &invitation, invitation.status, None, now);
        let event = PublicEvent {
            data: {
                let mut data = event.data;
                if let Some(fields) = data.as_object_mut() {
                    fields.insert("display_name".to_owned(), person.display_name.clone().into());
                }
                data
            },
            ..event
        };
        let mut transaction = self.store.begin().await?;
        Store::set_rsvp(&mut transaction, &invitation.id, rsvp, now).await?;
        let event = self.record_event(&mut transaction, event).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.publish(event);
        Ok(RsvpView { title: meeting.title, display_name: person.display_name, rsvp: Some(rsvp) })
    }
}
