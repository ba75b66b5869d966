//! The people of a meeting: adding, changing role and access, muting, removing.

use super::actor::{Actor, UserActor};
use super::error::ServiceError;
use super::invitations::Told;
use super::invitations::queue::is_phone_address;
use super::meetings::{PEOPLE_MAX, conflict, walk_in};
use super::reach::Reach;
use super::views::Person;
use super::{Services, input};
use crate::ids::{MeetingId, PersonId, UserId};
use crate::live::event::PublicEvent;
use crate::live::focus::{Command, MutedBy, PersonView, RefusalKind};
use crate::live::resolver::Keys;
use crate::live::{policy, rights};
use crate::store::Connection;
use crate::store::secrets::token_hash;
use crate::store::{Identity, PersonRow, Store, StoreError};
use crate::vocabulary::{Access, MeetingState, Role};
use std::collections::BTreeSet;

/// The most people on one meeting's list.
pub(super) const LIST_MAX: usize = 5_000;

/// Somebody to be put on the list: exactly one of user, email and number.
#[derive(Clone, Debug, Default)]
pub struct NewPerson {
    /// A user of the tenant.
    pub user: Option<UserId>,
    /// An e-mail address.
    pub email: Option<String>,
    /// A phone number as typed.
    pub number: Option<String>,
    /// The name to show; the address or number when missing.
    pub name: Option<String>,
    /// The role; Attendee when missing.
    pub role: Option<Role>,
    /// The access; collaborate when missing.
    pub access: Option<Access>,
}

/// Somebody whose identity has been checked.
#[derive(Clone, Debug)]
pub(super) struct Invitee {
    pub(super) identity: Identity,
    pub(super) display_name: String,
    pub(super) role: Role,
    pub(super) access: Access,
}

/// What is to change about a person.
#[derive(Clone, Copy, Debug, Default)]
pub struct PersonChange {
    /// The new role.
    pub role: Option<Role>,
    /// The new access.
    pub access: Option<Access>,
    /// Whether an Attendee of a presentation may speak.
    pub may_speak: Option<bool>,
    /// It is meant that somebody without an account here becomes Host (I73).
    pub confirm: bool,
}

impl Services {
    /// Who is on the list of a meeting, with who of them is in.
    ///
    /// # Errors
    /// Not found if the asker may not know of the meeting.
    pub async fn people(&self, actor: &Actor, meeting: &MeetingId) -> Result<Vec<Person>, ServiceError> {
        let reach = self.reach(actor, meeting).await?;
        let snapshot = self.live.snapshot(meeting.clone()).await;
        Ok(self.people_views(&reach, snapshot.as_ref()))
    }

    /// Puts people on the list. Somebody who is on it already gets the new role: the latest invitation counts (I76).
    ///
    /// # Errors
    /// Invalid, naming the entry; forbidden for all but Hosts.
    pub async fn add_people(
        &self,
        actor: &Actor,
        meeting: &MeetingId,
        new: &[NewPerson],
    ) -> Result<Vec<Person>, ServiceError> {
        let user = actor.user()?;
        let reach = self.reach(actor, meeting).await?;
        reach.require_invite()?;
        input::length("people", new.len(), PEOPLE_MAX)?;
        if reach.people.len() + new.len() > LIST_MAX {
            return Err(conflict("The list of this meeting is full").mend("Remove people who no longer come"));
        }
        let invitees = self.invitees(user, new, "people").await?;
        let mut transaction = self.store.begin().await?;
        let mut rows = Vec::with_capacity(invitees.len());
        for invitee in &invitees {
            let row = self.put_person(&mut transaction, user, &reach, invitee, "invite").await?;
            rows.push(row);
        }
        // Nobody hears of a draft (A20).
        let draft = reach.meeting.state == MeetingState::Draft;
        let told = if draft {
            Told::default()
        } else {
            self.people_invited(&mut transaction, user, &reach.meeting, &rows).await?
        };
        let names: Vec<_> =
            rows.iter().map(|row| (&row.id, &row.display_name, row.role, row.access)).collect();
        let names = Some(serde_json::json!(names));
        self.audit(&mut transaction, actor, "people.invited", meeting.as_str(), (None, names)).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        for row in rows.iter().filter(|_| !draft) {
            self.put_live_person(row).await;
            self.publish_person("person.added", row);
        }
        self.tell(told);
        let reach = self.reach(actor, meeting).await?;
        let snapshot = self.live.snapshot(meeting.clone()).await;
        let live = |id: &PersonId| snapshot.as_ref()?.people.iter().find(|person| person.id == *id);
        Ok(rows.iter().map(|row| self.listed_view(&reach, row, live(&row.id))).collect())
    }

    /// Adds somebody or, if they are on the list, gives them the new role, access and name.
    pub(super) async fn put_person(
        &self,
        connection: &mut Connection,
        inviter: &UserActor,
        reach: &Reach,
        invitee: &Invitee,
        source: &str,
    ) -> Result<PersonRow, ServiceError> {
        let meeting = &reach.meeting;
        let Some(mut row) = Store::person_by_identity(connection, &meeting.id, &invitee.identity).await?
        else {
            let mut row = self.new_person(inviter, meeting, invitee, source);
            row.pin = Some(self.new_person_pin(&reach.people, &reach.taken_pins));
            let hash = token_hash(&self.links.token(row.id.as_str()));
            Store::insert_person(connection, &row, &hash).await?;
            self.audit_invitation(connection, inviter, (None, &row), source).await?;
            self.tell_hooks(connection, meeting.state, (None, &row)).await?;
            return Ok(row);
        };
        let before = row.clone();
        if source == "call" && row.removed_at.is_some() {
            return Err(conflict(format!("{} was removed from this meeting", row.display_name))
                .mend("Invite them again first"));
        }
        row.display_name.clone_from(&invitee.display_name);
        row.invited_by = Some(inviter.user.clone());
        row.invited_at = Some(self.now());
        row.removed_at = None;
        // The owner stays Host, whoever invites them as something else.
        if row.user().is_none() || row.user() != meeting.owner.as_ref() {
            row.role = invitee.role;
            row.access = invitee.access;
            row.invited_role = Some(invitee.role);
        }
        Store::update_person(connection, &row, self.now()).await?;
        self.audit_invitation(connection, inviter, (Some(&before), &row), source).await?;
        self.tell_hooks(connection, meeting.state, (Some(&before), &row)).await?;
        Ok(row)
    }

    /// Tells webhooks what has become of somebody on the list; nobody hears of a draft (A20).
    async fn tell_hooks(
        &self,
        connection: &mut Connection,
        state: MeetingState,
        (before, after): (Option<&PersonRow>, &PersonRow),
    ) -> Result<(), ServiceError> {
        if state == MeetingState::Draft {
            return Ok(());
        }
        let listed = before.filter(|row| row.removed_at.is_none());
        let kinds = [
            ("person.added", listed.is_none()),
            ("person.role_changed", listed.is_some_and(|row| row.role != after.role)),
            ("person.access_changed", listed.is_some_and(|row| row.access != after.access)),
        ];
        for (kind, _) in kinds.into_iter().filter(|(_, happened)| *happened) {
            let people = std::slice::from_ref(after);
            self.store.queue_person_events(connection, kind, people, self.now()).await?;
        }
        Ok(())
    }

    /// Who invited whom where, as what, by which path (I86).
    async fn audit_invitation(
        &self,
        connection: &mut Connection,
        inviter: &UserActor,
        (before, after): (Option<&PersonRow>, &PersonRow),
        source: &str,
    ) -> Result<(), ServiceError> {
        let facts = |row: &PersonRow| {
            serde_json::json!({
                "meeting": row.meeting, "user": row.user(), "role": row.role, "access": row.access,
                "removed": row.removed_at.is_some(),
            })
        };
        let change = (before.map(facts), Some(facts(after)));
        self.audit_from(source, connection, inviter, "person.added", after.id.as_str(), change).await
    }

    /// Who gave which role, who reversed VIEW ONLY (I86).
    async fn audit_change(
        &self,
        connection: &mut Connection,
        actor: &Actor,
        (before, after): (&PersonRow, &PersonRow),
    ) -> Result<(), ServiceError> {
        let facts = |row: &PersonRow| serde_json::json!({ "role": row.role, "access": row.access });
        let action =
            if before.access == after.access { "person.role_changed" } else { "person.access_changed" };
        let change = (Some(facts(before)), Some(facts(after)));
        self.audit(connection, actor, action, after.id.as_str(), change).await
    }

    /// Checks who is meant; of somebody named twice the last entry counts (A15, A40).
    pub(super) async fn invitees(
        &self,
        inviter: &UserActor,
        new: &[NewPerson],
        field: &str,
    ) -> Result<Vec<Invitee>, ServiceError> {
        let mut invitees: Vec<Invitee> = Vec::with_capacity(new.len());
        for (index, person) in new.iter().enumerate() {
            let place = format!("{field}[{index}]");
            let invitee = self.invitee(inviter, person).await.map_err(|error| error.within(&place))?;
            // The owner is on the list already and stays Host.
            let oneself = matches!(&invitee.identity, Identity::User(user) if *user == inviter.user);
            if !oneself {
                invitees.push(invitee);
            }
        }
        let mut seen = BTreeSet::new();
        invitees.reverse();
        invitees.retain(|invitee| seen.insert(invitee.identity.clone()));
        invitees.reverse();
        Ok(invitees)
    }

    pub(super) async fn invitee(
        &self,
        inviter: &UserActor,
        person: &NewPerson,
    ) -> Result<Invitee, ServiceError> {
        let name = person.name.as_deref().map(|name| input::name("name", name)).transpose()?;
        let role = person.role.unwrap_or(Role::Attendee);
        let access = person.access.unwrap_or_default();
        policy::check_standing(role, access)?;
        let (identity, known_name) = match (&person.user, &person.email, &person.number) {
            (Some(user), None, None) => self.invited_user(inviter, user).await?,
            (None, Some(mail), None) => self.invited_mail(inviter, mail).await?,
            (None, None, Some(number)) => self.invited_number(inviter, number).await?,
            _ => {
                return Err(ServiceError::invalid("user", "Exactly one of user, email and number is needed")
                    .mend("Send one of them"));
            }
        };
        // A user is shown by their own name, whatever the inviter typed.
        let display_name = match &identity {
            Identity::User(_) => known_name,
            Identity::Mail(_) | Identity::Number(_) | Identity::Guest => name.unwrap_or(known_name),
        };
        Ok(Invitee { identity, display_name, role, access })
    }

    async fn invited_user(
        &self,
        inviter: &UserActor,
        user: &UserId,
    ) -> Result<(Identity, String), ServiceError> {
        let row = self.store.user(&inviter.tenant, user).await?.ok_or_else(|| {
            ServiceError::invalid("user", "There is no such user").mend("Choose one from the list of users")
        })?;
        Ok((Identity::User(row.id), row.display_name))
    }

    /// An address of a user of this tenant is that user (A13, A15).
    async fn invited_mail(
        &self,
        inviter: &UserActor,
        mail: &str,
    ) -> Result<(Identity, String), ServiceError> {
        let mail = input::mail("email", mail)?;
        let tenant = self.store.tenant(&inviter.tenant).await?;
        // A phone number in the clothes of an address is a phone number (B43).
        if let Some((number, _)) = mail.split_once('@')
            && tenant.is_some_and(|tenant| is_phone_address(&mail, &tenant))
        {
            return self.invited_number(inviter, number).await;
        }
        let keys = Keys { mails: vec![mail.clone()], ..Keys::default() };
        let users = self.store.users_touched(&inviter.tenant, &keys, &[]).await?;
        let owner = users.into_iter().find(|user| user.mail.as_deref() == Some(mail.as_str()));
        Ok(match owner {
            Some(user) => (Identity::User(user.id), user.display_name),
            None => (Identity::Mail(mail.clone()), mail),
        })
    }

    /// Changes role or access, also of somebody who is in, at once.
    ///
    /// # Errors
    /// Invalid for a Host with VIEW ONLY; conflict if the meeting would lose its owner as Host; forbidden for all
    /// but Hosts (role) and the owner (access).
    pub async fn change_person(
        &self,
        actor: &Actor,
        meeting: &MeetingId,
        person: &PersonId,
        change: PersonChange,
    ) -> Result<Person, ServiceError> {
        let reach = self.reach(actor, meeting).await?;
        if change.role.is_none() && change.access.is_none() && change.may_speak.is_none() {
            return Err(ServiceError::invalid("role", "Nothing is to be changed")
                .mend("Send role, access or may_speak"));
        }
        if change.role.is_some() || change.may_speak.is_some() {
            reach.require_moderate()?;
        }
        if change.access.is_some() {
            reach.require_access_change()?;
        }
        let Ok(mut row) = listed(&reach, person) else {
            return self.change_walk_in(&reach, person, change).await;
        };
        let role = change.role.unwrap_or(row.role);
        if row.user().is_some() && row.user() == reach.meeting.owner.as_ref() && role != Role::Host {
            return Err(
                conflict("The owner of the meeting stays Host").mend("Make somebody else Host as well")
            );
        }
        if role == Role::Host && row.role != Role::Host && row.user().is_none() {
            rights::check_outside_host(reach.meeting.settings.outside_host, change.confirm)?;
        }
        let before = row.clone();
        row.role = role;
        row.access = change.access.unwrap_or(row.access);
        row.may_speak = change.may_speak.unwrap_or(row.may_speak);
        policy::check_standing(row.role, row.access)?;
        let mut transaction = self.store.begin().await?;
        Store::update_person(&mut transaction, &row, self.now()).await?;
        self.audit_change(&mut transaction, actor, (&before, &row)).await?;
        self.tell_hooks(&mut transaction, reach.meeting.state, (Some(&before), &row)).await?;
        // The running part may refuse, such as to lose the last Host; then nothing is written either.
        if reach.meeting.state != MeetingState::Draft {
            for command in commands((&row.meeting, &row.id), change) {
                self.command_unless_absent(command).await?;
            }
        }
        transaction.commit().await.map_err(StoreError::from)?;
        let snapshot = self.live.snapshot(meeting.clone()).await;
        let live = snapshot.as_ref().and_then(|snapshot| snapshot.people.iter().find(|p| p.id == row.id));
        Ok(self.listed_view(&reach, &row, live))
    }

    /// Somebody who dialled in is on no list; what they may do lasts as long as their call.
    async fn change_walk_in(
        &self,
        reach: &Reach,
        person: &PersonId,
        change: PersonChange,
    ) -> Result<Person, ServiceError> {
        let meeting = &reach.meeting.id;
        let none = || ServiceError::not_found("person in this meeting");
        let present = |view: &&PersonView| view.id == *person && view.present;
        let find = async || {
            let snapshot = self.live.snapshot(meeting.clone()).await?;
            snapshot.people.iter().find(present).cloned()
        };
        let removed = reach.people.iter().any(|row| row.id == *person);
        let view = find().await.filter(|_| !removed).ok_or_else(none)?;
        policy::check_standing(change.role.unwrap_or(view.role), change.access.unwrap_or(view.access))?;
        if change.role == Some(Role::Host) && view.role != Role::Host && view.user.is_none() {
            rights::check_outside_host(reach.meeting.settings.outside_host, change.confirm)?;
        }
        for command in commands((meeting, person), change) {
            self.live.command(command).await?;
        }
        Ok(walk_in(&find().await.unwrap_or(view), reach.sight()))
    }

    /// Sends a command about a meeting or person that the running part may not know yet.
    async fn command_unless_absent(&self, command: Command) -> Result<(), ServiceError> {
        match self.live.command(command).await {
            Ok(_) => Ok(()),
            Err(refusal) if refusal.kind == RefusalKind::NotFound => Ok(()),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Mutes or unmutes. Others only by a Host; oneself always.
    ///
    /// # Errors
    /// Not found; forbidden; conflict if the person is not in the meeting.
    pub async fn mute(
        &self,
        actor: &Actor,
        meeting: &MeetingId,
        person: &PersonId,
        muted: bool,
    ) -> Result<(), ServiceError> {
        let reach = self.reach(actor, meeting).await?;
        let oneself = reach.me.as_ref().is_some_and(|me| me.id == *person);
        if !oneself {
            reach.require_moderate()?;
        }
        let by = if oneself { MutedBy::Oneself } else { MutedBy::Host };
        let command = Command::SetMuted { meeting: meeting.clone(), person: person.clone(), by, muted };
        self.live.command(command).await?;
        Ok(())
    }

    /// Raises a hand, one's own alone, or lowers one: a Host lowers those of others too.
    ///
    /// # Errors
    /// Not found; forbidden; conflict for somebody who is not in the meeting.
    pub async fn set_hand(
        &self,
        actor: &Actor,
        meeting: &MeetingId,
        person: &PersonId,
        raised: bool,
    ) -> Result<(), ServiceError> {
        let reach = self.reach(actor, meeting).await?;
        let oneself = reach.me.as_ref().is_some_and(|me| me.id == *person);
        if !oneself {
            reach.require_moderate()?;
        }
        if raised && !oneself {
            return Err(ServiceError::forbidden("Nobody raises the hand of another one")
                .mend("They raise it themselves, by phone with *5"));
        }
        let command = Command::SetHand { meeting: meeting.clone(), person: person.clone(), raised };
        self.live.command(command).await?;
        Ok(())
    }

    /// Takes somebody off the list and out of the meeting; their link no longer works until they are invited again
    /// (I74).
    ///
    /// # Errors
    /// Not found; forbidden for all but Hosts; conflict for the owner.
    pub async fn remove_person(
        &self,
        actor: &Actor,
        meeting: &MeetingId,
        person: &PersonId,
    ) -> Result<(), ServiceError> {
        let reach = self.reach(actor, meeting).await?;
        reach.require_moderate()?;
        let command = Command::Remove { meeting: meeting.clone(), person: person.clone() };
        let Ok(row) = listed(&reach, person) else {
            // Somebody who dialled in is on no list, but can be shown the door.
            self.live.command(command).await?;
            return Ok(());
        };
        if row.user().is_some() && row.user() == reach.meeting.owner.as_ref() {
            return Err(conflict("The owner cannot be removed").mend("End the meeting instead"));
        }
        let mut transaction = self.store.begin().await?;
        Store::remove_person(&mut transaction, &row.tenant, person, self.now()).await?;
        let was = serde_json::json!({ "role": row.role, "access": row.access });
        self.audit(&mut transaction, actor, "person.removed", person.as_str(), (Some(was), None)).await?;
        if reach.meeting.state == MeetingState::Draft {
            transaction.commit().await.map_err(StoreError::from)?;
            return Ok(());
        }
        let told = self.person_removed(&mut transaction, &reach.meeting, &row).await?;
        let gone = std::slice::from_ref(&row);
        self.store.queue_person_events(&mut transaction, "person.removed", gone, self.now()).await?;
        // The running part may refuse to lose the last Host; then nothing is written either.
        self.command_unless_absent(command).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.store.delete_sessions_of_person(&row.tenant, person).await?;
        self.publish_person("person.removed", &row);
        self.tell(told);
        Ok(())
    }

    pub(super) fn publish_person(&self, kind: &'static str, row: &PersonRow) {
        let person = serde_json::json!({
            "id": row.id, "user": row.user(), "display_name": row.display_name, "role": row.role,
            "access": row.access, "source": row.source,
        });
        self.publish(PublicEvent {
            tenant: row.tenant.clone(),
            meeting: Some(row.meeting.clone()),
            kind,
            at: self.now(),
            data: serde_json::json!({ "person": person }),
        });
    }
}

/// What the running part is told of a change.
fn commands(
    (meeting, person): (&MeetingId, &PersonId),
    change: PersonChange,
) -> impl Iterator<Item = Command> {
    let role =
        change.role.map(|role| Command::SetRole { meeting: meeting.clone(), person: person.clone(), role });
    let access = change.access.map(|access| Command::SetAccess {
        meeting: meeting.clone(),
        person: person.clone(),
        access,
    });
    let speaking = change.may_speak.map(|may_speak| Command::SetSpeaking {
        meeting: meeting.clone(),
        person: person.clone(),
        may_speak,
    });
    // To Host: access first, so that at no moment there is a Host with VIEW ONLY; from Host: role first.
    let commands = if change.role == Some(Role::Host) { [access, role] } else { [role, access] };
    commands.into_iter().chain([speaking]).flatten()
}

fn listed(reach: &Reach, person: &PersonId) -> Result<PersonRow, ServiceError> {
    let row = reach.listed().find(|row| row.id == *person);
    row.cloned().ok_or_else(|| ServiceError::not_found("person in this meeting"))
}
