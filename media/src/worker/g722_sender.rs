//! Encoding for phones with G.722: one encoder per listener, or one for all of a room who only listen.
//!
//! Both ends of G.722 predict from what was sent. Whoever leaves the shared encoder therefore goes on from its state; whoever
//! joins it has sent the same for a while, by which both states have become the same.

use crate::codec::g722;
use crate::codec::thirds::Down;
use crate::mixer::Mixer;
use crate::sample::{FULL_FRAME, NARROW_FRAME, Rate};

/// A stream made from mixes at 48 kHz.
#[derive(Clone, Default)]
struct G722Sender {
    encoder: g722::Encoder,
    down: Down,
}

impl G722Sender {
    fn encode(&mut self, mix: &[i16; FULL_FRAME], payload: &mut [u8; NARROW_FRAME]) {
        let mut wide = [0; FULL_FRAME / 3];
        self.down.convert(mix, &mut wide);
        self.encoder.encode(&wide, payload);
    }
}

/// The mix of all of a room who take G.722 and only listen.
pub(super) struct SharedG722 {
    sender: G722Sender,
    /// As it was before this tick's frame.
    previous: G722Sender,
    payload: [u8; NARROW_FRAME],
    is_made: bool,
}

impl Default for SharedG722 {
    fn default() -> Self {
        let (sender, previous) = (G722Sender::default(), G722Sender::default());
        Self { sender, previous, payload: [0; NARROW_FRAME], is_made: false }
    }
}

impl SharedG722 {
    /// A tick begins.
    pub(super) fn begin_tick(&mut self) {
        if std::mem::take(&mut self.is_made) {
            self.previous.clone_from(&self.sender);
        }
    }

    /// The payload of this tick, made for the first who asks.
    fn payload(&mut self, mixer: &Mixer, encodes: &mut u64) -> &[u8; NARROW_FRAME] {
        if !self.is_made {
            self.is_made = true;
            let mut mix = [0; FULL_FRAME];
            if !mixer.is_silent(false) {
                mixer.mix(Rate::Full, None, None, &mut mix);
            }
            self.sender.encode(&mix, &mut self.payload);
            *encodes += 1;
        }
        &self.payload
    }
}

/// The encoding for one listener: his own encoder, or the shared one while he has only listened for some time.
pub(super) struct G722Listener {
    own: G722Sender,
    /// Ticks since what he hears last differed from what all silent listeners hear.
    alike_ticks: u8,
    is_shared: bool,
}

impl Default for G722Listener {
    fn default() -> Self {
        Self { own: G722Sender::default(), alike_ticks: Self::ALIKE_TICKS, is_shared: false }
    }
}

impl G722Listener {
    /// How long, in ticks, he must have heard the same as the others before he shares (2 s).
    const ALIKE_TICKS: u8 = 100;

    /// The payload of this tick from his mix; `is_alike`: all who only listen hear the same. `shared` is `None` in rooms
    /// where sharing is not worth it.
    pub(super) fn encode(
        &mut self,
        mix: impl FnOnce(&mut [i16; FULL_FRAME]),
        is_alike: bool,
        mixer: &Mixer,
        shared: Option<&mut SharedG722>,
        encodes: &mut u64,
    ) -> [u8; NARROW_FRAME] {
        self.alike_ticks = if is_alike { self.alike_ticks.saturating_add(1) } else { 0 };
        let shared = match shared {
            Some(shared) if self.is_shared && is_alike || self.alike_ticks > Self::ALIKE_TICKS => {
                self.is_shared = true;
                return *shared.payload(mixer, encodes);
            }
            shared => shared,
        };
        if std::mem::take(&mut self.is_shared)
            && let Some(shared) = shared
        {
            self.own.clone_from(if shared.is_made { &shared.previous } else { &shared.sender });
        }
        let (mut frame, mut payload) = ([0; FULL_FRAME], [0; NARROW_FRAME]);
        mix(&mut frame);
        self.own.encode(&frame, &mut payload);
        *encodes += 1;
        payload
    }
}
