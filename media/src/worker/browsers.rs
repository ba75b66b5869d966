//! The browsers of a room: what their peers report, and the video forwarded between them.

use std::time::Instant;

use crate::webrtc::forwarder::Output;
use crate::webrtc::{MediaKind, PeerEvent, Slot};

use super::Outbox;
use super::leg::Leg;
use super::room::Room;
use super::types::{Event, LegId};
use super::webrtc_leg::WebrtcLeg;

impl Room {
    /// Takes in what one peer has to say and carries out what follows from it.
    pub(super) fn serve_peer(&mut self, now: Instant, leg: LegId, out: &mut Outbox) {
        while let Some(event) = self.browser_mut(leg).and_then(|webrtc| webrtc.peer.poll_event()) {
            self.handle_peer_event(now, leg, event, out);
        }
        self.touched(leg, out);
        self.forward_video(now, out);
    }

    /// Takes in what all peers have to say whose deadline is chosen.
    pub(super) fn serve_peers(
        &mut self,
        now: Instant,
        chosen: &impl Fn(Option<Instant>) -> bool,
        out: &mut Outbox,
    ) {
        for index in 0..self.legs().len() {
            let webrtc = self.legs().get(index).and_then(|leg| Some((leg.id, leg.webrtc()?)));
            if let Some((id, webrtc)) = webrtc
                && chosen(webrtc.deadline)
            {
                self.serve_peer(now, id, out);
            }
        }
    }

    /// Wakes the peers whose time has come, and lets the forwarder's time pass: key frames asked for again, cameras
    /// that went off.
    pub(super) fn handle_timeout(&mut self, now: Instant, out: &mut Outbox) {
        let is_due = |deadline: Option<Instant>| deadline.is_some_and(|at| at <= now);
        for webrtc in self.legs_mut().iter_mut().filter_map(Leg::webrtc_mut) {
            if is_due(webrtc.deadline) {
                webrtc.peer.handle_timeout(now);
            }
        }
        self.serve_peers(now, &is_due, out);
        self.forwarder.handle_timeout(now);
        self.forward_video(now, out);
    }

    /// When something of the room's browsers is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        // Asked for before every wait, so a worker full of phones must not visit each of them.
        let legs = if self.browsers == 0 { &[] } else { self.legs() };
        let peers = legs.iter().filter_map(|leg| leg.webrtc()?.deadline);
        peers.chain(self.forwarder.poll_timeout()).min()
    }

    /// Tells the forwarder the rights of a leg, where it has any.
    pub(super) fn apply_video_plan(&mut self, now: Instant, leg: LegId) {
        if let Some(plan) = self.leg_mut(leg).map(|leg| leg.plan) {
            self.forwarder.set_permissions(now, leg, plan.send_video, plan.receive_video);
        }
    }

    fn handle_peer_event(&mut self, now: Instant, id: LegId, event: PeerEvent, out: &mut Outbox) {
        let Some(webrtc) = self.browser_mut(id) else { return };
        match event {
            PeerEvent::Connected => {
                webrtc.connected = true;
                let slots = webrtc.video_slots;
                out.events.push(Event::WebrtcConnected { leg: id });
                self.forwarder.join(id, slots);
                self.apply_video_plan(now, id);
            }
            PeerEvent::Closed => {
                webrtc.connected = false;
                out.events.push(Event::WebrtcClosed { leg: id });
                self.forwarder.leave(now, id);
            }
            PeerEvent::Rtp { kind: MediaKind::Audio, packet } => {
                if webrtc.handle_audio(now, &packet)
                    && let Some(leg) = self.leg_mut(id)
                {
                    leg.note_media(out);
                }
            }
            PeerEvent::Rtp { kind: MediaKind::Video, packet } => {
                self.forwarder.handle_packet(now, id, &packet);
            }
            PeerEvent::KeyFrameRequested { slot } => self.forwarder.handle_key_frame_request(now, id, slot),
        }
    }

    /// Carries out what the forwarder wants.
    pub(super) fn forward_video(&mut self, now: Instant, out: &mut Outbox) {
        out.timers_changed = true;
        while let Some(output) = self.forwarder.poll_output() {
            match output {
                Output::Packet { receiver, slot, packet } => {
                    if let Some(webrtc) = self.browser_mut(receiver) {
                        webrtc.peer.write_rtp(now, Slot::Video(slot), packet.as_outgoing());
                    }
                    self.touched(receiver, out);
                }
                Output::RequestKeyFrame { publisher } => {
                    if let Some(webrtc) = self.browser_mut(publisher) {
                        webrtc.peer.request_key_frame(now);
                    }
                    self.touched(publisher, out);
                }
                Output::Slots { receiver, slots } => {
                    out.events.push(Event::VideoSlots { leg: receiver, slots });
                }
            }
        }
    }

    /// Something was done to a peer: it may have datagrams to send and another deadline.
    fn touched(&mut self, leg: LegId, out: &mut Outbox) {
        let Some(webrtc) = self.browser_mut(leg) else { return };
        out.timers_changed = true;
        webrtc.deadline = webrtc.peer.poll_timeout();
        if !webrtc.is_pending {
            webrtc.is_pending = true;
            out.pending.push_back(leg);
        }
    }

    fn browser_mut(&mut self, leg: LegId) -> Option<&mut WebrtcLeg> {
        self.leg_mut(leg)?.webrtc_mut()
    }
}
