//! Attendance: one row per person, with each try to call them and each stay, merged over rejoins (D48, asks 17 and 19).

use super::Services;
use super::actor::Actor;
use super::csv;
use super::error::ServiceError;
use super::reach::Reach;
use super::record_views::{Attempt, Attendance, Attendee, Instance, MeetingMedia, Stay};
use super::records::{instance_view, iso};
use crate::ids::{MeetingId, PersonId, UserId};
use crate::store::{AttendanceRow, CallRow, InstanceRow, word_of};
use crate::vocabulary::UnixMillis;
use std::collections::BTreeMap;

/// How many comings and goings one answer counts.
const LINES_MAX: i64 = 20_000;
/// How many calls one answer counts, and how many times that the meeting was held.
const CALLS_MAX: i64 = 5_000;

/// One person, however often they came: a user by who they are, others by their row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    User(UserId),
    Person(PersonId),
}

impl Services {
    /// A meeting whose records the actor may read: its Hosts, and who reaches all meetings of the tenant.
    async fn reach_records(&self, actor: &Actor, meeting: &MeetingId) -> Result<Reach, ServiceError> {
        let reach = self.reach(actor, meeting).await?;
        if !matches!(actor, Actor::User(user) if user.reaches_all_meetings()) {
            reach.require_moderate()?;
        }
        Ok(reach)
    }

    /// How the media of a meeting's legs is at this moment.
    ///
    /// # Errors
    /// Not found if the asker may not know of the meeting; forbidden for all but Hosts and the tenant's admins.
    pub async fn meeting_media(
        &self,
        actor: &Actor,
        meeting: &MeetingId,
    ) -> Result<MeetingMedia, ServiceError> {
        self.reach_records(actor, meeting).await?;
        Ok(MeetingMedia { legs: self.live.media(meeting.clone()).await.unwrap_or_default() })
    }

    /// Who was in a meeting, and who was called into it: at one time it was held (`latest` for the last one), or at all of
    /// them. While the meeting runs it is the state of this moment.
    ///
    /// # Errors
    /// Not found if the asker may not know of the meeting, or it was not held that time; forbidden for all but Hosts and the
    /// tenant's admins.
    pub async fn attendance(
        &self,
        actor: &Actor,
        meeting: &MeetingId,
        instance: Option<&str>,
    ) -> Result<Attendance, ServiceError> {
        let reach = self.reach_records(actor, meeting).await?;
        let instances = self.store.instances(actor.tenant(), meeting, None, CALLS_MAX).await?;
        let chosen = match instance {
            None => None,
            Some("latest") => instances.first(),
            Some(id) => instances.iter().find(|row| row.id == id),
        };
        if instance.is_some() && chosen.is_none() {
            return Err(ServiceError::not_found("instance of the meeting"));
        }
        let only = chosen.map(|row| row.id.as_str());
        let lines = self.store.attendance(meeting, only, LINES_MAX).await?;
        let mut calls = self.store.calls(actor.tenant(), meeting, None, CALLS_MAX).await?;
        calls.reverse();
        if let Some(instance) = chosen {
            let until = instance.ended_at.unwrap_or(UnixMillis(u64::MAX));
            calls.retain(|call| (instance.started_at..=until).contains(&call.created_at));
        }
        let inviters = reach.people.iter().filter_map(|person| person.invited_by.as_ref());
        let names =
            self.names(actor.tenant(), inviters.chain(calls.iter().map(|call| &call.acting_host))).await?;
        let mut table = Table {
            now: self.now(),
            reach: &reach,
            names: &names,
            instances: &instances,
            rows: BTreeMap::new(),
            users: BTreeMap::new(),
        };
        for line in &lines {
            table.line(line);
        }
        for call in &calls {
            table.call(call);
        }
        let instance = chosen.cloned().map(instance_view);
        Ok(Attendance { people: table.finish(instance.as_ref(), only.is_none()), instance })
    }

    /// The same as a table, one row per person, and the name of its file.
    ///
    /// # Errors
    /// As [`Self::attendance`].
    pub async fn attendance_table(
        &self,
        actor: &Actor,
        meeting: &MeetingId,
        instance: Option<&str>,
    ) -> Result<String, ServiceError> {
        let Attendance { people, .. } = self.attendance(actor, meeting, instance).await?;
        let mut table = String::new();
        let columns = [
            "Name",
            "Role",
            "Access",
            "Invited by",
            "First joined",
            "Last left",
            "Minutes",
            "Times in",
            "Calls",
            "Last call",
        ];
        csv::row(&mut table, columns);
        for person in &people {
            let time = |time: Option<UnixMillis>| time.map(iso).unwrap_or_default();
            let cells = [
                person.display_name.clone(),
                person.role.as_ref().map(word_of).unwrap_or_default(),
                person.access.as_ref().map(word_of).unwrap_or_default(),
                person.invited_by.clone().unwrap_or_default(),
                time(person.first_joined_at),
                time(person.last_left_at),
                person.present_ms.div_ceil(60_000).to_string(),
                person.stays.len().to_string(),
                person.attempts.len().to_string(),
                person.attempts.last().map(|attempt| attempt.words.clone()).unwrap_or_default(),
            ];
            csv::row(&mut table, cells.iter().map(String::as_str));
        }
        Ok(table)
    }
}

/// The rows as they grow.
struct Table<'a> {
    now: UnixMillis,
    reach: &'a Reach,
    names: &'a BTreeMap<UserId, String>,
    instances: &'a [InstanceRow],
    rows: BTreeMap<Key, (Attendee, Option<String>)>,
    /// Whose leg somebody on no list had, who is one person more each time they come.
    users: BTreeMap<PersonId, UserId>,
}

impl Table<'_> {
    /// The row of a person, with the instance of their open stay.
    fn row(
        &mut self,
        person: &PersonId,
        user: Option<&UserId>,
        name: &str,
    ) -> &mut (Attendee, Option<String>) {
        let listed = self.reach.people.iter().find(|row| row.id == *person);
        if let Some(user) = user {
            self.users.insert(person.clone(), user.clone());
        }
        // A line of going names the person alone.
        let user = self.users.get(person).or_else(|| listed.and_then(|row| row.user()));
        let key = user.map_or_else(|| Key::Person(person.clone()), |user| Key::User(user.clone()));
        let names = self.names;
        self.rows.entry(key).or_insert_with(|| {
            let attendee = Attendee {
                person: person.clone(),
                user: user.cloned(),
                display_name: listed.map_or_else(|| name.to_owned(), |row| row.display_name.clone()),
                role: listed.map(|row| row.role),
                access: listed.map(|row| row.access),
                invited_by: listed
                    .and_then(|row| row.invited_by.as_ref())
                    .and_then(|by| names.get(by).cloned()),
                first_joined_at: None,
                last_left_at: None,
                present_ms: 0,
                stays: Vec::new(),
                attempts: Vec::new(),
            };
            (attendee, None)
        })
    }

    fn line(&mut self, line: &AttendanceRow) {
        let ended = self.ended(line.instance.as_deref());
        let name = line.display_name.as_deref().unwrap_or_default();
        let (row, open) = self.row(&line.person, line.user.as_ref(), name);
        if line.joined {
            // A stay whose end was lost with the process ended with that time of the meeting at the latest.
            if let Some(stay) = row.stays.last_mut().filter(|stay| stay.left_at.is_none()) {
                stay.left_at = ended.filter(|ended| *ended < line.at).or(Some(line.at));
            }
            row.role = line.role.or(row.role);
            row.access = line.access.or(row.access);
            row.stays.push(Stay { joined_at: line.at, left_at: None, leg_kind: line.leg_kind });
            open.clone_from(&line.instance);
        } else if let Some(stay) = row.stays.last_mut().filter(|stay| stay.left_at.is_none()) {
            stay.left_at = Some(line.at);
        }
    }

    fn call(&mut self, call: &CallRow) {
        let Some(person) = call.person.clone() else { return };
        let attempt = Attempt {
            call: call.id.clone(),
            at: call.created_at,
            target: call.target.clone(),
            acting_host: self.names.get(&call.acting_host).cloned(),
            state: call.state,
            cause: call.cause,
            sip_code: call.sip_code,
            words: call.cause.map_or_else(|| call.state.words(), crate::vocabulary::Cause::words).to_owned(),
        };
        self.row(&person, call.user.as_ref(), &call.display_name).0.attempts.push(attempt);
    }

    fn ended(&self, instance: Option<&str>) -> Option<UnixMillis> {
        let instance = self.instances.iter().find(|row| Some(row.id.as_str()) == instance)?;
        instance.ended_at
    }

    /// The rows, by when they came; of a whole meeting also those on the list who never came.
    fn finish(mut self, instance: Option<&Instance>, with_list: bool) -> Vec<Attendee> {
        let listed: Vec<_> = self.reach.listed().map(|row| (row.id.clone(), row.user().cloned())).collect();
        if with_list || instance.is_some_and(|instance| instance.ended_at.is_none()) {
            for (person, user) in listed {
                self.row(&person, user.as_ref(), "");
            }
        }
        let now = self.now;
        let ends: BTreeMap<String, Option<UnixMillis>> =
            self.instances.iter().map(|row| (row.id.clone(), row.ended_at)).collect();
        let mut rows: Vec<Attendee> = self
            .rows
            .into_values()
            .map(|(row, open)| {
                let ended = open.and_then(|instance| ends.get(&instance).copied().flatten());
                finished(row, ended, now)
            })
            .collect();
        rows.sort_by_key(|row| {
            (row.first_joined_at.is_none(), row.first_joined_at, row.attempts.first().map(|a| a.at))
        });
        rows
    }
}

/// Adds a person's stays up. `ended` is the end of the meeting they were in last.
fn finished(mut row: Attendee, ended: Option<UnixMillis>, now: UnixMillis) -> Attendee {
    if let Some(stay) = row.stays.last_mut().filter(|stay| stay.left_at.is_none()) {
        stay.left_at = ended.map(|ended| ended.max(stay.joined_at));
    }
    row.first_joined_at = row.stays.first().map(|stay| stay.joined_at);
    row.last_left_at = row.stays.last().and_then(|stay| stay.left_at);
    let length = |stay: &Stay| stay.left_at.unwrap_or(now).0.saturating_sub(stay.joined_at.0);
    row.present_ms = row.stays.iter().map(length).sum();
    row
}
