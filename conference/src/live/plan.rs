//! Who hears and sees whom: a pure function from a person's standing to the mixer's plan for one leg.

use crate::live::policy::Action;
use crate::live::rights::{self, Rank, Rules};
use crate::vocabulary::LegKind;
use media::worker::LegPlan;

/// Everything that decides what one leg may send and receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The meeting's type and settings.
    pub rules: Rules,
    /// The person's role and access.
    pub rank: Rank,
    /// Whether the leg is in the meeting at all (not ringing, not at the gate, not in the lobby, not yet answered).
    pub admitted: bool,
    /// Muted by a Host or by oneself.
    pub muted: bool,
    /// The far end holds us: its hold music stays out, and it hears nothing.
    pub held: bool,
    /// What kind of leg this is.
    pub leg: LegKind,
    /// The person also has a phone in the meeting: then this browser carries no audio, or there would be an echo.
    pub audio_by_phone: bool,
}

/// The mixer's plan for a leg. A leg that is not admitted neither sends nor receives; VIEW ONLY wins over the role.
pub fn plan(standing: &Standing) -> LegPlan {
    if !standing.admitted {
        return LegPlan::default();
    }
    let browser = standing.leg == LegKind::Webrtc;
    let elsewhere = browser && standing.audio_by_phone;
    let audio = !standing.held && !elsewhere;
    let may = |action| rights::may(action, &standing.rules, &standing.rank);
    LegPlan {
        send_audio: audio && !standing.muted && may(Action::Speak),
        receive_audio: audio && may(Action::HearAndSee),
        send_video: browser && may(Action::Camera),
        receive_video: browser && may(Action::HearAndSee),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::{Access, MeetingKind, Role};

    const ROLES: [Role; 3] = [Role::Host, Role::Presenter, Role::Attendee];
    const KINDS: [MeetingKind; 2] = [MeetingKind::Conference, MeetingKind::Presentation];

    fn standing(kind: MeetingKind, role: Role, access: Access) -> Standing {
        Standing {
            rules: Rules::of(kind),
            rank: Rank { role, access, ..Rank::default() },
            admitted: true,
            muted: false,
            held: false,
            leg: LegKind::Webrtc,
            audio_by_phone: false,
        }
    }

    #[test]
    fn a58_a_phone_in_the_meeting_hears_and_is_heard() {
        let plan = plan(&Standing {
            leg: LegKind::Sip,
            ..standing(MeetingKind::Conference, Role::Attendee, Access::Collaborate)
        });
        assert!(plan.send_audio && plan.receive_audio);
        assert!(!plan.send_video && !plan.receive_video, "phones have no video");
    }

    #[test]
    fn a59_an_attendee_of_a_presentation_sends_nothing() {
        let plan = plan(&standing(MeetingKind::Presentation, Role::Attendee, Access::Collaborate));
        assert!(!plan.send_audio && !plan.send_video);
        assert!(plan.receive_audio && plan.receive_video);
    }

    #[test]
    fn i78_b47_view_only_wins_over_every_role() {
        for role in ROLES {
            for kind in KINDS {
                let plan = plan(&standing(kind, role, Access::ViewOnly));
                assert!(!plan.send_audio && !plan.send_video, "{role:?} {kind:?}");
                assert!(plan.receive_audio && plan.receive_video);
            }
        }
    }

    #[test]
    fn i51_an_unadmitted_leg_is_silent_and_deaf() {
        for role in ROLES {
            for kind in KINDS {
                let mut standing = standing(kind, role, Access::Collaborate);
                standing.admitted = false;
                assert_eq!(plan(&standing), LegPlan::default());
            }
        }
    }

    #[test]
    fn muting_stops_the_voice_and_not_the_camera() {
        let mut standing = standing(MeetingKind::Conference, Role::Host, Access::Collaborate);
        standing.muted = true;
        let plan = plan(&standing);
        assert!(!plan.send_audio && plan.send_video && plan.receive_audio);
    }

    #[test]
    fn a_phone_that_holds_us_neither_sends_nor_receives() {
        let mut standing = standing(MeetingKind::Conference, Role::Presenter, Access::Collaborate);
        standing.leg = LegKind::Sip;
        standing.held = true;
        assert_eq!(plan(&standing), LegPlan::default());
    }

    #[test]
    fn a_browser_beside_its_own_phone_keeps_only_video() {
        let mut standing = standing(MeetingKind::Conference, Role::Host, Access::Collaborate);
        standing.audio_by_phone = true;
        let plan = plan(&standing);
        assert!(!plan.send_audio && !plan.receive_audio && plan.send_video && plan.receive_video);
    }
}
