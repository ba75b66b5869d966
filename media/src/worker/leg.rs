//! What phones and browsers have in common during a tick: rights, voice, level, and what is played to them.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use crate::codec::Codec;
use crate::codec::opus::{self, OpusError};
use crate::dtls::Identity;
use crate::level::{self, Gate, Meter, SILENCE_DBOV};
use crate::loudness::Loudness;
use crate::mixer::{Mixer, Voice};
use crate::quality::LegStats;
use crate::sample::{FULL_FRAME, NARROW_FRAME, Rate};
use crate::sdp::{Negotiated, OpusSettings};
use crate::speaker::HeldLevel;
use crate::suppress::NoiseSuppressor;

use super::Outbox;
use super::align::{Aligner, Waiting};
use super::apart::Turns;
use super::aside::{Aside, Overheard};
use super::g722_sender::SharedG722;
use super::opus_sender::{OpusListener, SharedOpus};
use super::player::Player;
use super::sip_leg::{Received, SipLeg};
use super::types::{Event, LegId, LegPlan, VoiceTreatment};
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
    /// Its own steps, where the room is small.
    pub(super) turns: Turns,
    pub(super) aligner: Aligner,
    media_started: bool,
    /// Ticks since statistics were reported; legs begin with different ones, so that reports are spread.
    stats_ticks: u64,
    gate: Gate,
    meter: Meter,
    /// Where voices are brought to one loudness.
    pub(super) loudness: Option<Loudness>,
    suppressor: Option<Box<NoiseSuppressor>>,
    /// What it hears aside.
    pub(super) aside: Option<Box<Aside>>,
    /// What somebody hears of it aside.
    pub(super) overheard: Option<Box<Overheard>>,
    /// What the two before are made from.
    pub(super) treatment: VoiceTreatment,
}

/// The two kinds of legs.
pub(super) enum Media {
    Sip(Box<SipLeg>),
    Webrtc(Box<WebrtcLeg>),
}

impl Leg {
    /// Ticks between two reports of statistics (5 s).
    const STATS_TICKS: u64 = 250;
    /// Ticks during which a voice is new: making up a tick of it is part of its beginning (4 s).
    const NEW_TICKS: u32 = 200;

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
            turns: Turns::default(),
            aligner: Aligner::default(),
            media_started: false,
            stats_ticks: id.0 % Self::STATS_TICKS,
            gate: Gate::default(),
            meter: Meter::default(),
            loudness: None,
            suppressor: None,
            aside: None,
            overheard: None,
            treatment: VoiceTreatment::default(),
        }
    }

    /// What is to be done to the voice; what is done already goes on without a seam. Allocates.
    pub(super) fn treat(&mut self, treatment: VoiceTreatment, even_loudness: bool) {
        self.treatment = treatment;
        if treatment.even_loudness.unwrap_or(even_loudness) {
            self.loudness.get_or_insert_default();
        } else {
            self.loudness = None;
        }
        if !treatment.suppress_noise {
            self.suppressor = None;
        } else if self.suppressor.is_none() {
            self.suppressor = NoiseSuppressor::new().ok().map(Box::new);
        }
    }

    /// The rate of what it hears.
    pub(super) fn listening_rate(&self) -> Rate {
        match &self.media {
            Media::Sip(sip) => sip.listening_rate(),
            Media::Webrtc(_) => Rate::Full,
        }
    }

    /// Whether its voice may have this rate.
    pub(super) fn may_speak_at(&self, rate: Rate) -> bool {
        match &self.media {
            Media::Sip(sip) => sip.may_speak_at(rate),
            Media::Webrtc(_) => rate == Rate::Full,
        }
    }

    /// Whether it is sent G.722.
    pub(super) fn takes_g722(&self) -> bool {
        matches!(&self.media, Media::Sip(sip) if sip.takes_g722())
    }

    /// The settings of its Opus, if that is what it is sent.
    pub(super) fn opus_settings(&self) -> Option<OpusSettings> {
        match &self.media {
            Media::Sip(sip) => sip.opus_settings(),
            Media::Webrtc(_) => Some(OpusSettings::default()),
        }
    }

    /// Offer and answer of a phone are through.
    pub(super) fn set_remote(
        &mut self,
        now: Instant,
        negotiated: Negotiated,
        symmetric_from: Option<IpAddr>,
        identity: Option<&Identity>,
    ) -> Result<(), OpusError> {
        let Media::Sip(sip) = &mut self.media else { return Ok(()) };
        let before = sip.listening_rate();
        sip.set_remote(now, negotiated, symmetric_from, identity)?;
        self.voice.set_rate(sip.voice_rate());
        if sip.listening_rate() != before {
            self.player.set_rate(sip.listening_rate());
        }
        Ok(())
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
        out: &mut Outbox,
    ) -> Received {
        match &mut self.media {
            Media::Sip(sip) => sip.handle_datagram(now, self.id, source, payload, &mut out.ring),
            Media::Webrtc(_) => Received::Dropped,
        }
    }

    /// Takes a datagram from the phone's own RTCP port.
    pub(super) fn handle_rtcp_datagram(
        &mut self,
        now: Instant,
        source: SocketAddr,
        payload: &[u8],
    ) -> Received {
        match &mut self.media {
            Media::Sip(sip) => sip.handle_rtcp_port(now, source, payload),
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

    /// How long the voice waits for its ticks, if it has come for a while.
    pub(super) fn waiting(&self) -> Option<Waiting> {
        let (ms, ticks) = match &self.media {
            Media::Sip(sip) => sip.waiting()?,
            Media::Webrtc(webrtc) => webrtc.waiting()?,
        };
        Some(Waiting { ms, may_cross: !self.is_active || ticks < Self::NEW_TICKS })
    }

    /// First half of a tick: this tick's frame, then its level.
    pub(super) fn begin_tick(&mut self, now: Instant, out: &mut Outbox) {
        let may_speak = self.may_speak();
        if let Media::Sip(sip) = &self.media {
            self.voice.set_rate(sip.voice_rate());
        }
        let rate = self.voice.rate();
        let frame = self.voice.frame_mut();
        match &mut self.media {
            Media::Sip(sip) => {
                if let Some(digit) = sip.fill(now, may_speak || self.overheard.is_some(), frame) {
                    out.events.push(Event::Digit { leg: self.id, digit });
                }
                if let Some(summary) = sip.take_answer() {
                    out.events.push(Event::AnswerHeard { leg: self.id, summary });
                }
            }
            Media::Webrtc(webrtc) => webrtc.fill(now, may_speak, frame),
        }
        if let Some(overheard) = &mut self.overheard {
            if may_speak { overheard.forget() } else { overheard.keep(rate, frame) }
        }
        let dbov = if may_speak {
            if let Some(suppressor) = &mut self.suppressor {
                suppressor.clean(frame);
            }
            level::measure(frame)
        } else {
            frame.fill(0); // samples decoded before the right was taken away
            self.gate.close();
            self.meter.forget();
            SILENCE_DBOV
        };
        self.is_active = may_speak && self.gate.update(dbov);
        if let Some(loudness) = self.loudness.as_mut().filter(|_| self.is_active) {
            loudness.even(dbov, frame);
        }
        self.held.update(dbov);
        if let Some(dbov) = self.meter.update(dbov) {
            out.events.push(Event::Levels { leg: self.id, dbov });
        }
    }

    /// Second half of a tick: mix, encode, send. `with_own`: his voice is in the sums if it is mixed at all.
    pub(super) fn end_tick(
        &mut self,
        now: Instant,
        mixer: &Mixer,
        with_own: bool,
        shared: &mut SharedMixes<'_>,
        out: &mut Outbox,
    ) {
        // What is played waits until it can be heard.
        let (playing, over) = if self.is_reachable() { self.player.tick() } else { (false, None) };
        if let Some(playing) = over {
            out.events.push(Event::PlayingDone { leg: self.id, playing });
        }
        let rate = self.listening_rate();
        let aside = self.aside.as_ref().and_then(|aside| aside.frame(rate));
        let hears = Hearing {
            listens: self.listens(),
            own: (with_own && self.is_mixed).then_some(&self.voice),
            played: if playing { Some(self.player.frame()) } else { aside },
        };
        match &mut self.media {
            Media::Sip(sip) => {
                hears.send_to_phone(self.id, sip, mixer, shared, out);
                sip.shake_hands(now, self.id, &mut out.ring);
                sip.report(now, self.id, &mut out.ring);
            }
            Media::Webrtc(webrtc) if webrtc.connected => {
                let shared = shared.opus(OpusSettings::default());
                let mut work = OpusWork { shared, encodes: &mut out.encodes };
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
    /// A prompt or tone, or what he hears aside.
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

    /// Makes what a phone hears in its codec, and sends it.
    fn send_to_phone(
        &self,
        leg: LegId,
        sip: &mut SipLeg,
        mixer: &Mixer,
        shared: &mut SharedMixes<'_>,
        out: &mut Outbox,
    ) {
        match sip.sends() {
            None => sip.send(leg, None, &mut out.ring),
            Some(codec @ (Codec::Pcmu | Codec::Pcma)) => {
                let mut payload = [0; NARROW_FRAME];
                self.encode_narrow(codec, mixer, shared, &mut payload, &mut out.encodes);
                sip.send(leg, Some(&payload), &mut out.ring);
            }
            Some(Codec::G722) => {
                let mix = |mix: &mut [i16; FULL_FRAME]| {
                    self.mix(mixer, Rate::Full, mix);
                };
                let shared = shared.g722.as_deref_mut();
                let encodes = &mut out.encodes;
                let listener = sip.encoder().g722();
                let made = listener.map(|of| of.encode(mix, self.is_alike(), mixer, shared, encodes));
                sip.send(leg, made.as_ref().map(<[u8; NARROW_FRAME]>::as_slice), &mut out.ring);
            }
            Some(Codec::Opus) => {
                let mut packet = [0; opus::MAX_PACKET];
                let settings = sip.opus_settings().unwrap_or_default();
                let mut work = OpusWork { shared: shared.opus(settings), encodes: &mut out.encodes };
                let made = sip.encoder().opus().map_or(opus::SILENCE.as_slice(), |listener| {
                    self.encode_opus(listener, mixer, &mut work)
                });
                let length = made.len().min(packet.len());
                packet.iter_mut().zip(made).for_each(|(to, &from)| *to = from);
                sip.send(leg, packet.get(..length), &mut out.ring);
            }
        }
    }

    /// Makes an Opus packet: of his own, or that of all who hear the same.
    pub(super) fn encode_opus<'a>(
        &self,
        listener: &'a mut OpusListener,
        mixer: &Mixer,
        work: &'a mut OpusWork<'_>,
    ) -> &'a [u8] {
        if self.is_alike() {
            return listener.alike(work.shared.as_deref_mut(), mixer, work.encodes);
        }
        let mut mix = [0; FULL_FRAME];
        let mix = self.mix(mixer, Rate::Full, &mut mix).then_some(&mix);
        listener.different(mix, work.shared.as_deref(), work.encodes)
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
    opus: &'a mut [SharedOpus],
    /// Where it is worth it.
    g722: Option<&'a mut SharedG722>,
    pcmu: Option<[u8; NARROW_FRAME]>,
    pcma: Option<[u8; NARROW_FRAME]>,
}

impl<'a> SharedMixes<'a> {
    /// Legs of the same settings a room must have before those who only listen share an encoder. In a small meeting
    /// everybody speaks now and then, and his own encoder all the time is the simpler thing.
    pub(super) const WORTH_SHARING: usize = 4;

    /// Nothing is made yet.
    pub(super) const fn new(opus: &'a mut [SharedOpus], g722: Option<&'a mut SharedG722>) -> Self {
        Self { opus, g722, pcmu: None, pcma: None }
    }

    /// The shared encoder of these settings, where it is worth it.
    fn opus(&mut self, settings: OpusSettings) -> Option<&mut SharedOpus> {
        let mut worth = self.opus.iter_mut().filter(|shared| shared.listeners >= Self::WORTH_SHARING);
        worth.find(|shared| shared.settings == settings)
    }

    const fn get(&self, codec: Codec) -> Option<&[u8; NARROW_FRAME]> {
        match codec {
            Codec::Pcmu => self.pcmu.as_ref(),
            Codec::Pcma => self.pcma.as_ref(),
            Codec::G722 | Codec::Opus => None,
        }
    }

    const fn put(&mut self, codec: Codec, payload: [u8; NARROW_FRAME]) {
        match codec {
            Codec::Pcmu => self.pcmu = Some(payload),
            Codec::Pcma => self.pcma = Some(payload),
            Codec::G722 | Codec::Opus => {}
        }
    }
}
