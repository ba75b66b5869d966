//! Mail that comes back: delivery reports (I21) and the answers of calendars (I17).
//!
//! A mail server hands such mails to the API. A report names the mail it is about by its Message-ID, which nobody but its
//! recipient has seen; an answer comes to an address that was made for that one invitation.

use super::itip::{self, CalendarReply};
use super::report::{self, Report};
use super::rsvp::Asked;
use crate::ids::TenantId;
use crate::services::actor::Actor;
use crate::services::error::{ErrorKind, ServiceError};
use crate::services::outbox::settle::{invitation_event, shortened};
use crate::services::views::{InboundKind, InboundMail, InvitationStatus};
use crate::services::{Services, records};
use crate::store::secrets::token_hash;
use crate::store::{InvitationRow, OutboxRow, Store, StoreError};
use mail_parser::MessageParser;

/// Characters of an address's proof: 64 bits, in a local part of at most 64 characters (RFC 5321 section 4.5.3.1.1).
const PROOF: usize = 16;

impl Services {
    /// Takes in a mail that has come to the address invitations are sent from, or to one that calendars answer to.
    /// Whatever is of no use is passed over, not refused: nobody reads what a mail server would do about it.
    ///
    /// # Errors
    /// Forbidden for all but tenant admins; invalid for what is no mail.
    pub async fn take_mail(&self, actor: &Actor, raw: &[u8]) -> Result<InboundMail, ServiceError> {
        let admin = records::tenant_admin(actor)?;
        let message = MessageParser::default().parse(raw).filter(|message| !message.headers().is_empty());
        let message = message.ok_or_else(|| {
            ServiceError::invalid("body", "This is not a mail")
                .mend("Send it whole, with its header (RFC 5322)")
        })?;
        // Everything is read before anything is awaited: a mail is not kept.
        let (report, reply) = (report::read(&message), itip::read(&message));
        drop(message);
        match (report, reply) {
            (Some(Report::Failed { parcels, words }), _) => {
                self.not_delivered(&admin.tenant, &parcels, &words).await
            }
            (Some(Report::Other), _) => Ok(ignored("The report tells of no failure")),
            (None, Some(reply)) => self.answered_by_mail(&admin.tenant, &reply).await,
            (None, None) => Ok(ignored("This is neither a delivery report nor the answer of a calendar")),
        }
    }

    async fn not_delivered(
        &self,
        tenant: &TenantId,
        parcels: &[String],
        words: &str,
    ) -> Result<InboundMail, ServiceError> {
        let mut parcel = None;
        for id in parcels {
            parcel = self.store.mail_parcel(tenant, id).await?;
            if parcel.is_some() {
                break;
            }
        }
        let Some(parcel) = parcel else { return Ok(ignored("The report is about no mail of yours")) };
        let words = shortened(&format!("Not delivered: {words}"));
        // A digest is about several invitations, a reminder about the one whose lane it was sent in.
        let about = if parcel.kind == "reminder" { &parcel.lane } else { &parcel.subject };
        let mut first = None;
        for id in about.split_whitespace() {
            let Some(row) = self.store.invitation(id).await?.filter(|row| is_latest(row, &parcel)) else {
                continue;
            };
            self.note_failure(&row, &words).await?;
            first.get_or_insert(row);
        }
        let Some(row) = first else {
            return Ok(ignored("A newer mail was sent since, or the invitation was taken back"));
        };
        let (meeting, person) = (Some(row.meeting), Some(row.person));
        Ok(InboundMail { kind: InboundKind::DeliveryReport, detail: words, meeting, person })
    }

    async fn note_failure(&self, row: &InvitationRow, words: &str) -> Result<(), ServiceError> {
        let (now, failed) = (self.now(), InvitationStatus::Failed);
        let mut transaction = self.store.begin().await?;
        Store::set_invitation_status(&mut transaction, &row.id, failed, Some(words), now).await?;
        let event = invitation_event("invitation.failed", row, failed, Some(words), now);
        let event = self.record_event(&mut transaction, event).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.publish(event);
        Ok(())
    }

    async fn answered_by_mail(
        &self,
        tenant: &TenantId,
        reply: &CalendarReply,
    ) -> Result<InboundMail, ServiceError> {
        let none = || ignored("The answer is to no invitation of yours");
        let Some(id) = self.invitation_of_address(&reply.organiser) else { return Ok(none()) };
        let asked = match self.invited(id).await {
            Ok(asked) => asked,
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(none()),
            Err(error) if error.kind == ErrorKind::Forbidden => return Ok(ignored(&error.detail)),
            Err(error) => return Err(error),
        };
        let Asked { invitation, .. } = &asked;
        if invitation.tenant != *tenant {
            return Ok(none());
        }
        if reply.sequence.is_some_and(|sequence| sequence < invitation.sequence) {
            return Ok(ignored("The answer is to an earlier time of the meeting"));
        }
        if reply.one_run {
            return Ok(ignored("The answer is about one run of the series alone"));
        }
        let (meeting, person) = (Some(invitation.meeting.clone()), Some(invitation.person.clone()));
        let view = self.note_answer(asked, reply.rsvp).await?;
        let detail = format!("The answer of {} is taken down", view.display_name);
        Ok(InboundMail { kind: InboundKind::Reply, detail, meeting, person })
    }

    /// The address calendars answer this invitation to, if the installation has one for answers.
    pub(super) fn reply_address(&self, invitation: &str) -> Option<String> {
        let (local, domain) = self.config.calendar_replies.as_deref()?.rsplit_once('@')?;
        Some(format!("{local}+{invitation}.{}@{domain}", self.reply_proof(invitation)))
    }

    fn reply_proof(&self, invitation: &str) -> String {
        self.links.token(&format!("calendar reply {invitation}")).chars().take(PROOF).collect()
    }

    /// The invitation such an address was made for. Mail servers may have changed its case.
    fn invitation_of_address<'a>(&self, address: &'a str) -> Option<&'a str> {
        let (local, _) = address.rsplit_once('@')?;
        let (id, proof) = local.rsplit_once('+')?.1.split_once('.')?;
        // Hashes are compared, so that the time it takes tells nothing of the proof.
        let known = token_hash(&self.reply_proof(id)) == token_hash(&proof.to_ascii_lowercase());
        known.then_some(id)
    }
}

/// Whether nothing newer was sent to this person since.
fn is_latest(row: &InvitationRow, parcel: &OutboxRow) -> bool {
    match row.status {
        InvitationStatus::Sent | InvitationStatus::Failed => {
            row.sent_at.is_none_or(|sent| parcel.finished_at.is_none_or(|finished| sent <= finished))
        }
        InvitationStatus::Queued
        | InvitationStatus::NoAddress
        | InvitationStatus::Cancelled
        | InvitationStatus::NotSent => false,
    }
}

fn ignored(detail: &str) -> InboundMail {
    InboundMail { kind: InboundKind::Ignored, detail: detail.to_owned(), meeting: None, person: None }
}

#[cfg(test)]
#[path = "inbound_tests.rs"]
mod tests;
