//! Encoding for browsers: one encoder per listener, or one for all of a room who only listen.

use crate::codec::opus::{self, OpusError};
use crate::mixer::Mixer;
use crate::sample::{FULL_FRAME, Rate};
use crate::sdp::OpusSettings;

/// An encoder and the packet it made last.
pub(super) struct OpusSender {
    encoder: opus::Encoder,
    packet: Box<[u8; opus::MAX_PACKET]>,
    length: usize,
    silent_ticks: u8,
}

impl OpusSender {
    /// Ticks of silence that are really encoded, so that the voice fades out, before the fixed silence packet
    /// takes over.
    const ENCODED_SILENCE: u8 = 10;

    pub(super) fn new(settings: OpusSettings) -> Result<Self, OpusError> {
        let packet = Box::new([0; opus::MAX_PACKET]);
        Ok(Self {
            encoder: opus::Encoder::new(settings)?,
            packet,
            length: 0,
            silent_ticks: Self::ENCODED_SILENCE,
        })
    }

    /// Makes this tick's packet from its mix, `None` for digital silence; says whether something was encoded.
    pub(super) fn encode(&mut self, mix: Option<&[i16; FULL_FRAME]>) -> bool {
        self.length = 0;
        self.silent_ticks = match mix {
            Some(_) => 0,
            None if self.silent_ticks >= Self::ENCODED_SILENCE => return false,
            None => self.silent_ticks + 1,
        };
        let mix = mix.unwrap_or(&[0; FULL_FRAME]);
        self.length = self.encoder.encode(mix, self.packet.as_mut_slice()).unwrap_or(0);
        true
    }

    /// The packet made last; a packet of silence if there was nothing to encode.
    pub(super) fn packet(&self) -> &[u8] {
        self.packet.get(..self.length).filter(|packet| !packet.is_empty()).unwrap_or(&opus::SILENCE)
    }

    /// Forgets its past and takes over where another encoder has just sent `previous`, so that a decoder that
    /// heard that one goes on without a seam.
    fn take_over(&mut self, previous: &[i16; FULL_FRAME]) {
        self.encoder.reset();
        self.silent_ticks = 0;
        let _ = self.encoder.encode(previous, self.packet.as_mut_slice());
    }
}

/// The mix of all of a room who take Opus with the same settings and only listen, encoded once for all of them.
pub(super) struct SharedOpus {
    pub(super) settings: OpusSettings,
    /// How many legs of the room have these settings.
    pub(super) listeners: usize,
    sender: OpusSender,
    mix: Box<[i16; FULL_FRAME]>,
    /// The mix was made in this tick.
    is_made: bool,
    /// What was sent one tick ago, if anything.
    previous: Option<Box<[i16; FULL_FRAME]>>,
    spare: Option<Box<[i16; FULL_FRAME]>>,
}

impl SharedOpus {
    pub(super) fn new(settings: OpusSettings) -> Result<Self, OpusError> {
        let silence = || Box::new([0; FULL_FRAME]);
        let (mix, spare) = (silence(), Some(silence()));
        Ok(Self {
            settings,
            listeners: 0,
            sender: OpusSender::new(settings)?,
            mix,
            is_made: false,
            previous: None,
            spare,
        })
    }

    /// A tick begins: what was made in the last one is the past.
    pub(super) fn begin_tick(&mut self) {
        let Some(mut past) = self.previous.take().or_else(|| self.spare.take()) else { return };
        if self.is_made {
            std::mem::swap(&mut past, &mut self.mix);
            self.previous = Some(past);
        } else {
            self.spare = Some(past);
        }
        self.is_made = false;
    }

    /// The packet of this tick, made for the first who asks.
    fn packet(&mut self, mixer: &Mixer, encodes: &mut u64) -> &[u8] {
        if !self.is_made {
            self.is_made = true;
            if self.previous.is_none() {
                self.sender.encoder.reset(); // nobody listened for a while
            }
            let is_silent = mixer.is_silent(false);
            if is_silent {
                self.mix.fill(0);
            } else {
                mixer.mix(Rate::Full, None, None, self.mix.as_mut_slice());
            }
            *encodes += u64::from(self.sender.encode((!is_silent).then_some(&self.mix)));
        }
        self.sender.packet()
    }
}

/// The encoding for one listener: his own encoder, or the shared one while he has only listened for some time.
///
/// Sequence number and timestamp belong to his stream, so he never notices which one it was.
pub(super) struct OpusListener {
    own: OpusSender,
    /// Ticks since what he hears last differed from what all silent listeners hear.
    alike_ticks: u8,
    is_shared: bool,
}

impl OpusListener {
    /// How long, in ticks, he must have heard the same as the others before he shares (2 s).
    const ALIKE_TICKS: u8 = 100;

    pub(super) fn new(settings: OpusSettings) -> Result<Self, OpusError> {
        Ok(Self { own: OpusSender::new(settings)?, alike_ticks: Self::ALIKE_TICKS, is_shared: false })
    }

    /// The packet of this tick for one who hears the same as all who only listen; `shared` is `None` in rooms
    /// where sharing is not worth it.
    pub(super) fn alike<'a>(
        &'a mut self,
        shared: Option<&'a mut SharedOpus>,
        mixer: &Mixer,
        encodes: &mut u64,
    ) -> &'a [u8] {
        self.alike_ticks = self.alike_ticks.saturating_add(1);
        match shared {
            Some(shared) if self.is_shared || self.alike_ticks > Self::ALIKE_TICKS => {
                self.is_shared = true;
                shared.packet(mixer, encodes)
            }
            shared => {
                let mut mix = [0; FULL_FRAME];
                let is_silent = mixer.is_silent(false);
                if !is_silent {
                    mixer.mix(Rate::Full, None, None, &mut mix);
                }
                self.leave(shared.as_deref());
                *encodes += u64::from(self.own.encode((!is_silent).then_some(&mix)));
                self.own.packet()
            }
        }
    }

    /// The packet of this tick for one who hears something of his own, `None` for digital silence.
    pub(super) fn different(
        &mut self,
        mix: Option<&[i16; FULL_FRAME]>,
        shared: Option<&SharedOpus>,
        encodes: &mut u64,
    ) -> &[u8] {
        self.alike_ticks = 0;
        self.leave(shared);
        *encodes += u64::from(self.own.encode(mix));
        self.own.packet()
    }

    fn leave(&mut self, shared: Option<&SharedOpus>) {
        if !std::mem::take(&mut self.is_shared) {
            return;
        }
        match shared.and_then(|shared| shared.previous.as_deref()) {
            Some(previous) => self.own.take_over(previous),
            None => self.own.encoder.reset(),
        }
    }
}
