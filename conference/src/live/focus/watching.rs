//! Phones that watch a meeting (RFC 4575): who may, and when they are told. The document is in
//! [`crate::live::conference_info`].

use super::{Focus, Participant};
use crate::ids::{MeetingId, UserId};
use crate::live::conference_info::{Sight, conference_info};
use crate::live::meeting::Meeting;
use crate::live::policy::Action;
use crate::live::rights::{self, Rules};
use crate::vocabulary::Role;
use sip_core::ua::{Command as SipCommand, SubscribeRequest, SubscriptionId};

/// A phone that watches a meeting.
#[derive(Clone, Debug)]
pub(super) struct Watcher {
    meeting: MeetingId,
    user: UserId,
    /// The address it watches, as it wrote it.
    entity: String,
    /// What it was told last.
    told: String,
}

impl Focus {
    /// A phone wants to know who is in a meeting.
    pub(super) fn subscribed(&mut self, asked: SubscribeRequest) {
        let subscription = asked.subscription;
        let answer = self.watcher(asked).map(|watcher| {
            let told = watcher.told.clone();
            self.watchers.insert(subscription, watcher);
            told
        });
        self.sip(SipCommand::AnswerSubscribe { subscription, answer });
    }

    /// Whoever is on the list, and the owner, may watch. For everybody else there is no such meeting.
    fn watcher(&self, asked: SubscribeRequest) -> Result<Watcher, u16> {
        let owner = self.devices.get(&asked.device).ok_or(403_u16)?;
        let address = asked.user.trim_start_matches('+').to_ascii_lowercase();
        let id = self.addresses.get(&address).ok_or(404_u16)?;
        let meeting = self.meetings.get(id).filter(|meeting| meeting.spec.tenant == owner.tenant);
        let meeting = meeting.ok_or(404_u16)?;
        let entity = format!("sip:{}@{}", asked.user, asked.domain);
        let told = document(meeting, &owner.user, &entity).ok_or(404_u16)?;
        Ok(Watcher { meeting: id.clone(), user: owner.user.clone(), entity, told })
    }

    pub(super) fn subscription_ended(&mut self, subscription: SubscriptionId) {
        self.watchers.remove(&subscription);
    }

    /// Something about this meeting may have changed.
    pub(super) fn touch_roster(&mut self, meeting: &MeetingId) {
        if !self.watchers.is_empty() {
            self.touched_rosters.insert(meeting.clone());
        }
    }

    /// Tells those who watch what has changed.
    pub(super) fn tell_watchers(&mut self) {
        let touched = std::mem::take(&mut self.touched_rosters);
        let mut news = Vec::new();
        for (subscription, watcher) in &mut self.watchers {
            if !touched.contains(&watcher.meeting) {
                continue;
            }
            let meeting = self.meetings.get(&watcher.meeting);
            match meeting.and_then(|meeting| document(meeting, &watcher.user, &watcher.entity)) {
                Some(body) if body == watcher.told => {}
                Some(body) => {
                    watcher.told.clone_from(&body);
                    news.push(SipCommand::Notify { subscription: *subscription, body });
                }
                // Gone, or they were removed from it.
                None => news.push(SipCommand::EndSubscription { subscription: *subscription }),
            }
        }
        news.into_iter().for_each(|command| self.sip(command));
    }
}

/// The meeting as this user may see it (I06, I60); `None` for those who may not know of it.
fn document(meeting: &Meeting, user: &UserId, entity: &str) -> Option<String> {
    let own = meeting.person_of_user(user).filter(|row| !row.removed);
    let owns = meeting.spec.owner.as_ref() == Some(user);
    if own.is_none() && !owns {
        return None;
    }
    let host = owns || own.is_some_and(|row| row.spec.role == Role::Host);
    let rank = own.map(Participant::rank).unwrap_or_default();
    let everybody = owns || rights::may(Action::SeePeople, &Rules::from(&meeting.spec), &rank);
    let sight = Sight {
        numbers: host || !meeting.spec.settings.number_privacy,
        everybody,
        oneself: own.map(|row| &row.spec.person),
    };
    Some(conference_info(meeting, entity, &sight))
}
