//! Mails of meetings with a time: updates, cancellations, calendar objects, digests.

use crate::ids::{MeetingId, UserId};
use crate::services::outbox::{Channel, Letter, Method};
use crate::services::testing::{Bench, PostOffice};
use crate::services::views::Person;
use crate::services::{Actor, UserActor, meetings::NewMeeting, people::NewPerson};
use crate::store::MeetingRow;
use crate::vocabulary::{Access, TenantRole};
use std::sync::Arc;

struct Scene {
    bench: Bench,
    office: Arc<PostOffice>,
    hana: UserActor,
}

impl Scene {
    async fn new() -> Self {
        let bench = Bench::new().await;
        let row = bench.store.users_by_typed_login("hana").await.unwrap().remove(0);
        let hana = UserActor {
            tenant: row.tenant,
            user: row.id,
            display_name: row.display_name,
            role: TenantRole::User,
        };
        Self { bench, office: Arc::default(), hana }
    }

    fn actor(&self) -> Actor {
        Actor::User(self.hana.clone())
    }

    async fn user(&self, login: &str) -> UserId {
        self.bench.store.users_by_typed_login(login).await.unwrap().remove(0).id
    }

    /// A meeting on 16 January 2027 with Pia, Ari and a guest; nobody has been told yet.
    async fn meeting(&self) -> MeetingRow {
        let person = |user: UserId| NewPerson { user: Some(user), ..NewPerson::default() };
        let people = vec![
            person(self.user("pia").await),
            person(self.user("ari").await),
            NewPerson { email: Some("guest@else.test".to_owned()), ..NewPerson::default() },
        ];
        let new = NewMeeting { title: "M1".to_owned(), people, ..Default::default() };
        let meeting = self.bench.services.create_meeting(&self.actor(), new).await.unwrap();
        self.change(&meeting.id, "start_at = 1800090000000, duration_minutes = 30, time_zone = 'Etc/UTC'")
            .await
    }

    /// Changes the row of a meeting.
    async fn change(&self, meeting: &MeetingId, what: &str) -> MeetingRow {
        let mut transaction = self.bench.store.begin().await.unwrap();
        let text = format!("UPDATE meetings SET {what} WHERE id = '{meeting}'");
        sqlx::query(sqlx::AssertSqlSafe(text)).execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
        self.bench.store.meeting(&self.hana.tenant, meeting).await.unwrap().unwrap()
    }

    async fn changed(&self, before: &MeetingRow, after: &MeetingRow) {
        let mut transaction = self.bench.store.begin().await.unwrap();
        let told = self.bench.services.meeting_changed(&mut transaction, before, after).await.unwrap();
        transaction.commit().await.unwrap();
        self.bench.services.tell(told);
    }

    async fn mail(&self) -> Vec<Letter> {
        self.bench.carry(Channel::Mail, &self.office).await;
        self.office.letters()
    }

    async fn people(&self, meeting: &MeetingId) -> Vec<Person> {
        self.bench.services.people(&self.actor(), meeting).await.unwrap()
    }
}

/// A property of the calendar object, unfolded.
fn property(letter: &Letter, name: &str) -> String {
    let text = letter.calendar.as_ref().unwrap().text.replace("\r\n ", "");
    let line = text.split("\r\n").find(|line| line.starts_with(name)).unwrap_or_default();
    line[name.len()..].to_owned()
}

#[tokio::test]
async fn i10_i16_a_change_raises_the_sequence_and_a_deletion_cancels_under_the_same_uid() {
    let scene = Scene::new().await;
    let first = scene.meeting().await;
    assert_eq!(scene.mail().await.len(), 3, "the invitations, written before the meeting had a time");
    scene.changed(&first, &first).await;
    let second = scene.change(&first.id, "title = 'M2', ics_sequence = 5").await;
    let letters = scene.mail().await;
    assert_eq!(letters.len(), 6);
    scene.changed(&first, &second).await;
    let mut transaction = scene.bench.store.begin().await.unwrap();
    scene.bench.services.meeting_cancelled(&mut transaction, &second).await.unwrap();
    transaction.commit().await.unwrap();
    let letters = scene.mail().await;
    let of = |address: &str| letters.iter().filter(|letter| letter.to.address == address).collect::<Vec<_>>();
    for address in ["pia@acme.test", "ari@acme.test", "guest@else.test"] {
        let told = of(address);
        let [invited, updated, rest @ ..] = told.as_slice() else { panic!("{letters:?}") };
        assert_eq!(invited.subject, "Invitation: M1");
        assert_eq!(updated.subject, "Updated invitation: M1 (Sat 16 Jan 2027, 09:00 UTC)");
        assert_eq!(property(updated, "METHOD:"), "REQUEST");
        assert_eq!(property(updated, "SEQUENCE:"), "1");
        assert_eq!(property(updated, "DTSTART:"), "20270116T090000Z");
        assert_eq!(property(updated, "DTEND:"), "20270116T093000Z");
        // The second change was not sent before the deletion came: only the deletion is.
        let [cancelled] = rest else { panic!("{} more mails to {address}", rest.len()) };
        assert_eq!(cancelled.calendar.as_ref().unwrap().method, Method::Cancel);
        assert_eq!(property(cancelled, "UID:"), property(updated, "UID:"));
        let sequence: i64 = property(cancelled, "SEQUENCE:").parse().unwrap();
        assert!(sequence > 5, "{sequence}");
        assert_ne!(cancelled.message_id, updated.message_id);
    }
}

#[tokio::test]
async fn i10_removing_one_person_cancels_for_that_one_alone() {
    let scene = Scene::new().await;
    let meeting = scene.meeting().await;
    scene.mail().await;
    let people = scene.people(&meeting.id).await;
    let ari = people.iter().find(|person| person.display_name.starts_with("Ari")).unwrap();
    scene.bench.services.remove_person(&scene.actor(), &meeting.id, &ari.id).await.unwrap();
    let letters = scene.mail().await;
    assert_eq!(letters.len(), 4);
    assert_eq!(letters[3].to.address, "ari@acme.test");
    assert_eq!(property(&letters[3], "METHOD:"), "CANCEL");
    // A change after that is told to the others.
    scene.changed(&meeting, &meeting).await;
    let letters = scene.mail().await;
    assert!(letters[4..].iter().all(|letter| letter.to.address != "ari@acme.test"), "{letters:?}");
    assert_eq!(letters.len(), 6);
}

#[tokio::test]
async fn a18_a_change_before_anything_was_sent_sends_the_newest_alone() {
    let scene = Scene::new().await;
    let meeting = scene.meeting().await;
    let renamed = scene.change(&meeting.id, "title = 'M2'").await;
    scene.changed(&meeting, &renamed).await;
    let letters = scene.mail().await;
    assert_eq!(letters.len(), 3, "one each");
    assert!(letters.iter().all(|letter| letter.subject.starts_with("Invitation: M2")), "{letters:?}");
}

#[tokio::test]
async fn i17_an_answer_is_asked_anew_when_the_time_changes() {
    let scene = Scene::new().await;
    let meeting = scene.meeting().await;
    let letters = scene.mail().await;
    let at = letters[0].text.find("/v1/rsvp/").unwrap() + "/v1/rsvp/".len();
    let token = letters[0].text[at..].split('?').next().unwrap().to_owned();
    let services = &scene.bench.services;
    services.answer_invitation(&token, crate::services::views::Rsvp::Declined).await.unwrap();
    let said = async || {
        let people = scene.people(&meeting.id).await;
        people.iter().filter(|one| one.invitation.as_ref().is_some_and(|row| row.rsvp.is_some())).count()
    };
    assert_eq!(said().await, 1);
    scene.changed(&meeting, &meeting).await;
    assert_eq!(said().await, 0);
}

#[tokio::test]
async fn b26_three_sessions_are_one_mail() {
    let scene = Scene::new().await;
    let services = &scene.bench.services;
    let uma = scene.user("uma").await;
    let tenant = scene.bench.store.tenant(&scene.hana.tenant).await.unwrap().unwrap();
    let mut sessions = Vec::new();
    for title in ["Monday", "Tuesday", "Wednesday"] {
        let new = NewMeeting { title: title.to_owned(), ..Default::default() };
        let meeting = services.create_meeting(&scene.actor(), new).await.unwrap();
        let reach = services.reach(&scene.actor(), &meeting.id).await.unwrap();
        let person =
            NewPerson { user: Some(uma.clone()), access: Some(Access::ViewOnly), ..NewPerson::default() };
        let invitees = services.invitees(&scene.hana, &[person], "users").await.unwrap();
        let mut transaction = scene.bench.store.begin().await.unwrap();
        let row =
            services.put_person(&mut transaction, &scene.hana, &reach, &invitees[0], "multi").await.unwrap();
        transaction.commit().await.unwrap();
        sessions.push((reach.meeting.clone(), row));
    }
    let mut transaction = scene.bench.store.begin().await.unwrap();
    let told = services
        .queue_digest(&mut transaction, &scene.hana, &tenant, &sessions, Access::ViewOnly)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    services.tell(told);
    let letters = scene.mail().await;
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (letters[0].to.address.as_str(), letters[0].subject.as_str()),
        ("uma@acme.test", "Invitation to 3 meetings")
    );
    for said in ["Monday", "Tuesday", "Wednesday", "VIEW ONLY", "you can ignore it"] {
        assert!(letters[0].text.contains(said), "{said}: {}", letters[0].text);
    }
    assert_eq!(letters[0].text.matches("/join/").count() / 2, 3, "a link of her own to each");
    for (meeting, person) in &sessions {
        let people = scene.people(&meeting.id).await;
        let row = people.iter().find(|row| row.id == person.id).unwrap();
        let status = row.invitation.as_ref().unwrap().status;
        assert_eq!(status, crate::services::views::InvitationStatus::Sent, "{}", meeting.title);
    }
}
