//! Going through the pairs of an order.

use super::views::{self, Outcome};
use super::{Order, Services};
use crate::ids::{MeetingId, UserId};
use crate::live::event::PublicEvent;
use crate::services::actor::UserActor;
use crate::services::error::ServiceError;
use crate::services::people::{Invitee, LIST_MAX};
use crate::services::pins::TakenPins;
use crate::store::secrets::token_hash;
use crate::store::{
    AuditEntry, BulkResultRow, BulkRow, Connection, Identity, MeetingRow, PersonRow, Store, StoreError,
    UserRow, word,
};
use crate::vocabulary::{MeetingState, Role};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A breath between two transactions: whoever waits to write gets their turn.
const BREATH: Duration = Duration::from_millis(4);
/// Progress is told at most this often.
const PROGRESS_MS: u64 = 200;
/// Orders of more pairs than this tell their progress, and not each invitation.
const TOLD_MAX: i64 = 500;
/// How often a session is tried when somebody else wrote to it at the same time.
const TRIES: u32 = 3;
/// How long a failing database is waited for.
const RETRY: Duration = Duration::from_secs(2);

/// An order on its way.
struct Run {
    bulk: BulkRow,
    order: Order,
    admin: UserActor,
    users: BTreeMap<UserId, UserRow>,
    counts: BTreeMap<Outcome, u64>,
}

/// What one session's pairs came to.
#[derive(Default)]
struct Batch {
    results: Vec<BulkResultRow>,
    granted: Vec<PersonRow>,
}

impl Services {
    /// Goes on with the orders a restart has interrupted.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn resume_multi_invites(self: &Arc<Self>) -> Result<(), ServiceError> {
        for bulk in self.store.unfinished_bulks().await? {
            let Ok(order) = serde_json::from_str::<Order>(&bulk.request) else {
                tracing::error!(bulk.id = %bulk.id, "an interrupted order cannot be read");
                continue;
            };
            let services = Arc::clone(self);
            tokio::spawn(async move { services.run_order(bulk, order).await });
        }
        Ok(())
    }

    /// Works until every pair has its result. A database that fails is tried again: what is done stays done.
    pub(super) async fn run_order(&self, mut bulk: BulkRow, order: Order) {
        loop {
            match self.run_once(&mut bulk, &order).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(bulk.id = %bulk.id, internal = error.internal, "an order waits for the database");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    async fn run_once(&self, bulk: &mut BulkRow, order: &Order) -> Result<(), ServiceError> {
        let targets: Vec<UserId> = order.targets.iter().filter_map(|target| target.user.clone()).collect();
        let users = self.store.users_by_id(&bulk.tenant, &targets).await?;
        let users: BTreeMap<UserId, UserRow> =
            users.into_iter().map(|user| (user.id.clone(), user)).collect();
        let actor = self.store.any_user(&bulk.tenant, &bulk.actor).await?;
        let actor = actor.ok_or_else(|| ServiceError::internal("an order of nobody"))?;
        let admin = UserActor {
            tenant: actor.tenant,
            user: actor.id,
            display_name: actor.display_name,
            role: actor.tenant_role,
        };
        let counts = serde_json::from_str(&bulk.counts).unwrap_or_default();
        let mut run = Run { bulk: bulk.clone(), order: order.clone(), admin, users, counts };
        let done = usize::try_from(run.bulk.done).unwrap_or(0) / run.order.targets.len().max(1);
        let mut told = 0;
        for (index, session) in order.sessions.iter().enumerate().skip(done) {
            self.run_session(&mut run, index, session).await?;
            bulk.clone_from(&run.bulk);
            if self.now().0 >= told + PROGRESS_MS {
                told = self.now().0;
                self.tell_progress("multi_invite.progress", &run.bulk);
            }
            tokio::time::sleep(BREATH).await;
        }
        self.tell_progress("multi_invite.done", &run.bulk);
        self.notify(&mut run, bulk).await?;
        run.bulk.running = false;
        run.bulk.finished_at = Some(self.now());
        let mut transaction = self.store.begin().await?;
        Store::set_bulk_progress(&mut transaction, &run.bulk, self.now()).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        Ok(())
    }

    async fn run_session(
        &self,
        run: &mut Run,
        index: usize,
        session: &MeetingId,
    ) -> Result<(), ServiceError> {
        let meeting = self.store.meeting(&run.bulk.tenant, session).await?;
        // A draft is known to nobody but its author.
        let meeting = meeting.filter(|row| row.state != MeetingState::Draft);
        let mut tries = 0;
        let batch = loop {
            tries += 1;
            match self.write_session(run, index, session, meeting.as_ref()).await {
                Ok(batch) => break batch,
                // Somebody else invited one of them meanwhile: looked at again, they have access already.
                Err(error) if error.is_unique_violation() && tries < TRIES => {}
                Err(error) => return Err(error.into()),
            }
        };
        let live =
            meeting.is_some_and(|row| matches!(row.state, MeetingState::Started | MeetingState::Active));
        for person in &batch.granted {
            self.put_live_person(person).await;
            // Only where somebody is there to see it: thousands of events would push older ones out for everybody.
            if live {
                self.publish_person("person.added", person);
            }
        }
        Ok(())
    }

    async fn write_session(
        &self,
        run: &mut Run,
        index: usize,
        session: &MeetingId,
        meeting: Option<&MeetingRow>,
    ) -> Result<Batch, StoreError> {
        let mut transaction = self.store.begin().await?;
        let mut batch = Batch::default();
        match meeting {
            Some(meeting) if !meeting.state.is_closed() => {
                self.grant(&mut transaction, run, meeting, &mut batch).await?;
            }
            over => {
                let outcome = if over.is_some() { Outcome::SessionOver } else { Outcome::NoSuchSession };
                for target in &run.order.targets {
                    let outcome = target.user.as_ref().map(|_| outcome);
                    batch.push(session, target, None, outcome.unwrap_or_else(|| stranger(target)));
                }
            }
        }
        let first = index.saturating_mul(run.order.targets.len());
        for (offset, row) in batch.results.iter_mut().enumerate() {
            row.position = i64::try_from(first + offset).unwrap_or(i64::MAX);
        }
        Store::insert_bulk_results(&mut transaction, &run.bulk.id, &batch.results).await?;
        let mut counts = run.counts.clone();
        for row in &batch.results {
            let outcome = serde_json::from_value(json!(row.outcome)).unwrap_or(Outcome::NotRecognised);
            *counts.entry(outcome).or_default() += 1;
        }
        let mut bulk = run.bulk.clone();
        bulk.done += i64::try_from(batch.results.len()).unwrap_or(0);
        bulk.counts = serde_json::to_string(&counts).unwrap_or_default();
        Store::set_bulk_progress(&mut transaction, &bulk, self.now()).await?;
        transaction.commit().await?;
        (run.bulk, run.counts) = (bulk, counts);
        Ok(batch)
    }

    /// Puts the users on the list of one session, the same rows as an invitation from within it makes (B49).
    async fn grant(
        &self,
        connection: &mut Connection,
        run: &Run,
        meeting: &MeetingRow,
        batch: &mut Batch,
    ) -> Result<(), StoreError> {
        let listed = Store::people_of_meeting(connection, &meeting.id).await?;
        let known: BTreeMap<UserId, PersonRow> =
            listed.iter().filter_map(|row| Some((row.user()?.clone(), row.clone()))).collect();
        let (mut new, taken_pins) = (Vec::new(), TakenPins::default());
        for target in &run.order.targets {
            let Some(user) = target.user.as_ref().and_then(|user| run.users.get(user)) else {
                batch.push(&meeting.id, target, None, stranger(target));
                continue;
            };
            let invitee = Invitee {
                identity: Identity::User(user.id.clone()),
                display_name: user.display_name.clone(),
                role: Role::Attendee,
                access: run.bulk.access,
            };
            match known.get(&user.id) {
                Some(row) if row.removed_at.is_none() => {
                    batch.push(&meeting.id, target, Some(row), Outcome::Already);
                }
                // Removed earlier: invited again, the row comes back (I74).
                Some(row) => {
                    let mut row = PersonRow { removed_at: None, ..row.clone() };
                    row.display_name.clone_from(&invitee.display_name);
                    (row.role, row.access) = (invitee.role, invitee.access);
                    row.invited_by = Some(run.admin.user.clone());
                    (row.invited_role, row.invited_at) = (Some(invitee.role), Some(self.now()));
                    Store::update_person(connection, &row, self.now()).await?;
                    batch.push(&meeting.id, target, Some(&row), Outcome::Granted);
                    batch.granted.push(row);
                }
                None if listed.len() + new.len() >= LIST_MAX => {
                    batch.push(&meeting.id, target, None, Outcome::SessionFull);
                }
                None => {
                    let mut row = self.new_person(&run.admin, meeting, &invitee, "multi");
                    row.pin = Some(self.new_person_pin(&listed, &taken_pins));
                    let hash = token_hash(&self.links.token(row.id.as_str()));
                    batch.push(&meeting.id, target, Some(&row), Outcome::Granted);
                    batch.granted.push(row.clone());
                    new.push((row, hash));
                }
            }
        }
        let place = i64::try_from(listed.len()).unwrap_or(0);
        Store::insert_users_as_people(connection, &new, place).await?;
        let audit: Vec<AuditEntry<'_>> = batch.granted.iter().map(|row| self.granted(run, row)).collect();
        Store::insert_audits(connection, &audit).await?;
        self.store.queue_person_events(connection, "person.added", &batch.granted, self.now()).await
    }

    /// Who invited whom where, as what (I86).
    fn granted<'a>(&self, run: &'a Run, row: &'a PersonRow) -> AuditEntry<'a> {
        AuditEntry {
            tenant: &run.bulk.tenant,
            actor: Some(&run.admin.user),
            action: "person.added",
            object: row.id.as_str(),
            before: None,
            after: Some(json!({
                "meeting": row.meeting, "user": row.user(), "role": row.role, "access": row.access,
                "multi_invite": run.bulk.id,
            })),
            source: "multi",
            at: self.now(),
        }
    }

    /// One message per user and order, which lists the sessions (B26).
    async fn notify(&self, run: &mut Run, bulk: &mut BulkRow) -> Result<(), ServiceError> {
        let granted = self.granted_sessions(run).await?;
        let tenant = self.own_tenant(&run.admin).await?;
        let mut meetings = BTreeMap::new();
        for session in &run.order.sessions {
            if let Some(meeting) = self.store.meeting(&run.bulk.tenant, session).await? {
                meetings.insert(session.clone(), meeting);
            }
        }
        let done = usize::try_from(run.bulk.notified).unwrap_or(usize::MAX);
        for (user, sessions) in granted.iter().skip(done) {
            let rows = self.store.people_of_user(&run.bulk.tenant, user).await?;
            let rows =
                rows.into_iter().filter(|row| row.removed_at.is_none() && sessions.contains(&row.meeting));
            let invited: Vec<(MeetingRow, PersonRow)> =
                rows.filter_map(|row| Some((meetings.get(&row.meeting)?.clone(), row))).collect();
            let mut transaction = self.store.begin().await?;
            let told =
                self.queue_digest(&mut transaction, &run.admin, &tenant, &invited, run.bulk.access).await?;
            let mut next = run.bulk.clone();
            next.notified += 1;
            Store::set_bulk_progress(&mut transaction, &next, self.now()).await?;
            transaction.commit().await.map_err(StoreError::from)?;
            (run.bulk, *bulk) = (next.clone(), next);
            // Thousands of events would push older ones out for everybody.
            if run.bulk.done <= TOLD_MAX {
                self.tell(told);
            }
            tokio::time::sleep(BREATH).await;
        }
        Ok(())
    }

    /// Which sessions each user was let into by this order.
    async fn granted_sessions(
        &self,
        run: &Run,
    ) -> Result<BTreeMap<UserId, BTreeSet<MeetingId>>, ServiceError> {
        let mut sessions: BTreeMap<UserId, BTreeSet<MeetingId>> = BTreeMap::new();
        let granted = word(&Outcome::Granted);
        let mut offset = 0;
        loop {
            let rows = self.store.bulk_results(&run.bulk.id, (1_000, offset)).await?;
            if rows.is_empty() {
                return Ok(sessions);
            }
            offset += 1_000;
            for row in rows.into_iter().filter(|row| row.outcome == granted) {
                if let Some(user) = row.user {
                    sessions.entry(user).or_default().insert(row.meeting);
                }
            }
        }
    }

    fn tell_progress(&self, kind: &'static str, bulk: &BulkRow) {
        let data = serde_json::to_value(views::multi_invite(bulk)).unwrap_or_default();
        let (tenant, at) = (bulk.tenant.clone(), self.now());
        self.publish(PublicEvent { tenant, meeting: None, kind, at, data });
    }
}

fn stranger(target: &super::Target) -> Outcome {
    // A user who was disabled since the order was taken is registered no longer.
    if target.stranger || target.user.is_some() { Outcome::NotRegistered } else { Outcome::NotRecognised }
}

impl Batch {
    fn push(
        &mut self,
        meeting: &MeetingId,
        target: &super::Target,
        person: Option<&PersonRow>,
        outcome: Outcome,
    ) {
        self.results.push(BulkResultRow {
            position: 0,
            meeting: meeting.clone(),
            target: target.text.clone(),
            user: target.user.clone(),
            person: person.map(|person| person.id.clone()),
            outcome: word(&outcome),
        });
    }
}
