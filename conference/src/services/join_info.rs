//! Join information: the one block that is shown, copied and mailed (A27 to A31, I11).
//!
//! It is made from what is settled when the meeting is created, so it is final before the start and stays the same for a
//! room, and it is one text in every place; only a mail puts its reader's own link in.

use super::Services;
use super::actor::Actor;
use super::error::ServiceError;
use super::meetings::conflict;
use super::pins::opened;
use super::schedule::{Schedule, clock, millis};
use super::views::{DialIn, JoinInfo, Occurrence};
use crate::ids::MeetingId;
use crate::live::number;
use crate::live::pin::Pin;
use crate::store::{Connection, MeetingRow, Store, TenantRow, Vault};
use crate::vocabulary::MeetingState;
use std::fmt::Write as _;

/// What the block says beside the meeting itself.
#[derive(Clone, Debug)]
pub(crate) struct JoinFacts {
    domain: String,
    numbers: Vec<DialIn>,
    guest_pin: Option<Pin>,
}

impl JoinFacts {
    /// The block as plain text.
    pub(crate) fn text(&self, meeting: &MeetingRow, link: &str) -> String {
        let mut text = format!("{}\n", meeting.title);
        if let Some(schedule) = Schedule::of(&meeting.plan) {
            let _ = writeln!(text, "{}", schedule.words());
        }
        let _ = writeln!(text, "\nJoin by browser: {link}");
        let _ = writeln!(text, "Meeting number: {}", in_groups_of_three(&meeting.number));
        if let Some(pin) = &self.guest_pin {
            let _ = writeln!(text, "PIN: {}", pin.as_str());
        }
        for (index, number) in self.numbers.iter().enumerate() {
            let label = if index == 0 { "Dial in: " } else { "     or: " };
            let _ = writeln!(text, "{label}{}", number.display);
        }
        for number in &self.numbers {
            let _ = writeln!(text, "One tap: {}", self.one_tap(number, meeting));
        }
        let _ = writeln!(text, "Join by SIP phone: {}", self.sip_uri(meeting));
        text
    }

    /// What a mobile phone dials by itself: the number, a pause, meeting id and PIN.
    fn one_tap(&self, number: &DialIn, meeting: &MeetingRow) -> String {
        let pin = self.guest_pin.as_ref().map(|pin| format!(",,{}#", pin.as_str())).unwrap_or_default();
        format!("tel:{},,{}#{pin}", number.number, meeting.number)
    }

    fn sip_uri(&self, meeting: &MeetingRow) -> String {
        format!("sip:{}@{}", meeting.number, self.domain)
    }
}

impl Services {
    /// What is pasted into a message (A28, A35).
    ///
    /// # Errors
    /// Not found if the asker may not know of the meeting; a conflict for a draft, which has none yet.
    pub async fn join_info(&self, actor: &Actor, id: &MeetingId) -> Result<JoinInfo, ServiceError> {
        let reach = self.reach(actor, id).await?;
        let meeting = &reach.meeting;
        if meeting.state == MeetingState::Draft {
            return Err(conflict("A draft has no join information yet").mend("Create the meeting first"));
        }
        let tenant = self.store.tenant(&meeting.tenant).await?;
        let tenant = tenant.ok_or_else(|| ServiceError::internal("a meeting without tenant"))?;
        let facts = JoinFacts {
            domain: tenant.domain.clone(),
            numbers: sorted(self.store.dial_in_numbers(&tenant.id).await?, &tenant),
            guest_pin: opened(&self.vault, meeting.guest_pin.as_deref()),
        };
        let link = self.link(meeting.id.as_str());
        let shown = |sealed: Option<&str>| opened(&self.vault, sealed).map(|pin| pin.as_str().to_owned());
        let schedule = Schedule::of(&meeting.plan);
        Ok(JoinInfo {
            text: facts.text(meeting, &link),
            link,
            meeting_number: meeting.number.clone(),
            title: meeting.title.clone(),
            sip_uri: facts.sip_uri(meeting),
            when: schedule.as_ref().map(Schedule::words),
            start: schedule.as_ref().map(|schedule| millis(schedule.start())),
            start_local: schedule.as_ref().map(|schedule| clock(schedule.start())),
            duration_minutes: meeting.plan.duration_minutes,
            time_zone: meeting.plan.time_zone.clone(),
            rrule: meeting.plan.rrule.clone(),
            one_tap: facts.numbers.iter().map(|number| facts.one_tap(number, meeting)).collect(),
            dial_in: facts.numbers.clone(),
            guest_pin: shown(meeting.guest_pin.as_deref()),
            host_pin: shown(meeting.host_pin.as_deref()).filter(|_| reach.is_host()),
            personal_pin: reach.me.as_ref().and_then(|me| shown(me.pin.as_deref())),
        })
    }

    /// What the block says, read within a transaction.
    pub(crate) async fn join_facts(
        &self,
        connection: &mut Connection,
        meeting: &MeetingRow,
        tenant: &TenantRow,
    ) -> Result<JoinFacts, ServiceError> {
        Ok(JoinFacts {
            domain: tenant.domain.clone(),
            numbers: sorted(Store::dial_in_numbers_within(connection, &tenant.id).await?, tenant),
            guest_pin: guest_pin(&self.vault, meeting),
        })
    }

    /// The runs of a meeting that are planned and not over at `from`; none for instant meetings and rooms.
    ///
    /// # Errors
    /// Not found if the asker may not know of the meeting.
    pub async fn occurrences(
        &self,
        actor: &Actor,
        id: &MeetingId,
        from: Option<crate::vocabulary::UnixMillis>,
        limit: Option<u16>,
    ) -> Result<Vec<Occurrence>, ServiceError> {
        let reach = self.reach(actor, id).await?;
        let Some(schedule) = Schedule::of(&reach.meeting.plan) else { return Ok(Vec::new()) };
        let limit = limit.unwrap_or(50).min(super::schedule::OCCURRENCES_MAX);
        let spans = schedule.occurrences(from.unwrap_or_else(|| self.now()), limit);
        Ok(spans
            .into_iter()
            .map(|span| Occurrence {
                start: millis(span.start),
                end: millis(span.end),
                start_local: clock(span.start),
                utc_offset: span.start.format("%:z").to_string(),
            })
            .collect())
    }
}

fn guest_pin(vault: &Vault, meeting: &MeetingRow) -> Option<Pin> {
    opened(vault, meeting.guest_pin.as_deref())
}

/// The tenant's dial-in numbers, the local ones first: of its area code, then of its country.
fn sorted(numbers: Vec<String>, tenant: &TenantRow) -> Vec<DialIn> {
    let home = |e164: &str| {
        let country = number::country_of(e164);
        let at_home = country.as_deref() == Some(tenant.country.as_str());
        let area = tenant
            .area_code
            .as_deref()
            .is_some_and(|area| at_home && e164.get(2..).is_some_and(|rest| rest.starts_with(area)));
        (!area, !at_home)
    };
    let mut numbers: Vec<DialIn> = numbers
        .into_iter()
        .map(|e164| DialIn {
            display: number::display_of(&e164),
            country: number::country_of(&e164),
            number: e164,
        })
        .collect();
    numbers.sort_by_key(|dial_in| (home(&dial_in.number), dial_in.number.clone()));
    numbers
}

/// `123456789` as `123 456 789`, for reading out.
pub(super) fn in_groups_of_three(number: &str) -> String {
    let digits: Vec<char> = number.chars().collect();
    digits.chunks(3).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_groups() {
        assert_eq!(in_groups_of_three("123456789"), "123 456 789");
    }

    #[test]
    fn i11_local_numbers_come_first_and_the_block_says_everything() {
        let tenant = TenantRow {
            id: "t".into(),
            name: "Acme".into(),
            domain: "acme.test".into(),
            phone_address_domain: None,
            country: "US".into(),
            area_code: Some("202".into()),
        };
        let numbers = ["+442079460123", "+13125550123", "+12025550190"].map(str::to_owned).to_vec();
        let numbers = sorted(numbers, &tenant);
        let order: Vec<_> = numbers.iter().map(|number| number.number.as_str()).collect();
        assert_eq!(order, ["+12025550190", "+13125550123", "+442079460123"]);
        let meeting =
            MeetingRow { number: "900000001".into(), title: "Budget".into(), ..MeetingRow::default() };
        let facts = JoinFacts { domain: tenant.domain, numbers, guest_pin: Pin::parse("4816").ok() };
        let text = facts.text(&meeting, "https://meet.test/join/x");
        for part in ["Budget\n", "https://meet.test/join/x", "900 000 001", "PIN: 4816", "+1 202 555 0190"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(text.contains("One tap: tel:+12025550190,,900000001#,,4816#\n"), "{text}");
    }
}
