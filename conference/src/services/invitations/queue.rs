//! Putting mails into the outbox, within the transaction of the act they tell of.

use super::calendar::When;
use super::letters::{self, DigestEntry, Notice, Occasion};
use super::{NO_ADDRESS, time_zone};
use crate::ids::UserId;
use crate::live::event::PublicEvent;
use crate::services::Services;
use crate::services::accounts::later;
use crate::services::actor::UserActor;
use crate::services::error::ServiceError;
use crate::services::join_info::JoinFacts;
use crate::services::outbox::Correspondent;
use crate::services::outbox::settle::invitation_event;
use crate::services::views::{InvitationStatus, InviteState};
use crate::store::{
    Connection, Identity, InvitationRow, MeetingRow, NewParcel, OutgoingEvent, PersonRow, Store, TenantRow,
};
use crate::vocabulary::{Access, UnixMillis};

/// Everything mails wait for: one destination, one mail server.
const MAIL: &str = "mail";
/// How long a meeting is in calendars if nobody said so.
const DEFAULT_MINUTES: u64 = 60;

/// What the mails of one meeting share.
pub(crate) struct Post {
    meeting: MeetingRow,
    tenant: TenantRow,
    sender: Correspondent,
    when: Option<When>,
    join: JoinFacts,
}

/// What is to be said when the transaction is through.
#[derive(Debug, Default)]
pub(crate) struct Told(Vec<PublicEvent>);

impl Told {
    /// These events.
    pub(crate) fn of(events: impl IntoIterator<Item = PublicEvent>) -> Self {
        Self(events.into_iter().collect())
    }

    /// These, and then those.
    pub(crate) fn and(mut self, after: Self) -> Self {
        self.0.extend(after.0);
        self
    }
}

/// Why somebody is sent a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Press {
    /// NEXT or SEND INVITE: once per person and meeting.
    Invite,
    /// Resend: once more.
    Resend,
    /// The meeting has changed: those who know of it are told.
    Update,
}

impl Services {
    /// Gathers what the mails of a meeting share: sent on behalf of `sender`, or of the owner.
    pub(crate) async fn post(
        &self,
        connection: &mut Connection,
        meeting: &MeetingRow,
        sender: Option<&UserId>,
    ) -> Result<Post, ServiceError> {
        let tenant = Store::tenant_within(connection, &meeting.tenant).await?;
        let tenant = tenant.ok_or_else(|| ServiceError::internal("a meeting without tenant"))?;
        let name = match sender.or(meeting.owner.as_ref()) {
            Some(user) => Store::display_name(connection, &tenant.id, user).await?.map(|name| (user, name)),
            None => None,
        };
        let sender = match name {
            Some((user, name)) => {
                let address = Store::invitation_address(connection, &tenant.id, user).await?;
                Correspondent { name, address: address.unwrap_or_default() }
            }
            None => Correspondent { name: tenant.name.clone(), address: String::new() },
        };
        let join = self.join_facts(connection, meeting, &tenant).await?;
        Ok(Post { when: when(meeting), join, meeting: meeting.clone(), tenant, sender })
    }

    /// Where a person's invitation goes at this moment: the profile's address of a user (A23, A24), the typed one of
    /// others (A25), none for numbers (A26) and for phone addresses (decision 9 of the mission).
    async fn address_of(
        &self,
        connection: &mut Connection,
        tenant: &TenantRow,
        person: &PersonRow,
    ) -> Result<Option<String>, ServiceError> {
        let address = match &person.identity {
            Identity::User(user) => Store::invitation_address(connection, &tenant.id, user).await?,
            Identity::Mail(mail) => Some(mail.clone()),
            Identity::Number(_) | Identity::Guest => None,
        };
        Ok(address.filter(|address| !is_phone_address(address, tenant)))
    }

    /// Queues a mail about the meeting to one person, unless they have had theirs (A21).
    pub(crate) async fn queue_invitation(
        &self,
        connection: &mut Connection,
        post: &Post,
        person: &PersonRow,
        press: Press,
        told: &mut Told,
    ) -> Result<InviteState, ServiceError> {
        let now = self.now();
        let known = Store::invitation_of(connection, &person.id).await?;
        let address = self.address_of(connection, &post.tenant, person).await?;
        let mut row = known.clone().unwrap_or_else(|| self.new_invitation(person, now));
        let has_one =
            matches!(row.status, InvitationStatus::Queued | InvitationStatus::Sent) && known.is_some();
        let knows = has_one || row.status == InvitationStatus::Failed;
        match press {
            Press::Invite if has_one => return Ok(InviteState::AlreadyInvited),
            Press::Update if !knows => return Ok(InviteState::NoAddress),
            Press::Invite | Press::Resend | Press::Update => {}
        }
        let Some(address) = address else {
            row.address = None;
            row.status = InvitationStatus::NoAddress;
            row.error = Some(NO_ADDRESS.to_owned());
            Store::put_invitation(connection, &row, now).await?;
            return Ok(InviteState::NoAddress);
        };
        // What nobody has seen yet is replaced, not followed. A reminder of the old time is worse than none.
        Store::take_back_reminders(connection, &row.id, now).await?;
        let unseen = Store::supersede_parcels(connection, &row.id, now).await? > 0;
        let again = press == Press::Update || row.status == InvitationStatus::Cancelled;
        if again {
            row.sequence = (row.sequence + 1).max(post.meeting.ics_sequence);
            (row.rsvp, row.rsvp_at, row.reminded_at) = (None, None, None);
        }
        let first = unseen && row.sent_at.is_none();
        let occasion = match press {
            Press::Update if !first => Occasion::Update,
            Press::Update | Press::Invite | Press::Resend => Occasion::Invitation,
        };
        row.address = Some(address);
        row.status = InvitationStatus::Queued;
        row.error = None;
        row.queued_at = now;
        Store::put_invitation(connection, &row, now).await?;
        self.queue_notice(connection, post, person, &row, occasion).await?;
        let event = invitation_event("invitation.queued", &row, InvitationStatus::Queued, None, now);
        told.0.push(self.record_event(connection, event).await?);
        Ok(if self.config.outbox.mail { InviteState::Queued } else { InviteState::NotSent })
    }

    fn new_invitation(&self, person: &PersonRow, now: UnixMillis) -> InvitationRow {
        InvitationRow {
            id: self.random_id('i'),
            tenant: person.tenant.clone(),
            meeting: person.meeting.clone(),
            person: person.id.clone(),
            address: None,
            status: InvitationStatus::NoAddress,
            sequence: 0,
            error: None,
            rsvp: None,
            rsvp_at: None,
            reminded_at: None,
            queued_at: now,
            sent_at: None,
        }
    }

    /// Time or title have changed: everybody who was invited is told, with a raised SEQUENCE (I10).
    pub(crate) async fn queue_update(
        &self,
        connection: &mut Connection,
        post: &Post,
    ) -> Result<Told, ServiceError> {
        let mut told = Told::default();
        for person in Store::people_within(connection, &post.meeting.tenant, &post.meeting.id).await? {
            if person.removed_at.is_none() {
                self.queue_invitation(connection, post, &person, Press::Update, &mut told).await?;
            }
        }
        Ok(told)
    }

    /// The meeting will not take place: everybody who was invited is told (I10).
    pub(crate) async fn queue_cancel(
        &self,
        connection: &mut Connection,
        post: &Post,
    ) -> Result<(), ServiceError> {
        for person in Store::people_within(connection, &post.meeting.tenant, &post.meeting.id).await? {
            if person.removed_at.is_none() {
                self.queue_cancellation(connection, post, &person, Occasion::Cancellation).await?;
            }
        }
        Ok(())
    }

    /// One person has been removed: they alone are told (I10). Whoever was not sent anything yet is sent nothing (A18).
    pub(crate) async fn queue_removal(
        &self,
        connection: &mut Connection,
        post: &Post,
        person: &PersonRow,
    ) -> Result<(), ServiceError> {
        self.queue_cancellation(connection, post, person, Occasion::Removal).await
    }

    async fn queue_cancellation(
        &self,
        connection: &mut Connection,
        post: &Post,
        person: &PersonRow,
        occasion: Occasion,
    ) -> Result<(), ServiceError> {
        let now = self.now();
        let Some(mut row) = Store::invitation_of(connection, &person.id).await? else { return Ok(()) };
        if row.status == InvitationStatus::Cancelled {
            return Ok(());
        }
        let before = row.clone();
        Store::take_back_reminders(connection, &row.id, now).await?;
        let unseen = Store::supersede_parcels(connection, &row.id, now).await? > 0;
        row.status = InvitationStatus::Cancelled;
        row.error = None;
        row.sequence += 1;
        Store::put_invitation(connection, &row, now).await?;
        let knows = before.sent_at.is_some() || (before.status == InvitationStatus::Queued && !unseen);
        if knows && row.address.is_some() {
            self.queue_notice(connection, post, person, &row, occasion).await?;
        }
        Ok(())
    }

    /// Reminds one person of a meeting that starts soon (I18).
    pub(crate) async fn queue_reminder(
        &self,
        connection: &mut Connection,
        post: &Post,
        person: &PersonRow,
        row: &InvitationRow,
    ) -> Result<(), ServiceError> {
        let now = self.now();
        let row = InvitationRow { reminded_at: Some(now), ..row.clone() };
        Store::put_invitation(connection, &row, now).await?;
        self.queue_notice(connection, post, person, &row, Occasion::Reminder).await
    }

    async fn queue_notice(
        &self,
        connection: &mut Connection,
        post: &Post,
        person: &PersonRow,
        row: &InvitationRow,
        occasion: Occasion,
    ) -> Result<(), ServiceError> {
        let now = self.now();
        let id = self.random_id('o');
        let link = self.link(person.id.as_str());
        let details = self.details(post, &link);
        let own = || letters::uid(post.meeting.id.as_str(), &post.tenant.domain);
        let uid = post.meeting.ics_uid.clone().unwrap_or_else(own);
        let address = row.address.clone().unwrap_or_default();
        let to = Correspondent { name: person.display_name.clone(), address: address.clone() };
        let letter = letters::notice(&Notice {
            occasion,
            id: &id,
            domain: &post.tenant.domain,
            at: now,
            uid: &uid,
            title: &post.meeting.title,
            when: post.when.as_ref(),
            sequence: row.sequence,
            sender: &post.sender,
            to: &to,
            role: person.role,
            access: person.access,
            link: &link,
            details: &details,
            rsvp: &self.rsvp_link(&row.id),
            replies: self.reply_address(&row.id).as_deref(),
        });
        let soon = post.when.as_ref().filter(|_| occasion == Occasion::Reminder).map(|when| when.start);
        let parcel = NewParcel {
            id,
            tenant: &post.tenant.id,
            channel: "mail",
            destination: MAIL,
            lane: row.id.clone(),
            subject: if occasion == Occasion::Reminder { "" } else { &row.id },
            kind: occasion.kind(),
            meeting: Some(&post.meeting.id),
            recipient: &address,
            payload: self.sealed(&letter)?,
            expires_at: soon.unwrap_or_else(|| later(now, self.config.outbox.mail_lifetime)),
            at: now,
        };
        self.store.insert_parcel(connection, &parcel).await?;
        Ok(())
    }

    fn sealed(&self, letter: &crate::services::outbox::Letter) -> Result<String, ServiceError> {
        let text =
            serde_json::to_string(letter).map_err(|error| ServiceError::internal(error.to_string()))?;
        Ok(self.vault.seal(&text))
    }

    /// The join information with somebody's own link in it.
    fn details(&self, post: &Post, link: &str) -> String {
        post.join.text(&post.meeting, link)
    }

    /// One mail for all the meetings a user was added to at once (B26). `people` are the user's rows in them.
    pub(crate) async fn queue_digest(
        &self,
        connection: &mut Connection,
        sender: &UserActor,
        tenant: &TenantRow,
        sessions: &[(MeetingRow, PersonRow)],
        access: Access,
    ) -> Result<Told, ServiceError> {
        let mut told = Told::default();
        let Some((_, person)) = sessions.first() else { return Ok(told) };
        let now = self.now();
        let address = self.address_of(connection, tenant, person).await?;
        let mut entries = Vec::with_capacity(sessions.len());
        let mut subjects = Vec::with_capacity(sessions.len());
        for (meeting, person) in sessions {
            let known = Store::invitation_of(connection, &person.id).await?;
            let mut row = known.unwrap_or_else(|| self.new_invitation(person, now));
            row.sequence += i64::from(row.status == InvitationStatus::Cancelled);
            row.address.clone_from(&address);
            row.error = address.is_none().then(|| NO_ADDRESS.to_owned());
            row.status =
                if address.is_some() { InvitationStatus::Queued } else { InvitationStatus::NoAddress };
            row.queued_at = now;
            Store::put_invitation(connection, &row, now).await?;
            let event = invitation_event("invitation.queued", &row, row.status, None, now);
            told.0.push(self.record_event(connection, event).await?);
            subjects.push(row.id);
            let link = self.link(person.id.as_str());
            let details = self.join_facts(connection, meeting, tenant).await?.text(meeting, &link);
            entries.push(DigestEntry { title: meeting.title.clone(), when: when(meeting), link, details });
        }
        let Some(address) = address else { return Ok(told) };
        let from = Store::invitation_address(connection, &tenant.id, &sender.user).await?;
        let from = Correspondent { name: sender.display_name.clone(), address: from.unwrap_or_default() };
        let to = Correspondent { name: person.display_name.clone(), address: address.clone() };
        let id = self.random_id('o');
        let letter = letters::digest((&id, &tenant.domain, now), &from, &to, access, &entries);
        let parcel = NewParcel {
            id,
            tenant: &tenant.id,
            channel: "mail",
            destination: MAIL,
            lane: format!("digest {address}"),
            subject: &subjects.join(" "),
            kind: "digest",
            meeting: None,
            recipient: &address,
            payload: self.sealed(&letter)?,
            expires_at: later(now, self.config.outbox.mail_lifetime),
            at: now,
        };
        self.store.insert_parcel(connection, &parcel).await?;
        Ok(told)
    }

    /// Writes an event down for the webhooks; gives it back to be published when the transaction is through.
    pub(crate) async fn record_event(
        &self,
        connection: &mut Connection,
        event: PublicEvent,
    ) -> Result<PublicEvent, ServiceError> {
        let outgoing = OutgoingEvent {
            tenant: &event.tenant,
            meeting: event.meeting.as_ref(),
            kind: event.kind,
            at: event.at,
            data: event.data.clone(),
        };
        self.store.queue_event(connection, &outgoing).await?;
        Ok(event)
    }

    /// Tells those who watch, now that it is written.
    pub(crate) fn tell(&self, told: Told) {
        for event in told.0 {
            self.publish(event);
        }
    }
}

impl Post {
    /// The same about one run of the meeting.
    pub(crate) fn of_run(self, start: UnixMillis, end: UnixMillis) -> Self {
        let zone = named_zone(&self.meeting).and_then(|name| time_zone::zone(name, start, end));
        Self { when: Some(When { start, end, rule: None, zone }), ..self }
    }
}

/// When a meeting is; none for one without a time, which gets no calendar object: an event "now" would be over before it is
/// read, and one without an end would fill every day.
fn when(meeting: &MeetingRow) -> Option<When> {
    let start = meeting.plan.start?;
    let minutes = meeting.plan.duration_minutes.and_then(|minutes| u64::try_from(minutes).ok());
    let length = minutes.unwrap_or(DEFAULT_MINUTES).saturating_mul(60_000);
    let end = UnixMillis(start.0.saturating_add(length));
    let zone = named_zone(meeting).and_then(|name| time_zone::zone(name, start, end));
    Some(When { start, end, rule: meeting.plan.rrule.clone(), zone })
}

/// The time zone that calendars have to be told of.
fn named_zone(meeting: &MeetingRow) -> Option<&str> {
    meeting.plan.time_zone.as_deref().filter(|name| !matches!(*name, "UTC" | "Etc/UTC"))
}

/// Whether this is a phone number in the clothes of an address: `2025550177@collaborate.example`.
pub(crate) fn is_phone_address(address: &str, tenant: &TenantRow) -> bool {
    let domain = address.rsplit_once('@').map(|(_, domain)| domain);
    match (domain, tenant.phone_address_domain.as_deref()) {
        (Some(domain), Some(phones)) => domain.eq_ignore_ascii_case(phones),
        _ => false,
    }
}
