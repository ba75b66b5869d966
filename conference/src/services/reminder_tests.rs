use crate::ids::UserId;
use crate::services::meetings::NewMeeting;
use crate::services::outbox::{Channel, Letter, Outcome};
use crate::services::people::NewPerson;
use crate::services::planning::MeetingChange;
use crate::services::schedule::When;
use crate::services::testing::{Bench, PostOffice};
use crate::services::views::{Meeting, Rsvp};
use crate::services::{Actor, UserActor};
use crate::vocabulary::{MeetingForm, TenantRole};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// It is 08:00 UTC on Friday, 15 January 2027.
struct Scene {
    bench: Bench,
    office: Arc<PostOffice>,
    hana: Actor,
}

fn at(start: &str) -> When {
    When { start: Some(start.to_owned()), time_zone: Some("UTC".to_owned()), ..When::default() }
}

impl Scene {
    async fn new() -> Self {
        let bench = Bench::new().await;
        let row = bench.store.users_by_typed_login("hana").await.unwrap().remove(0);
        let hana = Actor::User(UserActor {
            tenant: row.tenant,
            user: row.id,
            display_name: row.display_name,
            role: TenantRole::User,
        });
        Self { bench, office: Arc::default(), hana }
    }

    async fn user(&self, login: &str) -> UserId {
        self.bench.store.users_by_typed_login(login).await.unwrap().remove(0).id
    }

    /// A meeting of Hana's with Pia, a guest by mail and a phone number; the invitations are out.
    async fn meeting(&self, form: MeetingForm, when: When) -> Meeting {
        let people = vec![
            NewPerson { user: Some(self.user("pia").await), ..NewPerson::default() },
            NewPerson { email: Some("guest@else.test".to_owned()), ..NewPerson::default() },
            NewPerson { number: Some("+12025550177".to_owned()), ..NewPerson::default() },
        ];
        let new = NewMeeting { title: "M1".to_owned(), form, when, people, ..NewMeeting::default() };
        let meeting = self.bench.services.create_meeting(&self.hana, new).await.unwrap();
        self.mail().await;
        meeting
    }

    async fn change(&self, meeting: &Meeting, change: MeetingChange) {
        self.bench.services.change_meeting(&self.hana, &meeting.id, change).await.unwrap();
    }

    async fn switch(&self, meeting: &Meeting, on: bool) {
        let settings = json!({ "reminder": on }).as_object().cloned().unwrap();
        self.change(meeting, MeetingChange { settings, ..MeetingChange::default() }).await;
    }

    async fn mail(&self) -> Vec<Letter> {
        self.bench.carry(Channel::Mail, &self.office).await;
        self.office.letters()
    }

    /// Lets the clock run, looking for reminders every 30 seconds, and says who was sent one, in order.
    async fn reminded(&self, minutes: u32) -> Vec<String> {
        let before = self.mail().await.len();
        for _ in 0..2 * minutes {
            self.bench.clock.advance(MINUTE / 2);
            if self.bench.services.send_reminders().await.unwrap() > 0 {
                self.mail().await;
            }
        }
        let letters = self.mail().await.split_off(before);
        let reminders = letters.iter().filter(|letter| letter.subject.starts_with("Starting soon"));
        // They leave side by side, in any order.
        let mut lines: Vec<String> =
            reminders.map(|letter| format!("{} {}", letter.to.address, letter.subject)).collect();
        lines.sort();
        lines
    }
}

const BOTH: [&str; 2] = [
    "guest@else.test Starting soon: M1 (Fri 15 Jan 2027, 09:00 UTC)",
    "pia@acme.test Starting soon: M1 (Fri 15 Jan 2027, 09:00 UTC)",
];

#[tokio::test]
async fn i18_ten_minutes_before_the_start_everybody_invited_is_sent_one_mail() {
    let scene = Scene::new().await;
    scene.meeting(MeetingForm::Scheduled, at("2027-01-15T09:00:00")).await;
    assert!(scene.reminded(49).await.is_empty(), "not before");
    assert_eq!(scene.reminded(1).await, BOTH);
    assert!(scene.reminded(90).await.is_empty(), "and no second one");
    let letters = scene.office.letters();
    let reminder = letters.last().unwrap();
    assert!(reminder.calendar.is_none() && reminder.text.contains("/join/"), "{}", reminder.text);
}

#[tokio::test]
async fn i18_who_said_no_or_was_removed_is_not_reminded() {
    let scene = Scene::new().await;
    let meeting = scene.meeting(MeetingForm::Scheduled, at("2027-01-15T09:00:00")).await;
    let invited = scene.office.letters();
    let mail = invited.iter().find(|letter| letter.to.address == "pia@acme.test").unwrap();
    let from = mail.text.find("/v1/rsvp/").unwrap() + "/v1/rsvp/".len();
    let token = mail.text[from..].split('?').next().unwrap();
    let services = &scene.bench.services;
    services.answer_invitation(token, Rsvp::Declined).await.unwrap();
    assert_eq!(scene.reminded(50).await, BOTH[..1]);
    let meeting_two = scene.meeting(MeetingForm::Scheduled, at("2027-01-15T12:00:00")).await;
    let guest = meeting_two.people.iter().find(|person| person.display_name.contains("guest")).unwrap();
    services.remove_person(&scene.hana, &meeting_two.id, &guest.id).await.unwrap();
    assert_ne!(meeting.id, meeting_two.id);
    let reminded = scene.reminded(180).await;
    assert_eq!(reminded, ["pia@acme.test Starting soon: M1 (Fri 15 Jan 2027, 12:00 UTC)"]);
}

#[tokio::test]
async fn i18_reminders_are_switched_off_and_on_for_one_meeting() {
    let scene = Scene::new().await;
    let meeting = scene.meeting(MeetingForm::Scheduled, at("2027-01-15T09:00:00")).await;
    scene.switch(&meeting, false).await;
    assert!(scene.reminded(30).await.is_empty());
    scene.switch(&meeting, true).await;
    assert_eq!(scene.reminded(20).await, BOTH);
    scene.switch(&meeting, false).await;
    scene.switch(&meeting, true).await;
    assert!(scene.reminded(10).await.is_empty(), "switching back and forth reminds nobody twice");
    let other = scene.meeting(MeetingForm::Scheduled, at("2027-01-15T12:00:00")).await;
    scene.switch(&other, false).await;
    assert!(scene.reminded(200).await.is_empty());
}

#[tokio::test]
async fn i18_a_meeting_that_was_moved_is_reminded_of_at_its_new_time_and_one_called_off_never() {
    let scene = Scene::new().await;
    let meeting = scene.meeting(MeetingForm::Scheduled, at("2027-01-15T09:00:00")).await;
    let off = scene.meeting(MeetingForm::Scheduled, at("2027-01-15T09:30:00")).await;
    // The reminder is written while the mail server is away, then the meeting moves.
    let down = || Outcome::Later { code: None, words: "no answer".to_owned() };
    scene.office.answer([down(), down()]);
    assert!(scene.reminded(50).await.is_empty());
    let when = When { start: Some("2027-01-15T10:00:00".to_owned()), ..When::default() };
    scene.change(&meeting, MeetingChange { when, ..MeetingChange::default() }).await;
    scene.bench.services.cancel_meeting(&scene.hana, &off.id).await.unwrap();
    assert!(scene.reminded(45).await.is_empty(), "what was not sent yet is not sent any more");
    let moved = scene.reminded(25).await;
    assert_eq!(moved, BOTH.map(|line| line.replace("09:00", "10:00")));
}

#[tokio::test]
async fn i18_each_run_of_a_recurring_meeting_has_its_own_reminder() {
    let scene = Scene::new().await;
    let daily = When {
        start: Some("2027-01-15T09:00:00".to_owned()),
        time_zone: Some("America/Chicago".to_owned()),
        rrule: Some("FREQ=DAILY;COUNT=3".to_owned()),
        ..When::default()
    };
    scene.meeting(MeetingForm::Recurring, daily).await;
    let mut days = Vec::new();
    for _ in 0..4 {
        days.push(scene.reminded(24 * 60).await);
    }
    let expected = |day: &str| BOTH.map(|line| line.replace("Fri 15", day).replace("09:00", "15:00"));
    assert_eq!(days[..3], ["Fri 15", "Sat 16", "Sun 17"].map(|day| expected(day).to_vec()));
    assert!(days[3].is_empty(), "three runs, three reminders");
}

#[tokio::test]
async fn i18_after_a_pause_a_meeting_to_come_is_reminded_of_and_a_missed_one_is_not() {
    let scene = Scene::new().await;
    scene.meeting(MeetingForm::Scheduled, at("2027-01-15T09:00:00")).await;
    scene.meeting(MeetingForm::Scheduled, at("2027-01-15T09:10:00")).await;
    // Nobody looked for 65 minutes.
    scene.bench.clock.advance(65 * MINUTE);
    assert_eq!(scene.bench.services.send_reminders().await.unwrap(), 2, "the second meeting alone");
    assert_eq!(scene.bench.services.send_reminders().await.unwrap(), 0);
    // Whoever is invited within the last ten minutes has just been told when it starts.
    scene.meeting(MeetingForm::Scheduled, at("2027-01-15T09:12:00")).await;
    assert!(scene.reminded(20).await.is_empty(), "the two were carried with the invitations");
    let reminders =
        scene.office.letters().iter().filter(|letter| letter.subject.starts_with("Starting soon")).count();
    assert_eq!(reminders, 2);
}
