//! A web participant without a browser: one microphone, one camera, one mixed sound to hear, eight pictures to see.
//!
//! The offer has the page's order of m-lines: 0 microphone, 1 camera, 2 the mix, 3 to 10 the video slots. Nothing is
//! ever renegotiated.

mod camera;
mod peer;
mod sound;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::api::{Api, Events};
use crate::ear::Ear;
use crate::error::{LabError, LabResult};
use crate::shared::lock;
use crate::voice::Voice;
pub use peer::{Peer, VIDEO_SLOTS};

/// What one video slot received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VideoReceived {
    /// RTP packets.
    pub packets: u64,
    /// Packets with the marker: complete pictures.
    pub frames: u64,
    /// First packets of key frames.
    pub key_frames: u64,
}

/// What the receiving tasks and the test share.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) ear: Ear,
    pub(crate) video: Arc<Mutex<BTreeMap<usize, VideoReceived>>>,
}

/// A participant in a meeting.
pub struct Participant {
    /// The connection.
    pub peer: Peer,
    /// The event stream that keeps its leg alive.
    pub events: Events,
    /// Id of its leg.
    pub leg: u64,
    /// Id of its person.
    pub person: String,
    camera: Mutex<Option<JoinHandle<()>>>,
}

impl Participant {
    /// Joins `meeting` as the person of `api`'s token and speaks with `voice`.
    ///
    /// # Errors
    /// When the gateway refuses the offer, or media does not connect within ten seconds.
    pub async fn join(api: &Api, meeting: &str, voice: Voice) -> LabResult<Self> {
        let mut peer = Peer::new(voice).await?;
        let offer = peer.offer().await?;
        let answer = api.webrtc_offer(meeting, &offer).await?;
        let events = Events::connect(api, Some(meeting), Some(&answer.leg.to_string()), None).await?;
        peer.accept(&answer.sdp).await?;
        peer.wait_connected(Duration::from_secs(10)).await?;
        Ok(Self { peer, events, leg: answer.leg, person: answer.person.id, camera: Mutex::default() })
    }

    /// What it hears.
    pub const fn ear(&self) -> &Ear {
        &self.peer.received.ear
    }

    /// What it says.
    pub const fn voice(&self) -> &Voice {
        &self.peer.voice
    }

    /// What each video slot received so far.
    pub fn video(&self) -> BTreeMap<usize, VideoReceived> {
        lock(&self.peer.received.video).clone()
    }

    /// Switches the synthetic camera on or off.
    pub fn set_camera(&self, on: bool) {
        let task = on.then(|| self.peer.start_camera());
        if let Some(old) = std::mem::replace(&mut *lock(&self.camera), task) {
            old.abort();
        }
    }

    /// Leaves: closes the connection and the event stream.
    ///
    /// # Errors
    /// When the connection does not close.
    pub async fn leave(self) -> LabResult<()> {
        self.set_camera(false);
        self.events.close();
        self.peer.close().await.map_err(LabError::other("closing the peer connection"))
    }
}
