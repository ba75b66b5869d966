//! What phones and browsers have in common during a tick: rights, voice, level, and what is played to them.

use std::net::SocketAddr;
use std::time::Instant;

use crate::codec::Codec;
use crate::level::{self, Gate, Meter, SILENCE_DBOV};
use crate::mixer::{Mixer, Voice};
use crate::quality::LegStats;
use crate::sample::{NARROW_FRAME, Rate};
use crate::speaker::HeldLevel;

use super::Outbox;
use super::opus_sender::SharedOpus;
use super::player::Player;
use super::sip_leg::{Received, SipLeg};
use super::types::{Event, LegId, LegPlan};
use super::webrtc_leg::{OpusWork, WebrtcLeg};

/// One person's media in a room.
pub(super) struct Leg {
    pub(super) id: LegId,
    pub(super) plan: LegPlan,
    /// Takes the place of `plan` at the beginning of the next tick.
    pub(super) next_plan: Option<LegPlan>,
    pub(super) voice: Voice,
    pub(super) player: Player,
    pub(super) media: Media,
    /// The voice is in this tick's sums.
    pub(super) is_mixed: bool,
    /// The voice was in the last tick's sums.
    pub(super) was_mixed: bool,
    /// The voice is above the gate.
    pub(super) is_active: bool,
    pub(super) held: HeldLevel,
    media_started: bool,
    /// Ticks since statistics were reported; legs begin with different ones, so that reports are spread.
    stats_ticks: u64,
    gate: Gate,
    meter: Meter,
}

/// The two kinds of legs.
pub(super) enum Media {
    Sip(Box<SipLeg>),
    Webrtc(Box<WebrtcLeg>),
}

impl Leg {
    /// Ticks between two reports of statistics (5 s).
    const STATS_TICKS: u64 = 250;

    pub(super) fn new(id: LegId, media: Media) -> Self {
        let rate = match media {
            Media::Sip(_) => Rate::Narrow,
            Media::Webrtc(_) => Rate::Full,
        };
        Self {
            id,
            plan: LegPlan::default(),
            next_plan: None,
            voice: Voice::new(rate),
            player: Player::new(rate),
            media,
            is_mixed: false,
            was_mixed: false,
            is_active: false,
            held: HeldLevel::default(),
            media_started: false,
            stats_ticks: id.0 % Self::STATS_TICKS,
            gate: Gate::default(),
            meter: Meter::default(),
        }
    }

    /// The leg's own rate.
    pub(super) const fn rate(&self) -> Rate {
        self.voice.rate()
    }

    /// The browser, if it is one.
    pub(super) fn webrtc(&self) -> Option<&WebrtcLeg> {
        match &self.media {
            Media::Webrtc(webrtc) => Some(webrtc),
            Media::Sip(_) => None,
        }
    }

    /// The browser, if it is one.
    pub(super) fn webrtc_mut(&mut self) -> Option<&mut WebrtcLeg> {
        match &mut self.media {
            Media::Webrtc(webrtc) => Some(webrtc),
            Media::Sip(_) => None,
        }
    }

    /// Takes a datagram from the phone's own port.
    pub(super) fn handle_sip_datagram(
        &mut self,
        now: Instant,
        source: SocketAddr,
        payload: &[u8],
    ) -> Received {
        match &mut self.media {
            Media::Sip(sip) => sip.handle_datagram(now, source, payload),
            Media::Webrtc(_) => Received::Dropped,
        }
    }

    /// Media arrived: the first time that is worth an event.
    pub(super) fn note_media(&mut self, out: &mut Outbox) {
        if !self.media_started {
            self.media_started = true;
            out.events.push(Event::MediaStarted { leg: self.id });
        }
    }

    /// Takes over the plan that waits; says whether there was one.
    pub(super) fn take_plan(&mut self) -> bool {
        let waiting = self.next_plan.take();
        self.plan = waiting.unwrap_or(self.plan);
        waiting.is_some()
    }

    /// Whether the voice may reach anybody: the one place where that is decided.
    pub(super) fn may_speak(&self) -> bool {
        self.plan.send_audio
            && match &self.media {
                Media::Sip(sip) => sip.is_conversing(),
                Media::Webrtc(webrtc) => webrtc.connected,
            }
    }

    /// Whether the leg is sent the mix of the others.
    pub(super) fn listens(&self) -> bool {
        self.plan.receive_audio && self.is_reachable()
    }

    /// First half of a tick: this tick's frame, then its level.
    pub(super) fn begin_tick(&mut self, now: Instant, out: &mut Outbox) {
        let may_speak = self.may_speak();
        let frame = self.voice.frame_mut();
        match &mut self.media {
            Media::Sip(sip) => {
                if let Some(digit) = sip.fill(now, may_speak, frame) {
                    out.events.push(Event::Digit { leg: self.id, digit });
                }
                if let Some(summary) = sip.take_answer() {
                    out.events.push(Event::AnswerHeard { leg: self.id, summary });
                }
            }
            Media::Webrtc(webrtc) => webrtc.fill(now, may_speak, frame),
        }
        let dbov = if may_speak {
            level::measure(frame)
        } else {
            frame.fill(0); // samples decoded before the right was taken away
            self.gate.close();
            self.meter.forget();
            SILENCE_DBOV
        };
        self.is_active = may_speak && self.gate.update(dbov);
        self.held.update(dbov);
        if let Some(dbov) = self.meter.update(dbov) {
            out.events.push(Event::Levels { leg: self.id, dbov });
        }
    }

    /// Second half of a tick: mix, encode, send.
    pub(super) fn end_tick(
        &mut self,
        now: Instant,
        mixer: &Mixer,
        shared: &mut SharedMixes<'_>,
        out: &mut Outbox,
    ) {
        // What is played waits until it can be heard.
        let (playing, over) = if self.is_reachable() { self.player.tick() } else { (false, false) };
        if over {
            out.events.push(Event::PlayingDone { leg: self.id });
        }
        let hears = Hearing {
            listens: self.listens(),
            own: self.is_mixed.then_some(&self.voice),
            played: playing.then(|| self.player.frame()),
        };
        match &mut self.media {
            Media::Sip(sip) => {
                let mut payload = [0; NARROW_FRAME];
                let sends = sip.sends().map(|codec| {
                    hears.encode_narrow(codec, mixer, shared, &mut payload, &mut out.encodes);
                    &payload
                });
                sip.send(self.id, sends, &mut out.ring);
                sip.report(now, self.id, &mut out.ring);
            }
            Media::Webrtc(webrtc) if webrtc.connected => {
                let mut work = OpusWork { shared: shared.opus.as_deref_mut(), encodes: &mut out.encodes };
                webrtc.send(now, &hears, mixer, &mut work);
            }
            Media::Webrtc(_) => {}
        }
        self.stats_ticks += 1;
        if self.stats_ticks >= Self::STATS_TICKS {
            self.stats_ticks = 0;
            self.report_stats(false, out);
        }
    }

    /// Makes the leg ready to change rooms: it takes no rights along.
    pub(super) const fn leave_room(&mut self) {
        self.plan =
            LegPlan { send_audio: false, receive_audio: false, send_video: false, receive_video: false };
        self.next_plan = None;
        (self.is_mixed, self.was_mixed, self.is_active) = (false, false, false);
        self.gate.close();
        self.meter.forget();
    }

    /// The leg is about to go: tells its phone and the driver.
    pub(super) fn end(&mut self, now: Instant, out: &mut Outbox) {
        if let Media::Sip(sip) = &mut self.media {
            sip.say_goodbye(now, self.id, &mut out.ring);
        }
        self.report_stats(true, out);
    }

    /// How the leg's media has been so far.
    pub(super) fn stats(&self) -> LegStats {
        match &self.media {
            Media::Sip(sip) => sip.stats(),
            Media::Webrtc(webrtc) => webrtc.stats(),
        }
    }

    /// Reports statistics once there are any.
    fn report_stats(&self, is_final: bool, out: &mut Outbox) {
        let stats = self.stats();
        if stats.received_packets > 0 || stats.sent_packets > 0 {
            out.events.push(Event::Statistics { leg: self.id, stats, is_final });
        }
    }

    /// Whether there is a way to send media to the leg.
    fn is_reachable(&self) -> bool {
        match &self.media {
            Media::Sip(sip) => sip.sends().is_some(),
            Media::Webrtc(webrtc) => webrtc.connected,
        }
    }
}

/// What one leg hears in one tick.
pub(super) struct Hearing<'a> {
    /// The others, as his plan says.
    listens: bool,
    /// His voice, if it is in the sums.
    own: Option<&'a Voice>,
    /// A prompt or tone.
    played: Option<&'a [i16]>,
}

impl Hearing<'_> {
    /// Whether he hears the same as all who only listen.
    pub(super) const fn is_alike(&self) -> bool {
        self.listens && self.own.is_none() && self.played.is_none()
    }

    /// Makes the mix; false for digital silence, which is not worth a sum or an encode.
    pub(super) fn mix(&self, mixer: &Mixer, rate: Rate, mix: &mut [i16]) -> bool {
        match self.played {
            _ if self.listens && !mixer.is_silent(self.own.is_some()) => {
                mixer.mix(rate, self.own, self.played, mix);
            }
            Some(played) => mix.copy_from_slice(played),
            None => return false,
        }
        true
    }

    /// Makes a phone's payload. All who hear the same share one encode per codec.
    fn encode_narrow(
        &self,
        codec: Codec,
        mixer: &Mixer,
        shared: &mut SharedMixes<'_>,
        payload: &mut [u8; NARROW_FRAME],
        encodes: &mut u64,
    ) {
        if let (true, Some(made)) = (self.is_alike(), shared.get(codec)) {
            *payload = *made;
            return;
        }
        let mut mix = [0; NARROW_FRAME];
        if !self.mix(mixer, Rate::Narrow, &mut mix) {
            payload.fill(codec.silence());
            return;
        }
        codec.encode(&mix, payload);
        *encodes += 1;
        if self.is_alike() {
            shared.put(codec, *payload);
        }
    }
}

/// The payloads of those who only listen, made once per codec and tick: the mix groups of one room.
pub(super) struct SharedMixes<'a> {
    opus: Option<&'a mut SharedOpus>,
    pcmu: Option<[u8; NARROW_FRAME]>,
    pcma: Option<[u8; NARROW_FRAME]>,
}

impl<'a> SharedMixes<'a> {
    /// Nothing is made yet; `opus` is `None` where it is not worth sharing.
    pub(super) const fn new(opus: Option<&'a mut SharedOpus>) -> Self {
        Self { opus, pcmu: None, pcma: None }
    }

    const fn get(&self, codec: Codec) -> Option<&[u8; NARROW_FRAME]> {
        match codec {
            Codec::Pcmu => self.pcmu.as_ref(),
            Codec::Pcma => self.pcma.as_ref(),
        }
    }

    const fn put(&mut self, codec: Codec, payload: [u8; NARROW_FRAME]) {
        match codec {
            Codec::Pcmu => self.pcmu = Some(payload),
            Codec::Pcma => self.pcma = Some(payload),
        }
    }
}
