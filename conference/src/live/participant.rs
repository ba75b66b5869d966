//! One person of a running meeting, with the legs that carry them.

use crate::ids::{PersonId, UserId};
use crate::live::pin::Pin;
use crate::live::rights::Rank;
use crate::live::snapshot::PersonView;
use crate::vocabulary::{Access, LegKind, Role, UnixMillis};
use media::worker::LegId;
use sip_core::ua::Verstat;
use std::collections::BTreeMap;

/// Who a person is, as the caller of a command knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonSpec {
    /// The person in this meeting.
    pub person: PersonId,
    /// The user, if the person is one.
    pub user: Option<UserId>,
    /// The name shown.
    pub display_name: String,
    /// The role to enter with.
    pub role: Role,
    /// The access to enter with.
    pub access: Access,
    /// The person's own PIN, which stays the same as long as they are on the list.
    pub pin: Option<Pin>,
    /// The number by which the person is known, in E.164, if it is one.
    pub number: Option<String>,
    /// The role of the latest invitation by a Host; `None` for those nobody invited.
    pub invited_as: Option<Role>,
    /// When that was: of several invited Hosts the one invited first takes over (I72).
    pub invited_at: UnixMillis,
    /// An Attendee whom a Host lets speak in a presentation.
    pub may_speak: bool,
    /// Removed earlier: may not come in until invited again (I74).
    pub removed: bool,
    /// Whether the number the call came from can be believed, if somebody signed for it or could have.
    pub verstat: Option<Verstat>,
}

/// One row of the roster. It stays when the person leaves, so that coming back keeps role and place.
#[derive(Clone, Debug)]
pub struct Participant {
    /// Who it is, with the role and access in force.
    pub spec: PersonSpec,
    /// The number behind a phone leg.
    pub number: Option<String>,
    /// Muted by a Host. Two flags: a Host's unmuting never opens a microphone its owner has closed.
    pub muted_by_host: bool,
    /// Muted by oneself.
    pub muted_by_self: bool,
    /// The hand is raised, since then.
    pub hand: Option<UnixMillis>,
    /// Removed by a Host: may not come back until invited again.
    pub removed: bool,
    /// Their phone's connection was lost.
    pub lost: bool,
    /// Their device is being called again by itself.
    pub reconnecting: bool,
    /// Known only by dialling in: the row goes when the person leaves.
    pub walk_in: bool,
    /// Was in the meeting, or admitted by a Host, since it began: the lobby need not be passed again.
    pub let_in: bool,
    /// The legs in the meeting, at most one of each kind.
    legs: BTreeMap<LegKind, LegId>,
    /// The legs in the lobby.
    lobby: BTreeMap<LegKind, LegId>,
}

impl Participant {
    /// A person who is not in yet.
    pub fn new(spec: PersonSpec) -> Self {
        Self {
            number: spec.number.clone(),
            removed: spec.removed,
            spec,
            muted_by_host: false,
            muted_by_self: false,
            hand: None,
            lost: false,
            reconnecting: false,
            walk_in: false,
            let_in: false,
            legs: BTreeMap::new(),
            lobby: BTreeMap::new(),
        }
    }

    /// Whether any leg is in the meeting.
    pub fn is_present(&self) -> bool {
        !self.legs.is_empty()
    }

    /// Whether the person is in the lobby and nowhere else.
    pub fn is_waiting(&self) -> bool {
        !self.is_present() && !self.lobby.is_empty()
    }

    /// Removed, and known by nothing but a number: the row is all that keeps that number out.
    pub fn is_barred_number(&self) -> bool {
        self.removed && self.number.is_some()
    }

    /// Role and access, for the table of rights.
    pub fn rank(&self) -> Rank {
        let PersonSpec { role, access, may_speak, .. } = self.spec;
        Rank { role, access, may_speak }
    }

    /// The leg of one kind.
    pub fn leg(&self, kind: LegKind) -> Option<LegId> {
        self.legs.get(&kind).copied()
    }

    /// All legs in the meeting.
    pub fn legs(&self) -> impl Iterator<Item = (LegKind, LegId)> + '_ {
        self.legs.iter().map(|(kind, leg)| (*kind, *leg))
    }

    /// All legs in the lobby.
    pub fn waiting_legs(&self) -> impl Iterator<Item = LegId> + '_ {
        self.lobby.values().copied()
    }

    /// Puts a leg in the meeting and returns the one of the same kind that it replaces.
    pub fn attach(&mut self, kind: LegKind, leg: LegId) -> Option<LegId> {
        self.lobby.retain(|_, held| *held != leg);
        self.let_in = true;
        self.lost = false;
        self.reconnecting = false;
        self.legs.insert(kind, leg).filter(|old| *old != leg)
    }

    /// Puts a leg in the lobby and returns the one of the same kind that it replaces there.
    pub fn wait(&mut self, kind: LegKind, leg: LegId) -> Option<LegId> {
        self.lobby.insert(kind, leg).filter(|old| *old != leg)
    }

    /// Takes a leg out. Returns whether it was in the meeting.
    pub fn detach(&mut self, leg: LegId) -> bool {
        let before = self.legs.len();
        self.legs.retain(|_, held| *held != leg);
        self.lobby.retain(|_, held| *held != leg);
        self.legs.len() < before
    }

    /// The meeting is over: the next one begins without what was said and done in it.
    pub fn forget_run(&mut self) {
        self.muted_by_host = false;
        self.muted_by_self = false;
        self.hand = None;
        self.let_in = false;
    }

    /// Whether the person is muted, by whomever.
    pub fn is_muted(&self) -> bool {
        self.muted_by_host || self.muted_by_self
    }

    /// The person as everybody sees them.
    pub fn view(&self) -> PersonView {
        let leg_kind = self.legs.keys().chain(self.lobby.keys()).next().copied();
        PersonView {
            id: self.spec.person.clone(),
            user: self.spec.user.clone(),
            display_name: self.spec.display_name.clone(),
            number: self.number.clone(),
            role: self.spec.role,
            access: self.spec.access,
            present: self.is_present(),
            waiting: self.is_waiting(),
            leg_kind,
            muted_by_host: self.muted_by_host,
            muted_by_self: self.muted_by_self,
            hand_raised: self.hand.is_some(),
            may_speak: self.spec.may_speak,
            lost: self.lost,
            reconnecting: self.reconnecting,
            verstat: self.spec.verstat.map(|verstat| verstat.to_string()),
        }
    }
}
