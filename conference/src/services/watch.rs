//! Watching: what a reader of the event stream is shown, and the browsers that go away.

use super::Services;
use super::actor::Actor;
use super::error::ServiceError;
use super::events::{Event, EventFilter};
use super::meetings::{masked, masked_within};
use super::views::Snapshot;
use crate::ids::{MeetingId, PersonId};
use crate::live::focus::Command;
use media::worker::LegId;
use serde_json::Value;

/// What one reader of the event stream may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// Which events.
    pub filter: EventFilter,
    /// Who they are in the meeting, if it is one meeting they watch and they are on its list.
    pub person: Option<PersonId>,
    /// Whether they see numbers in full (I60).
    numbers: bool,
    /// Whether they are a Host, who sees who waits in the lobby.
    host: bool,
    /// Whether they see who is in (I06).
    everybody: bool,
}

impl Viewer {
    /// The data of an event as this reader may see it: outside numbers are masked for those who are no Host.
    pub fn data(&self, event: &Event) -> Value {
        let mut data = event.data.clone();
        if !self.numbers && event.meeting.is_some() {
            mask(&mut data);
        }
        data
    }

    /// Whether this reader may see the event at all: where the list is hidden, no other Attendees and no calls; the lobby
    /// is for Hosts and for whoever waits.
    pub fn sees(&self, event: &Event) -> bool {
        let person = event.data.get("person");
        let text = |name: &str| person.and_then(|person| person.get(name)).and_then(Value::as_str);
        let oneself = self.person.as_ref().is_some_and(|own| text("id") == Some(own.as_str()));
        if event.meeting.is_none() || oneself {
            return true;
        }
        let lobby = matches!(event.kind, "person.waiting" | "person.unmute_requested");
        let hidden = event.kind.starts_with("call.")
            || (event.kind.starts_with("person.") && text("role") == Some("attendee"));
        (self.host || !lobby) && (self.everybody || !hidden)
    }

    /// Whether this event changes what the reader may see, so that [`Services::viewer`] must be asked again.
    pub fn is_concerned_by(&self, event: &Event) -> bool {
        if event.kind == "meeting.updated" {
            return true;
        }
        let person = event.data.get("person").map(|person| person.get("id").unwrap_or(person));
        matches!(event.kind, "person.role_changed" | "person.access_changed" | "person.removed")
            && self.person.as_ref().is_some_and(|own| person.and_then(Value::as_str) == Some(own.as_str()))
    }
}

impl Services {
    /// What the asker may see of a meeting's events; without a meeting, of the tenant's.
    ///
    /// # Errors
    /// Not found if the asker may not know of the meeting.
    pub async fn viewer(&self, actor: &Actor, meeting: Option<&MeetingId>) -> Result<Viewer, ServiceError> {
        let own = match actor {
            Actor::Participant(participant) => Some(&participant.meeting),
            Actor::User(_) => None,
        };
        let meeting = meeting.or(own);
        let reach = match meeting {
            Some(meeting) => Some(self.reach(actor, meeting).await?),
            None => None,
        };
        let admin = matches!(actor, Actor::User(user) if user.reaches_all_meetings());
        // Which devices are registered is nothing for guests.
        let tenant_wide = actor.member().is_ok();
        Ok(Viewer {
            filter: EventFilter {
                tenant: actor.tenant().clone(),
                meeting: meeting.cloned(),
                all_meetings: meeting.is_none() && admin,
                tenant_wide,
                administration: admin,
            },
            person: reach.as_ref().and_then(|reach| reach.me.as_ref()).map(|me| me.id.clone()),
            numbers: reach.as_ref().map_or(admin, |reach| reach.sight().numbers),
            host: reach.as_ref().map_or(admin, super::reach::Reach::is_host),
            everybody: reach.as_ref().is_none_or(super::reach::Reach::sees_everybody),
        })
    }

    /// A meeting as it is now, for somebody who begins to watch.
    ///
    /// # Errors
    /// Not found if the asker may not know of the meeting.
    pub async fn watch(&self, actor: &Actor, meeting: &MeetingId) -> Result<Snapshot, ServiceError> {
        let reach = self.reach(actor, meeting).await?;
        let live = self.live.snapshot(meeting.clone()).await;
        let view = self.meeting_view(&reach, live.as_ref());
        let (mut calls, slots, active_speaker) =
            live.map(|live| (live.calls, live.slots, live.active_speaker)).unwrap_or_default();
        if !reach.sees_everybody() {
            calls.clear();
        }
        if !reach.sight().numbers {
            for call in &mut calls {
                if let Some(number) = call.number.take() {
                    call.target = masked_within(&call.target, &number);
                    call.display_name = masked_within(&call.display_name, &number);
                    call.number = Some(masked(&number));
                }
            }
        }
        let mut all = self.earlier_calls(&reach, &calls).await?;
        all.extend(calls.iter().map(|call| serde_json::json!(call)));
        Ok(Snapshot { people: view.people.clone(), meeting: view, calls: all, slots, active_speaker })
    }

    /// A browser's page is gone: its leg leaves.
    pub async fn browser_gone(&self, leg: LegId) {
        // A leg that has left by itself is no longer known, which is just as well.
        if let Err(refusal) = self.live.command(Command::DropLeg { leg }).await {
            tracing::debug!(leg.id = leg.0, %refusal, "a leg was gone already");
        }
    }
}

/// Masks `number` wherever it stands, and what beside it gives it away.
fn mask(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let number = fields.get("number").and_then(Value::as_str).map(str::to_owned);
            if let Some(number) = number {
                for name in ["number", "target", "display_name"] {
                    if let Some(Value::String(text)) = fields.get_mut(name) {
                        *text = masked_within(text, &number);
                    }
                }
            }
            fields.values_mut().for_each(mask);
        }
        Value::Array(values) => values.iter_mut().for_each(mask),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i06_a_hidden_list_is_hidden_in_the_stream_too() {
        let viewer = |host, everybody| Viewer {
            filter: EventFilter {
                tenant: "acme".into(),
                meeting: Some("m1".into()),
                all_meetings: false,
                tenant_wide: true,
                administration: false,
            },
            person: Some("p-ari".into()),
            numbers: false,
            host,
            everybody,
        };
        let event = |kind, id: &str, role: &str| Event {
            id: 1,
            kind,
            at: crate::vocabulary::UnixMillis(1),
            meeting: Some("m1".into()),
            data: serde_json::json!({ "person": { "id": id, "role": role } }),
            tenant: "acme".into(),
        };
        let (attendee, open, host) = (viewer(false, false), viewer(false, true), viewer(true, true));
        let uma = event("person.joined", "p-uma", "attendee");
        assert!(!attendee.sees(&uma) && open.sees(&uma) && host.sees(&uma));
        assert!(attendee.sees(&event("person.joined", "p-ari", "attendee")), "oneself");
        assert!(attendee.sees(&event("person.joined", "p-hana", "host")), "the stage");
        assert!(!attendee.sees(&event("call.ringing", "p-uma", "attendee")));
        let waiting = event("person.waiting", "p-uma", "attendee");
        assert!(!open.sees(&waiting) && host.sees(&waiting));
        assert!(open.sees(&event("person.waiting", "p-ari", "attendee")), "whoever waits knows it");
    }

    #[test]
    fn i60_numbers_in_events_are_masked_at_every_depth() {
        let mut data = serde_json::json!({
            "number": "+12025550177", "target": "+1 202 555 0177", "display_name": "+1 202 555 0177",
            "person": {"number": "+12025550120", "display_name": "Kim"}, "list": [{"number": "+12025550121"}],
        });
        mask(&mut data);
        assert!(!data.to_string().contains("+1"), "{data}");
        assert!(data.to_string().contains("0177"));
    }
}
