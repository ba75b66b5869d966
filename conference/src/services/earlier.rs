//! The calls of a meeting that the process which died had made: the running part knows nothing of them, but a Host who comes
//! back wants to see what came of each, and to call again.

use super::Services;
use super::error::ServiceError;
use super::meetings::{masked, masked_within};
use super::reach::Reach;
use crate::live::snapshot::CallView;
use crate::store::CallRow;
use crate::vocabulary::{Cause, UnixMillis};
use serde_json::{Value, json};

/// How many of them are shown: as many as a running meeting remembers.
const CALLS: i64 = 200;
/// How many restarts in a row are looked back over.
const RESTARTS: i64 = 10;

impl Services {
    /// The calls from before the restart that cut this meeting off, in the words of the event stream, oldest first. None if
    /// the meeting was ended properly since.
    pub(super) async fn earlier_calls(
        &self,
        reach: &Reach,
        known: &[CallView],
    ) -> Result<Vec<Value>, ServiceError> {
        let (tenant, meeting) = (&reach.meeting.tenant, &reach.meeting.id);
        let instances = self.store.instances(tenant, meeting, None, RESTARTS).await?;
        let cut_off = instances.iter().skip_while(|row| row.ended_at.is_none()).take_while(|row| row.lost);
        let Some(since) = cut_off.map(|row| row.started_at).last() else { return Ok(Vec::new()) };
        let rows = self.store.calls(tenant, meeting, None, CALLS).await?;
        let earlier = rows.iter().rev().filter(|row| {
            row.created_at >= since && row.state.is_final() && !known.iter().any(|call| call.call == row.id)
        });
        Ok(earlier.map(|row| view(row, reach.is_host())).collect())
    }
}

fn view(row: &CallRow, host: bool) -> Value {
    let words = row.cause.map_or_else(|| row.state.words(), Cause::words);
    let shown = |text: &str| match &row.number {
        Some(number) if !host => masked_within(text, number),
        _ => text.to_owned(),
    };
    let number = row.number.as_ref().map(|number| if host { number.clone() } else { masked(number) });
    let mut call = json!({
        "call": row.id,
        "id": row.id,
        "person": row.person,
        "state": row.state,
        "words": words,
        "target": shown(&row.target),
        "display_name": shown(&row.display_name),
        "role": row.role,
        "at": row.ended_at.unwrap_or(UnixMillis(row.created_at.0)),
    });
    let optional =
        [("cause", json!(row.cause)), ("sip_code", json!(row.sip_code)), ("number", json!(number))];
    for (name, value) in optional.into_iter().filter(|(_, value)| !value.is_null()) {
        if let Some(fields) = call.as_object_mut() {
            fields.insert(name.to_owned(), value);
        }
    }
    call
}
