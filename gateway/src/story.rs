//! The story of each call and leg in the log: every line names the call, so that looking for one id finds them all, from the
//! request over the SIP dialog to the media leg (D66).

use conference::live::event::Record;
use conference::live::leg_record::LegRecord;

#[expect(clippy::wildcard_enum_match_arm, reason = "the other records belong to no call")]
/// One line for what was handed to the recorder. Numbers are masked where lines are written.
pub(crate) fn tell(record: &Record) {
    match record {
        Record::CallState { call, state, cause, sip_code, detail, sip_call_id, .. } => tracing::info!(
            call.id = %call,
            sip.call_id = %sip_call_id,
            state = state.as_str(),
            cause = cause.map(conference::vocabulary::Cause::words),
            sip.code = *sip_code,
            detail = detail.as_deref(),
            "call"
        ),
        Record::LegUp(leg) => leg_line(leg, "leg up"),
        Record::LegOver(leg) => leg_line(leg, "leg over"),
        Record::MeetingState { meeting, state, at: _ } => {
            tracing::info!(meeting.id = %meeting, ?state, "meeting");
        }
        Record::PersonJoined { meeting, person, leg_kind, .. } => {
            tracing::info!(meeting.id = %meeting, person.id = %person, ?leg_kind, "person joined");
        }
        Record::PersonLeft { meeting, person, .. } => {
            tracing::info!(meeting.id = %meeting, person.id = %person, "person left");
        }
        _ => {}
    }
}

fn leg_line(leg: &LegRecord, what: &str) {
    let quality = leg.quality.as_ref();
    tracing::info!(
        call.id = leg.call.as_ref().map(tracing::field::display),
        leg.id = leg.id,
        meeting.id = %leg.meeting,
        person.id = %leg.person,
        sip.call_id = leg.sip_call_id.as_deref(),
        trunk.id = leg.trunk,
        to = leg.to.as_deref(),
        cause = leg.cause.map(conference::vocabulary::Cause::words),
        codec = leg.codec.as_deref(),
        media.received = quality.map(|quality| quality.received_packets),
        media.lost = quality.and_then(|quality| quality.lost_packets),
        media.mos = quality.map(|quality| quality.mos_in),
        "{what}"
    );
}
