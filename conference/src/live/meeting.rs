//! One running meeting: its roster, its calls and its life cycle.

use crate::ids::{CallId, MeetingId, PersonId, TenantId, UserId};
use crate::live::call::Call;
use crate::live::leg_record::InstanceRecord;
use crate::live::participant::{Participant, PersonSpec};
use crate::live::pin::Pin;
use crate::live::settings::MeetingSettings;
use crate::live::snapshot::{MeetingSnapshot, MeetingView};
use crate::vocabulary::{Access, LegKind, MeetingForm, MeetingKind, MeetingState, Role, UnixMillis};
use media::worker::{LegId, RoomId};
use std::collections::{BTreeMap, VecDeque};

/// Finished calls kept per meeting for late joiners and "Call again".
const FINISHED_CALLS_KEPT: usize = 200;

/// A meeting as the store knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MeetingSpec {
    /// The meeting.
    pub meeting: MeetingId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The user part of its SIP address and the id people key in (`900000001`).
    pub number: String,
    /// A second user part (`room1`).
    pub alias: Option<String>,
    /// Its title.
    pub title: String,
    /// Its type.
    pub kind: MeetingKind,
    /// The role of whoever comes in without being invited as a person.
    pub direct_join_role: Role,
    /// Who created it; counts as Host.
    pub owner: Option<UserId>,
    /// What its Hosts have set.
    pub settings: MeetingSettings,
    /// How it comes to be.
    pub form: MeetingForm,
    /// Nobody may come in: called off, or closed for good.
    pub closed: bool,
    /// From then on nobody comes in who is not in already: the last planned run is long over.
    pub closes_at: Option<UnixMillis>,
    /// What people without a PIN of their own key in by phone.
    pub guest_pin: Option<Pin>,
    /// What makes a Host of whoever keys it in by phone (I14).
    pub host_pin: Option<Pin>,
}

/// A meeting with whoever is in it.
#[derive(Debug)]
pub struct Meeting {
    /// What the store says about it.
    pub spec: MeetingSpec,
    /// The mixer's room.
    pub room: RoomId,
    /// Where it stands.
    pub state: MeetingState,
    /// The roster.
    pub people: BTreeMap<PersonId, Participant>,
    /// Running calls and the latest finished ones.
    pub calls: BTreeMap<CallId, Call>,
    /// Calls in the order in which they were asked for.
    order: VecDeque<CallId>,
    /// Who speaks, and how loud (negative dBov, 0 is the loudest).
    pub active_speaker: Option<LegId>,
    /// This time that it is held, while it is.
    pub instance: Option<InstanceRecord>,
    /// It is being ended: no waiting call starts meanwhile.
    pub ending: bool,
    /// Which leg each video slot of a listening leg carries.
    pub slots: BTreeMap<LegId, Vec<Option<LegId>>>,
}

impl Meeting {
    /// An empty meeting with a room of its own.
    pub fn new(spec: MeetingSpec, room: RoomId) -> Self {
        Self {
            spec,
            room,
            state: MeetingState::Scheduled,
            people: BTreeMap::new(),
            calls: BTreeMap::new(),
            order: VecDeque::new(),
            active_speaker: None,
            instance: None,
            ending: false,
            slots: BTreeMap::new(),
        }
    }

    /// The role of whoever comes in without being invited as a person.
    pub fn direct_join_role(&self) -> Role {
        self.spec.direct_join_role
    }

    /// How many people are in.
    pub fn present(&self) -> usize {
        self.people.values().filter(|person| person.is_present()).count()
    }

    /// Whether a Host is in.
    pub fn has_host(&self) -> bool {
        self.hosts().next().is_some()
    }

    /// The Hosts who are in.
    pub fn hosts(&self) -> impl Iterator<Item = &Participant> {
        self.people.values().filter(|person| person.is_present() && person.spec.role == Role::Host)
    }

    /// Whether this person is the only Host who is in.
    pub fn is_last_host(&self, person: &PersonId) -> bool {
        let mut hosts = self.hosts();
        hosts.next().is_some_and(|host| host.spec.person == *person) && hosts.next().is_none()
    }

    /// Whether somebody was removed and not invited again: by themselves, by their account or by their number (I74).
    pub fn is_removed(&self, spec: &PersonSpec) -> bool {
        let same_user = |row: &Participant| spec.user.is_some() && row.spec.user == spec.user;
        let same_number =
            |row: &Participant| spec.user.is_none() && spec.number.is_some() && row.number == spec.number;
        self.people
            .values()
            .filter(|row| row.removed)
            .any(|row| row.spec.person == spec.person || same_user(row) || same_number(row))
    }

    /// Who becomes Host when the last one goes: of those a Host has once invited as Host, and who are in, the one
    /// invited first (I72).
    pub fn next_host(&self, gone: Option<&PersonId>) -> Option<PersonId> {
        self.people
            .values()
            .filter(|row| row.is_present() && gone != Some(&row.spec.person))
            .filter(|row| row.spec.invited_as == Some(Role::Host) && row.spec.access == Access::Collaborate)
            .min_by_key(|row| (row.spec.invited_at, &row.spec.person))
            .map(|row| row.spec.person.clone())
    }

    /// The place of a raised hand among all that are raised, in the order in which they were; 1 is the first.
    pub fn hands_up_to(&self, person: &PersonId) -> usize {
        let Some(own) = self.people.get(person).and_then(|row| row.hand) else { return 0 };
        let before = |row: &&Participant| {
            row.is_present() && row.hand.is_some_and(|at| (at, &row.spec.person) < (own, person))
        };
        self.people.values().filter(before).count() + 1
    }

    /// Finds a person by user.
    pub fn person_of_user(&self, user: &UserId) -> Option<&Participant> {
        self.people.values().find(|person| person.spec.user.as_ref() == Some(user))
    }

    /// Puts a person on the roster, or brings name, role and access of one who is there up to date: the latest
    /// invitation by a Host counts.
    pub fn put_person(&mut self, spec: PersonSpec) -> &mut Participant {
        let row = self.people.entry(spec.person.clone()).or_insert_with(|| Participant::new(spec.clone()));
        row.removed = spec.removed;
        if let Some(number) = &spec.number {
            row.number = Some(number.clone());
        }
        row.spec = spec;
        row
    }

    /// Adds a call, and forgets the oldest finished ones beyond the number kept.
    pub fn put_call(&mut self, call: Call) {
        let id = call.spec().call.clone();
        self.order.push_back(id.clone());
        self.calls.insert(id, call);
        let mut excess = self.calls.values().filter(|call| call.state().is_final()).count();
        let calls = &mut self.calls;
        self.order.retain(|id| {
            let over = calls.get(id).is_none_or(|call| call.state().is_final());
            if !over || excess <= FINISHED_CALLS_KEPT {
                return true;
            }
            excess -= 1;
            calls.remove(id);
            false
        });
    }

    /// The calls that are not over, oldest first.
    pub fn live_calls(&self) -> impl Iterator<Item = &Call> {
        self.ordered_calls().filter(|call| !call.state().is_final())
    }

    /// All calls, oldest first.
    pub fn ordered_calls(&self) -> impl Iterator<Item = &Call> {
        self.order.iter().filter_map(|id| self.calls.get(id))
    }

    /// Forgets the finished calls and whoever has no business in the next run.
    pub fn clear_history(&mut self) {
        self.calls.retain(|_, call| !call.state().is_final());
        let calls = &self.calls;
        self.order.retain(|id| calls.contains_key(id));
        // A removed caller known by number alone stays removed.
        self.people.retain(|_, person| person.is_present() || !person.walk_in || person.is_barred_number());
        self.people.values_mut().for_each(Participant::forget_run);
        self.active_speaker = None;
        self.slots.clear();
    }

    /// Whose leg this is, among the legs that are in.
    pub fn person_of_leg(&self, leg: LegId) -> Option<&PersonId> {
        let holds = |person: &&Participant| person.legs().any(|(_, held)| held == leg);
        self.people.values().find(holds).map(|person| &person.spec.person)
    }

    /// The person of each slot of a listener.
    pub fn slot_people(&self, slots: &[Option<LegId>]) -> Vec<Option<PersonId>> {
        slots.iter().map(|slot| slot.and_then(|leg| self.person_of_leg(leg).cloned())).collect()
    }

    /// The meeting as it is now.
    pub fn snapshot(&self) -> MeetingSnapshot {
        let slots = self.people.values().filter_map(|person| {
            let slots = self.slots.get(&person.leg(LegKind::Webrtc)?)?;
            Some((person.spec.person.clone(), self.slot_people(slots)))
        });
        MeetingSnapshot {
            meeting: self.view(),
            people: self.people.values().filter(|person| !person.removed).map(Participant::view).collect(),
            calls: self.ordered_calls().map(Call::view).collect(),
            slots: slots.collect(),
            active_speaker: self.active_speaker.and_then(|leg| self.person_of_leg(leg).cloned()),
        }
    }

    /// The meeting's own facts.
    pub fn view(&self) -> MeetingView {
        MeetingView {
            id: self.spec.meeting.clone(),
            number: self.spec.number.clone(),
            title: self.spec.title.clone(),
            kind: self.spec.kind,
            state: self.state,
            alias: self.spec.alias.clone(),
            owner: self.spec.owner.clone(),
            locked: self.spec.settings.locked,
        }
    }
}
