//! The document of the conference event package (RFC 4575): a meeting as a phone shows it.

use crate::ids::PersonId;
use crate::live::meeting::Meeting;
use crate::live::number::masked_within;
use crate::live::participant::Participant;
use crate::vocabulary::{LegKind, MeetingState, Role};
use sip_core::xml::escape;
use std::fmt::Write as _;

/// So many people are named; the others are only counted.
const NAMED: usize = 100;

/// What the reader may see.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// Numbers in full (I60).
    pub numbers: bool,
    /// Everybody who is in (I06); otherwise those on the stage, and oneself.
    pub everybody: bool,
    /// The reader's own row.
    pub oneself: Option<&'a PersonId>,
}

/// The whole state of a meeting. `{version}` stands where its version belongs.
pub fn conference_info(meeting: &Meeting, entity: &str, sight: &Sight<'_>) -> String {
    let active = matches!(meeting.state, MeetingState::Started | MeetingState::Active);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<conference-info \
         xmlns=\"urn:ietf:params:xml:ns:conference-info\" entity=\"{}\" state=\"full\" version=\"{{version}}\">\r\n",
        escape(entity)
    );
    // Writing to a string cannot fail, here and below.
    let _ = write!(
        text,
        "<conference-description><display-text>{}</display-text></conference-description>\r\n\
         <conference-state><user-count>{}</user-count><active>{active}</active><locked>{}</locked>\
         </conference-state>\r\n<users state=\"full\">\r\n",
        escape(&meeting.spec.title),
        meeting.present(),
        meeting.spec.settings.locked,
    );
    let seen = |row: &&Participant| {
        let stage = row.spec.role != Role::Attendee;
        row.is_present() && (sight.everybody || stage || sight.oneself == Some(&row.spec.person))
    };
    for row in meeting.people.values().filter(seen).take(NAMED) {
        write_user(&mut text, row, sight);
    }
    text + "</users>\r\n</conference-info>\r\n"
}

fn write_user(text: &mut String, row: &Participant, sight: &Sight<'_>) {
    let name = match &row.number {
        Some(number) if !sight.numbers => masked_within(&row.spec.display_name, number),
        _ => row.spec.display_name.clone(),
    };
    let role = match row.spec.role {
        Role::Host => "host",
        Role::Presenter => "presenter",
        Role::Attendee => "attendee",
    };
    // The address of a person here is the name the API gives them: their own number is nobody's business.
    let entity = format!("sip:{}@invalid", row.spec.person);
    let _ = write!(
        text,
        "<user entity=\"{}\"><display-text>{}</display-text><roles><entry>{role}</entry></roles>",
        escape(&entity),
        escape(&name)
    );
    let direction = if row.is_muted() { "recvonly" } else { "sendrecv" };
    for (kind, leg) in row.legs() {
        let way = match kind {
            LegKind::Sip => "phone",
            LegKind::Webrtc => "browser",
        };
        let _ = write!(
            text,
            "<endpoint entity=\"{};leg={}\"><display-text>{way}</display-text><status>connected</status>\
             <media id=\"1\"><type>audio</type><status>{direction}</status></media></endpoint>",
            escape(&entity),
            leg.0
        );
    }
    text.push_str("</user>\r\n");
}
