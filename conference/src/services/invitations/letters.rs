//! The words of the mails. Pure: everything they say is given.

use super::calendar::{self, Civil, Method, Party, When};
use crate::services::outbox::{Attachment, Correspondent, Letter};
use crate::vocabulary::{Access, Role, UnixMillis};
use std::fmt::Write as _;

/// Minutes before the start at which calendars remind of a meeting (I16).
const ALARM: u32 = 10;

/// What a mail is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    /// The first one.
    Invitation,
    /// Time or title have changed.
    Update,
    /// The meeting will not take place.
    Cancellation,
    /// This person need not come any more.
    Removal,
    /// It starts soon.
    Reminder,
}

impl Occasion {
    /// The word in the outbox.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Invitation | Self::Update => "request",
            Self::Cancellation | Self::Removal => "cancel",
            Self::Reminder => "reminder",
        }
    }

    fn subject(self) -> &'static str {
        match self {
            Self::Invitation => "Invitation",
            Self::Update => "Updated invitation",
            Self::Cancellation | Self::Removal => "Cancelled",
            Self::Reminder => "Starting soon",
        }
    }
}

/// Everything a mail about one meeting to one person says.
#[derive(Clone, Debug)]
pub(super) struct Notice<'a> {
    pub(super) occasion: Occasion,
    pub(super) id: &'a str,
    /// The tenant's domain: the right side of Message-ID and UID.
    pub(super) domain: &'a str,
    pub(super) at: UnixMillis,
    /// Of the calendar event.
    pub(super) uid: &'a str,
    pub(super) title: &'a str,
    pub(super) when: Option<&'a When>,
    pub(super) sequence: i64,
    /// Who invites, and how to reach them.
    pub(super) sender: &'a Correspondent,
    pub(super) to: &'a Correspondent,
    pub(super) role: Role,
    pub(super) access: Access,
    /// The personal link.
    pub(super) link: &'a str,
    /// The join information, with the personal link in it.
    pub(super) details: &'a str,
    /// Where an answer is given, without the answer.
    pub(super) rsvp: &'a str,
    /// Where calendars send their answer; to the inviter if missing.
    pub(super) replies: Option<&'a str>,
}

/// The mail.
pub(super) fn notice(notice: &Notice<'_>) -> Letter {
    let title = one_line(notice.title);
    let moment = notice.when.map(|when| format!(" ({})", short(when.start))).unwrap_or_default();
    let mut body = Body::default();
    body.lead(&opening(notice, &title));
    if let Some(when) = notice.when {
        body.line(&format!("When: {}", long(when)));
    } else if matches!(notice.occasion, Occasion::Invitation | Occasion::Update) {
        body.line("When: no fixed time; your link works from now on.");
    }
    if notice.occasion.kind() != "cancel" {
        joining(&mut body, notice);
    }
    body.small(&ignore(notice.sender));
    Letter {
        message_id: format!("<{}@{}>", notice.id, notice.domain),
        date: notice.at,
        from_name: one_line(&notice.sender.name),
        reply_to: Some(notice.sender.clone()).filter(|sender| !sender.address.is_empty()),
        to: notice.to.clone(),
        subject: format!("{}: {title}{moment}", notice.occasion.subject()),
        text: body.text,
        html: page(&body.html),
        calendar: notice.when.and_then(|when| attachment(notice, when, &title)),
    }
}

fn opening(notice: &Notice<'_>, title: &str) -> String {
    let who = one_line(&notice.sender.name);
    match notice.occasion {
        Occasion::Invitation => format!("{who} invites you to the meeting \"{title}\"."),
        Occasion::Update => {
            format!("{who} has changed the meeting \"{title}\". This replaces what you were told before.")
        }
        Occasion::Cancellation => format!("The meeting \"{title}\" of {who} will not take place."),
        Occasion::Removal => {
            format!(
                "You are no longer invited to the meeting \"{title}\" of {who}. Your link does not work any more."
            )
        }
        Occasion::Reminder => format!("The meeting \"{title}\" of {who} starts soon."),
    }
}

fn joining(body: &mut Body, notice: &Notice<'_>) {
    let role = match (notice.role, notice.access) {
        (_, Access::ViewOnly) => "You see and hear, and send nothing (VIEW ONLY).",
        (Role::Host, _) => "Your role: Host.",
        (Role::Presenter, _) => "Your role: Presenter.",
        (Role::Attendee, _) => "Your role: Attendee.",
    };
    body.line(role);
    body.line("Join with your personal link. It is yours alone: do not pass it on.");
    body.link("Join the meeting", notice.link);
    body.block(notice.details);
    if notice.occasion != Occasion::Reminder {
        body.line("Will you come?");
        for (label, answer) in [("Yes", "accepted"), ("Maybe", "tentative"), ("No", "declined")] {
            body.link(label, &format!("{}?answer={answer}", notice.rsvp));
        }
    }
}

/// Who sent it, and that nothing happens to those who do nothing (I19).
fn ignore(sender: &Correspondent) -> String {
    let who = match sender.address.is_empty() {
        true => one_line(&sender.name),
        false => format!("{} ({})", one_line(&sender.name), one_line(&sender.address)),
    };
    format!(
        "{who} sent this with Partyline. If you did not expect it you can ignore it: nothing happens then."
    )
}

fn attachment(notice: &Notice<'_>, when: &When, title: &str) -> Option<Attachment> {
    let method = match notice.occasion {
        Occasion::Invitation | Occasion::Update => Method::Request,
        Occasion::Cancellation | Occasion::Removal => Method::Cancel,
        Occasion::Reminder => return None,
    };
    let organiser = match (notice.replies, notice.sender.address.is_empty()) {
        (Some(replies), _) => replies.to_owned(),
        (None, true) => format!("nobody@{}", notice.domain),
        (None, false) => notice.sender.address.clone(),
    };
    let event = calendar::Event {
        method,
        uid: notice.uid,
        sequence: notice.sequence,
        stamp: notice.at,
        when,
        summary: title,
        description: notice.details,
        url: notice.link,
        organiser: Party { name: &notice.sender.name, address: &organiser },
        attendee: Party { name: &notice.to.name, address: &notice.to.address },
        alarm: Some(ALARM),
    };
    Some(Attachment { method, text: calendar::write(&event) })
}

/// The UID of a meeting in every calendar.
pub(crate) fn uid(meeting: &str, domain: &str) -> String {
    format!("{meeting}@{domain}")
}

/// One meeting of a digest.
#[derive(Clone, Debug)]
pub(super) struct DigestEntry {
    pub(super) title: String,
    pub(super) when: Option<When>,
    pub(super) link: String,
    pub(super) details: String,
}

/// One mail for all the meetings somebody was added to at once (B26).
pub(super) fn digest(
    (id, domain, at): (&str, &str, UnixMillis),
    sender: &Correspondent,
    to: &Correspondent,
    access: Access,
    entries: &[DigestEntry],
) -> Letter {
    let mut body = Body::default();
    let many = entries.len();
    let meetings = if many == 1 { "1 meeting".to_owned() } else { format!("{many} meetings") };
    body.lead(&format!("{} invites you to {meetings}.", one_line(&sender.name)));
    if access == Access::ViewOnly {
        body.line("You see and hear, and send nothing (VIEW ONLY).");
    }
    for entry in entries {
        body.head(&one_line(&entry.title));
        if let Some(when) = &entry.when {
            body.line(&format!("When: {}", long(when)));
        }
        body.link("Join the meeting", &entry.link);
        body.block(&entry.details);
    }
    body.small(&ignore(sender));
    Letter {
        message_id: format!("<{id}@{domain}>"),
        date: at,
        from_name: one_line(&sender.name),
        reply_to: Some(sender.clone()).filter(|sender| !sender.address.is_empty()),
        to: to.clone(),
        subject: format!("Invitation to {meetings}"),
        text: body.text,
        html: page(&body.html),
        calendar: None,
    }
}

/// The same words as plain text and as HTML.
#[derive(Default)]
struct Body {
    text: String,
    html: String,
}

impl Body {
    fn paragraph(&mut self, text: &str, html: &str) {
        let _ = write!(self.text, "{text}\n\n");
        self.html.push_str(html);
        self.html.push('\n');
    }

    fn lead(&mut self, text: &str) {
        self.paragraph(text, &format!("<p style=\"font-size:1.15em\">{}</p>", escaped(text)));
    }

    fn head(&mut self, text: &str) {
        self.paragraph(text, &format!("<h2 style=\"font-size:1.05em\">{}</h2>", escaped(text)));
    }

    fn line(&mut self, text: &str) {
        self.paragraph(text, &format!("<p>{}</p>", escaped(text)));
    }

    fn small(&mut self, text: &str) {
        self.paragraph(text, &format!("<p style=\"color:#555;font-size:.9em\">{}</p>", escaped(text)));
    }

    fn link(&mut self, label: &str, url: &str) {
        let html = format!("<p><a href=\"{}\">{}</a></p>", escaped(url), escaped(label));
        self.paragraph(&format!("{label}: {url}"), &html);
    }

    /// Several lines that belong together.
    fn block(&mut self, text: &str) {
        let lines: Vec<String> = text.trim().lines().map(one_line).collect();
        let html = lines.iter().map(|line| escaped(line)).collect::<Vec<_>>().join("<br>\n");
        self.paragraph(
            &lines.join("\n"),
            &format!("<p style=\"border-left:3px solid #ccc;padding-left:1em\">{html}</p>"),
        );
    }
}

fn page(body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"></head>\n\
         <body style=\"font-family:sans-serif;max-width:40em\">\n{body}</body></html>\n"
    )
}

/// Text within HTML, also within a quoted attribute.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Whatever would end a line becomes a space (I93): a name must not begin a header or a line of its own.
pub(crate) fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c })
        .collect()
}

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

fn named<'a>(names: &[&'a str], at: u64) -> &'a str {
    usize::try_from(at).ok().and_then(|at| names.get(at)).copied().unwrap_or_default()
}

/// `Fri 15 Jan 2027, 08:00 UTC`.
fn short(at: UnixMillis) -> String {
    let civil = Civil::utc(at);
    let month: String = named(&MONTHS, civil.month.saturating_sub(1)).chars().take(3).collect();
    let day: String = named(&DAYS, civil.weekday).chars().take(3).collect();
    format!("{day} {} {month} {}, {:02}:{:02} UTC", civil.day, civil.year, civil.hour, civil.minute)
}

/// `Friday 15 January 2027, 08:00 to 09:00 UTC`, with the local time where the zone is known.
fn long(when: &When) -> String {
    let (start, end) = (Civil::utc(when.start), Civil::utc(when.end));
    let month = named(&MONTHS, start.month.saturating_sub(1));
    let day = named(&DAYS, start.weekday);
    let mut text = format!(
        "{day} {} {month} {}, {:02}:{:02} to {:02}:{:02} UTC",
        start.day, start.year, start.hour, start.minute, end.hour, end.minute
    );
    if let Some(zone) = &when.zone {
        let clock = |local: &str| Some(format!("{}:{}", local.get(9..11)?, local.get(11..13)?));
        if let (Some(from), Some(to)) = (clock(&zone.local_start), clock(&zone.local_end)) {
            let _ = write!(text, " ({from} to {to} {})", one_line(&zone.name));
        }
    }
    if when.rule.is_some() {
        text.push_str(", a series");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn correspondent(name: &str, address: &str) -> Correspondent {
        Correspondent { name: name.to_owned(), address: address.to_owned() }
    }

    fn compose(occasion: Occasion, title: &str, when: Option<&When>) -> Letter {
        let (sender, to) =
            (correspondent("Hana Hale", "hana@acme.test"), correspondent("Ari Arlo", "ari@acme.test"));
        notice(&Notice {
            occasion,
            id: "o1",
            domain: "acme.test",
            at: UnixMillis(1_800_000_000_000),
            uid: "m1@acme.test",
            title,
            when,
            sequence: 0,
            sender: &sender,
            to: &to,
            role: Role::Presenter,
            access: Access::Collaborate,
            link: "https://meet.acme.test/join/abc",
            details: "M1\n\nMeeting number: 123 456 789\n",
            rsvp: "https://meet.acme.test/v1/rsvp/i1.abc",
            replies: None,
        })
    }

    fn when() -> When {
        When {
            start: UnixMillis(1_800_003_600_000),
            end: UnixMillis(1_800_007_200_000),
            rule: None,
            zone: None,
        }
    }

    #[test]
    fn i19_the_mail_says_who_invites_what_for_and_that_it_can_be_ignored() {
        let when = when();
        let letter = compose(Occasion::Invitation, "Planning", Some(&when));
        assert_eq!(letter.subject, "Invitation: Planning (Fri 15 Jan 2027, 09:00 UTC)");
        assert_eq!(letter.message_id, "<o1@acme.test>");
        for text in [&letter.text, &letter.html] {
            for said in [
                "Hana Hale invites you to the meeting",
                "Planning",
                "Friday 15 January 2027, 09:00 to 10:00 UTC",
                "Your role: Presenter",
                "https://meet.acme.test/join/abc",
                "Meeting number: 123 456 789",
                "?answer=declined",
                "you can ignore it",
            ] {
                assert!(text.contains(said), "{said} in {text}");
            }
        }
        let calendar = letter.calendar.unwrap();
        assert!(calendar.text.contains("UID:m1@acme.test\r\n"), "{}", calendar.text);
    }

    #[test]
    fn a_meeting_without_time_has_no_calendar_object() {
        let letter = compose(Occasion::Invitation, "M1", None);
        assert_eq!(letter.subject, "Invitation: M1");
        assert!(letter.calendar.is_none());
        assert!(letter.text.contains("no fixed time"));
    }

    #[test]
    fn i10_a_cancellation_gives_no_link() {
        let when = when();
        for occasion in [Occasion::Cancellation, Occasion::Removal] {
            let letter = compose(occasion, "M1", Some(&when));
            assert!(!letter.text.contains("/join/") && !letter.html.contains("/join/"), "{}", letter.text);
            assert_eq!(letter.calendar.unwrap().method, Method::Cancel);
        }
    }

    #[test]
    fn w5_titles_are_one_line_and_no_markup() {
        let letter =
            compose(Occasion::Invitation, "x\r\nBcc: evil@else.test\u{2028}<script>alert(1)</script>", None);
        assert!(!letter.subject.chars().any(|c| c.is_control() || c == '\u{2028}'), "{:?}", letter.subject);
        assert!(!letter.text.contains("\nBcc:"));
        assert!(!letter.html.contains("<script>") && letter.html.contains("&lt;script&gt;"));
    }
}
