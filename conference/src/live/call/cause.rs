//! What a SIP answer means to a host: the table of causes.

use crate::vocabulary::Cause;
use sip_core::ua::EndCause;

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FarEnd {
    /// A phone that registers with us.
    Device,
    /// A carrier.
    Trunk,
}

/// The cause behind a final answer of 300 and more. `rang` says whether a 18x came before it.
pub fn cause_of_status(far_end: FarEnd, status: u16, rang: bool) -> Cause {
    match status {
        // A redirect is never followed: it could lead around the dial policy.
        300..=399 => Cause::DestinationDenied,
        486 | 600 => Cause::Busy,
        // 608 (RFC 8688) is a rejection on behalf of the person called.
        603 | 607 | 608 => Cause::Declined,
        480 => Cause::NoAnswer,
        408 if rang => Cause::NoAnswer,
        487 => Cause::Cancelled,
        // 606 and 488 speak of the session description, 415 of its type.
        415 | 488 | 606 => Cause::MediaFailed,
        404 | 410 | 484 | 604 => match far_end {
            FarEnd::Device => Cause::NotRegistered,
            FarEnd::Trunk => Cause::NotWorkingNumber,
        },
        401 | 403 | 407 | 433 => match far_end {
            FarEnd::Device => Cause::Declined,
            FarEnd::Trunk => Cause::DestinationDenied,
        },
        605..=699 | 601 | 602 => Cause::Declined,
        _ => trouble(far_end),
    }
}

/// The cause behind the end of a session that was never answered, and the SIP status if there was one.
pub fn cause_of_end(far_end: FarEnd, end: &EndCause, rang: bool) -> (Cause, Option<u16>) {
    match end {
        EndCause::Refused { status, .. } => (cause_of_status(far_end, *status, rang), Some(*status)),
        EndCause::NoResponse => (trouble(far_end), None),
        EndCause::NotRegistered => (Cause::NotRegistered, None),
        EndCause::TrunkUnknown | EndCause::TrunkDown => (Cause::TrunkDown, None),
        EndCause::TrunkBusy => (Cause::TrunkBusy, None),
        // The far end hung up before we saw its answer: to the host it did not answer.
        EndCause::RemoteBye | EndCause::RemoteCancel => (Cause::NoAnswer, None),
        EndCause::LocalHangUp => (Cause::Cancelled, None),
        EndCause::NoAck => (Cause::Lost, None),
        EndCause::ProtocolError => (Cause::Internal, None),
    }
}

/// Whether another trunk may be tried. Never once it rang, and never after an answer that came from the person
/// called: nobody is rung twice for one press.
pub fn may_try_next_trunk(end: &EndCause, rang: bool) -> bool {
    if rang {
        return false;
    }
    match end {
        EndCause::Refused { status, .. } => *status == 408 || (500..600).contains(status),
        EndCause::NoResponse | EndCause::TrunkUnknown | EndCause::TrunkBusy | EndCause::TrunkDown => true,
        EndCause::NotRegistered
        | EndCause::RemoteBye
        | EndCause::RemoteCancel
        | EndCause::LocalHangUp
        | EndCause::NoAck
        | EndCause::ProtocolError => false,
    }
}

/// No useful answer at all: a carrier has trouble, a phone does not answer.
fn trouble(far_end: FarEnd) -> Cause {
    match far_end {
        FarEnd::Device => Cause::NoAnswer,
        FarEnd::Trunk => Cause::TrunkDown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every final answer a carrier may give: RFC 3261 section 21 and all later registrations at IANA.
    const TRUNK: &[(u16, Cause)] = &[
        (300, Cause::DestinationDenied),
        (301, Cause::DestinationDenied),
        (302, Cause::DestinationDenied),
        (305, Cause::DestinationDenied),
        (380, Cause::DestinationDenied),
        (400, Cause::TrunkDown),
        (401, Cause::DestinationDenied),
        (402, Cause::TrunkDown),
        (403, Cause::DestinationDenied),
        (404, Cause::NotWorkingNumber),
        (405, Cause::TrunkDown),
        (406, Cause::TrunkDown),
        (407, Cause::DestinationDenied),
        (408, Cause::TrunkDown),
        (409, Cause::TrunkDown),
        (410, Cause::NotWorkingNumber),
        (412, Cause::TrunkDown),
        (413, Cause::TrunkDown),
        (414, Cause::TrunkDown),
        (415, Cause::MediaFailed),
        (416, Cause::TrunkDown),
        (417, Cause::TrunkDown),
        (420, Cause::TrunkDown),
        (421, Cause::TrunkDown),
        (422, Cause::TrunkDown),
        (423, Cause::TrunkDown),
        (424, Cause::TrunkDown),
        (425, Cause::TrunkDown),
        (428, Cause::TrunkDown),
        (429, Cause::TrunkDown),
        (430, Cause::TrunkDown),
        (433, Cause::DestinationDenied),
        (436, Cause::TrunkDown),
        (437, Cause::TrunkDown),
        (438, Cause::TrunkDown),
        (439, Cause::TrunkDown),
        (440, Cause::TrunkDown),
        (469, Cause::TrunkDown),
        (470, Cause::TrunkDown),
        (480, Cause::NoAnswer),
        (481, Cause::TrunkDown),
        (482, Cause::TrunkDown),
        (483, Cause::TrunkDown),
        (484, Cause::NotWorkingNumber),
        (485, Cause::TrunkDown),
        (486, Cause::Busy),
        (487, Cause::Cancelled),
        (488, Cause::MediaFailed),
        (489, Cause::TrunkDown),
        (491, Cause::TrunkDown),
        (493, Cause::TrunkDown),
        (494, Cause::TrunkDown),
        (500, Cause::TrunkDown),
        (501, Cause::TrunkDown),
        (502, Cause::TrunkDown),
        (503, Cause::TrunkDown),
        (504, Cause::TrunkDown),
        (505, Cause::TrunkDown),
        (513, Cause::TrunkDown),
        (555, Cause::TrunkDown),
        (580, Cause::TrunkDown),
        (600, Cause::Busy),
        (603, Cause::Declined),
        (604, Cause::NotWorkingNumber),
        (606, Cause::MediaFailed),
        (607, Cause::Declined),
        (608, Cause::Declined),
    ];

    #[test]
    fn d36_each_status_of_a_trunk_has_its_cause() {
        for (status, cause) in TRUNK {
            assert_eq!(cause_of_status(FarEnd::Trunk, *status, false), *cause, "{status}");
        }
        assert_eq!(cause_of_status(FarEnd::Trunk, 408, true), Cause::NoAnswer);
        for (end, cause) in
            [(EndCause::NoResponse, Cause::TrunkDown), (EndCause::TrunkUnknown, Cause::TrunkDown)]
        {
            assert_eq!(cause_of_end(FarEnd::Trunk, &end, false), (cause, None));
        }
    }

    #[test]
    fn d36_a_phone_never_has_carrier_trouble() {
        for status in 300..700 {
            let cause = cause_of_status(FarEnd::Device, status, false);
            assert!(!matches!(cause, Cause::TrunkDown | Cause::NotWorkingNumber), "{status}");
        }
        assert_eq!(cause_of_end(FarEnd::Device, &EndCause::NoResponse, false).0, Cause::NoAnswer);
        assert_eq!(cause_of_end(FarEnd::Device, &EndCause::NotRegistered, false).0, Cause::NotRegistered);
    }

    #[test]
    fn d17_another_trunk_only_for_trunk_trouble() {
        let refused = |status| EndCause::Refused { status, reason: String::new() };
        for status in 300..700 {
            let trouble = status == 408 || (500..600).contains(&status);
            assert_eq!(may_try_next_trunk(&refused(status), false), trouble, "{status}");
            assert!(!may_try_next_trunk(&refused(status), true), "{status} after ringing");
        }
        assert!(may_try_next_trunk(&EndCause::NoResponse, false));
        assert!(!may_try_next_trunk(&EndCause::LocalHangUp, false));
    }
}
