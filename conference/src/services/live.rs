//! The running part, as the services see it.

use super::Provision;
use super::trunks::TrunkState;
use crate::ids::{CallId, MeetingId};
use crate::live::focus::{Command, MeetingSnapshot, PersonSpec, Refusal, Reply};
use crate::live::ladder::Rung;
use crate::live::leg_record::LegMedia;
use async_trait::async_trait;
use media::worker::LegId;
use sip_core::ua::{AddressOfRecord, BindingInfo, TrunkId};

/// The running meetings and the SIP user agent. The gateway implements it; tests have a fake.
#[async_trait]
pub trait Live: Send + Sync + 'static {
    /// Hands a command to the focus and waits for its answer, not for what follows from it.
    async fn command(&self, command: Command) -> Result<Reply, Refusal>;

    /// A browser joins with its one offer.
    async fn join_webrtc(
        &self,
        meeting: MeetingId,
        person: PersonSpec,
        offer_sdp: String,
    ) -> Result<WebrtcAnswer, Refusal>;

    /// A meeting as it is now; `None` if it is not known to the focus.
    async fn snapshot(&self, meeting: MeetingId) -> Option<MeetingSnapshot>;

    /// How the media of a meeting's legs is now; `None` if it is not known to the focus.
    async fn media(&self, _meeting: MeetingId) -> Option<Vec<LegMedia>> {
        None
    }

    /// The bindings of each of these devices, in their order; empty for one that is not registered.
    async fn bindings(&self, devices: Vec<AddressOfRecord>) -> Vec<Vec<BindingInfo>>;

    /// What it counts, in the Prometheus text format.
    async fn metrics(&self) -> String {
        String::new()
    }

    /// How a trunk is; `None` if the user agent has none of that name.
    async fn trunk_state(&self, _trunk: TrunkId) -> Option<TrunkState> {
        None
    }

    /// The SIP messages of a call that runs or has just ended; empty if there are none.
    async fn ladder(&self, _call: CallId) -> Vec<Rung> {
        Vec::new()
    }

    /// Tells the running part of something that is new or has changed.
    async fn provision(&self, change: Provision);
}

/// The answer to a browser's offer.
#[derive(Clone, Debug)]
pub struct WebrtcAnswer {
    /// The leg that carries the browser.
    pub leg: LegId,
    /// The SDP answer.
    pub answer_sdp: String,
}
