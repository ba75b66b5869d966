//! Reads a browser's offer and reduces it to what is negotiated here.
//!
//! Browsers offer every codec they know in every m-line; with eight video slots that is 46 kB, and applying it
//! takes tens of milliseconds. Only lines known here pass, so the WebRTC implementation never sees the rest:
//! Opus and VP8 (with its rtx), the header extensions used, and no candidates (an ICE-lite agent waits to be
//! checked, RFC 8445 section 2.5).

use super::peer::{MediaKind, PeerError};

/// Longest offer read, in bytes.
const MAX_OFFER_LEN: usize = 256 * 1024;
/// Most m-lines read.
const MAX_SECTIONS: usize = 24;
/// Header extension with the audio level (RFC 6464).
pub(super) const AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
/// Header extension that numbers packets for the sender's own bandwidth estimate.
pub(super) const TRANSPORT_CC: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
/// Session and media attributes that pass unchanged.
const KEPT_ATTRIBUTES: [&str; 10] = [
    "group",
    "msid-semantic",
    "extmap-allow-mixed",
    "ice-ufrag",
    "ice-pwd",
    "ice-options",
    "fingerprint",
    "setup",
    "rtcp-mux",
    "rtcp-rsize",
];

/// An offer reduced to what is negotiated here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReducedOffer {
    /// The reduced offer.
    pub sdp: String,
    /// Its m-lines in order.
    pub sections: Vec<Section>,
}

/// One m-line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    pub mid: String,
    pub kind: MediaKind,
    pub role: Role,
}

/// What an m-line is for, seen from the browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The browser sends (sendonly): microphone or camera.
    Publish {
        ssrc: u32,
        /// Identifier of the RFC 6464 header extension, if offered.
        audio_level: Option<u8>,
    },
    /// The browser receives (recvonly): one slot.
    Receive,
}

impl ReducedOffer {
    /// Reads `offer`.
    ///
    /// # Errors
    /// [`PeerError::MalformedOffer`] when it is not SDP; [`PeerError::Unacceptable`] when an m-line is not one of
    /// those browsers must offer: one audio and one video `sendonly`, one audio and at most `video_slots` video
    /// `recvonly`, each at most once.
    pub(super) fn read(offer: &str, video_slots: u8) -> Result<Self, PeerError> {
        if offer.len() > MAX_OFFER_LEN {
            return Err(malformed(format!("it is longer than {MAX_OFFER_LEN} bytes")));
        }
        if !offer.starts_with("v=0") {
            return Err(malformed("it does not begin with v=0".into()));
        }
        let mut blocks = split_sections(offer).into_iter();
        let mut sdp = String::with_capacity(8 * 1024);
        for line in blocks.next().unwrap_or_default() {
            if passes(line) {
                push_line(&mut sdp, line);
            }
        }
        let mut sections = Vec::new();
        for (index, lines) in blocks.enumerate() {
            if index >= MAX_SECTIONS {
                return Err(unacceptable(format!("it has more than {MAX_SECTIONS} m-lines")));
            }
            let media = MediaBlock { index, lines };
            let section = media.section()?;
            media.write_reduced(&section, &mut sdp)?;
            sections.push(section);
        }
        check_roles(&sections, video_slots)?;
        Ok(Self { sdp, sections })
    }

    /// The SSRC the browser publishes `kind` with.
    pub(super) fn published_ssrc(&self, kind: MediaKind) -> Option<u32> {
        self.sections.iter().find_map(|section| match section.role {
            Role::Publish { ssrc, .. } if section.kind == kind => Some(ssrc),
            Role::Publish { .. } | Role::Receive => None,
        })
    }

    /// The mid of the m-line the browser's camera is published on.
    pub(super) fn camera_mid(&self) -> Option<&str> {
        let camera = self.sections.iter().find(|s| s.kind == MediaKind::Video && s.role != Role::Receive);
        camera.map(|section| section.mid.as_str())
    }

    /// Identifier of the audio level extension on the microphone's m-line.
    pub(super) fn audio_level_extension(&self) -> Option<u8> {
        self.sections.iter().find_map(|section| match section.role {
            Role::Publish { audio_level, .. } if section.kind == MediaKind::Audio => audio_level,
            Role::Publish { .. } | Role::Receive => None,
        })
    }

    /// How many slots the browser wants to receive `kind` in.
    pub(super) fn receive_slots(&self, kind: MediaKind) -> usize {
        self.sections.iter().filter(|section| section.kind == kind && section.role == Role::Receive).count()
    }
}

/// The session part and then one block per m-line.
fn split_sections(offer: &str) -> Vec<Vec<&str>> {
    let mut blocks = vec![Vec::new()];
    for line in offer.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        if line.starts_with("m=") {
            blocks.push(Vec::new());
        }
        if let Some(block) = blocks.last_mut() {
            block.push(line);
        }
    }
    blocks
}

/// Refuses m-lines beyond those that have a meaning here.
fn check_roles(sections: &[Section], video_slots: u8) -> Result<(), PeerError> {
    let count = |kind, publish: bool| {
        sections
            .iter()
            .filter(|s| s.kind == kind && matches!(s.role, Role::Publish { .. }) == publish)
            .count()
    };
    if sections.is_empty() {
        return Err(unacceptable("it has no m-line".into()));
    }
    for (kind, name) in [(MediaKind::Audio, "audio"), (MediaKind::Video, "video")] {
        if count(kind, true) > 1 {
            return Err(unacceptable(format!("offer only one sendonly {name} m-line")));
        }
    }
    if count(MediaKind::Audio, false) > 1 {
        return Err(unacceptable("offer only one recvonly audio m-line".into()));
    }
    if count(MediaKind::Video, false) > usize::from(video_slots) {
        return Err(unacceptable(format!("offer at most {video_slots} recvonly video m-lines")));
    }
    let mut mids: Vec<_> = sections.iter().map(|section| &section.mid).collect();
    mids.sort_unstable();
    if mids.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(unacceptable("two m-lines have the same a=mid".into()));
    }
    Ok(())
}

/// The lines of one m-line's block.
struct MediaBlock<'a> {
    index: usize,
    lines: Vec<&'a str>,
}

impl<'a> MediaBlock<'a> {
    /// Values of all `a=name:value` lines.
    fn attributes(&self, name: &'static str) -> impl Iterator<Item = &'a str> {
        self.lines
            .iter()
            .filter_map(move |line| line.strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':'))
    }

    fn has_flag(&self, name: &str) -> bool {
        self.lines.iter().any(|line| line.strip_prefix("a=") == Some(name))
    }

    fn section(&self) -> Result<Section, PeerError> {
        let kind = match self.lines.first().and_then(|line| line.strip_prefix("m=")?.split(' ').next()) {
            Some("audio") => MediaKind::Audio,
            Some("video") => MediaKind::Video,
            _ => return Err(self.unacceptable("is neither audio nor video")),
        };
        let mid = self.attributes("mid").next().unwrap_or_default();
        if mid.is_empty() || mid.len() > 16 || !mid.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(self.unacceptable("has no a=mid of 1 to 16 letters and digits"));
        }
        let role = match (self.has_flag("sendonly"), self.has_flag("recvonly")) {
            (true, false) => Role::Publish { ssrc: self.ssrc()?, audio_level: self.extension(AUDIO_LEVEL) },
            (false, true) => Role::Receive,
            _ => return Err(self.unacceptable("is neither sendonly nor recvonly")),
        };
        Ok(Section { mid: mid.to_owned(), kind, role })
    }

    /// The media's own SSRC: the first of the FID group (RFC 5576 section 4.2), else the first named.
    fn ssrc(&self) -> Result<u32, PeerError> {
        let grouped = self.attributes("ssrc-group").find_map(|value| value.strip_prefix("FID "));
        grouped
            .or_else(|| self.attributes("ssrc").next())
            .and_then(|value| value.split(' ').next()?.parse().ok())
            .ok_or_else(|| self.unacceptable("names no a=ssrc; offer one encoding without rid"))
    }

    /// Identifier of the header extension `uri` (RFC 8285), if it fits the one-byte form.
    fn extension(&self, uri: &str) -> Option<u8> {
        self.attributes("extmap").find_map(|value| {
            let (id, rest) = value.split_once(' ')?;
            let offered = rest.split(' ').next()? == uri;
            let id = id.split('/').next()?; // a direction may follow (RFC 8285 section 5)
            id.parse().ok().filter(|id| offered && (1..=14).contains(id))
        })
    }

    /// Payload type whose rtpmap is `encoding`.
    fn payload_type(&self, encoding: &str) -> Option<u8> {
        self.attributes("rtpmap").find_map(|value| {
            let (payload_type, name) = value.split_once(' ')?;
            let matches = name.eq_ignore_ascii_case(encoding);
            payload_type.parse().ok().filter(|payload_type| matches && *payload_type < 128)
        })
    }

    /// Payload type of the retransmissions of `primary` (RFC 4588 section 8.1).
    fn rtx_payload_type(&self, primary: u8) -> Option<u8> {
        let wanted = format!("apt={primary}");
        let rtx = self.attributes("fmtp").find_map(|value| {
            let (payload_type, parameters) = value.split_once(' ')?;
            payload_type.parse::<u8>().ok().filter(|_| parameters.split(';').any(|p| p == wanted))
        })?;
        (rtx < 128).then_some(rtx)
    }

    /// Writes this block with nothing but what is negotiated.
    fn write_reduced(&self, section: &Section, sdp: &mut String) -> Result<(), PeerError> {
        let (name, encoding) = match section.kind {
            MediaKind::Audio => ("audio", "opus/48000/2"),
            MediaKind::Video => ("video", "VP8/90000"),
        };
        let primary = self
            .payload_type(encoding)
            .ok_or_else(|| self.unacceptable(&format!("does not offer {encoding}")))?;
        let mut payload_types = vec![primary];
        if section.kind == MediaKind::Video {
            payload_types.extend(self.rtx_payload_type(primary));
        }
        let list: Vec<_> = payload_types.iter().map(u8::to_string).collect();
        push_line(sdp, &format!("m={name} 9 UDP/TLS/RTP/SAVPF {}", list.join(" ")));
        push_line(sdp, "c=IN IP4 0.0.0.0");
        push_line(sdp, &format!("a=mid:{}", section.mid));
        for line in self.lines.iter().filter(|line| passes(line)) {
            push_line(sdp, line);
        }
        self.write_codecs(&payload_types, sdp);
        match section.role {
            Role::Publish { ssrc, .. } => self.write_publish(ssrc, sdp),
            Role::Receive => push_line(sdp, "a=recvonly"),
        }
        Ok(())
    }

    fn write_codecs(&self, payload_types: &[u8], sdp: &mut String) {
        for attribute in ["rtpmap", "fmtp", "rtcp-fb"] {
            for value in self.attributes(attribute) {
                let payload_type = value.split(' ').next().and_then(|first| first.parse().ok());
                if payload_type.is_some_and(|p| payload_types.contains(&p)) {
                    push_line(sdp, &format!("a={attribute}:{value}"));
                }
            }
        }
    }

    fn write_publish(&self, ssrc: u32, sdp: &mut String) {
        for uri in [AUDIO_LEVEL, TRANSPORT_CC] {
            if let Some(id) = self.extension(uri) {
                push_line(sdp, &format!("a=extmap:{id} {uri}"));
            }
        }
        push_line(sdp, "a=sendonly");
        // The stream's names mean nothing here; the browser's own could be any text.
        push_line(sdp, &format!("a=msid:- {ssrc}"));
        push_line(sdp, &format!("a=ssrc:{ssrc} cname:{ssrc}"));
    }

    fn unacceptable(&self, what: &str) -> PeerError {
        unacceptable(format!("m-line {} {what}", self.index))
    }
}

/// Whether a line passes unchanged.
fn passes(line: &str) -> bool {
    match line.split_once('=') {
        Some(("v" | "o" | "s" | "t", _)) => true,
        Some(("a", attribute)) => {
            let name = attribute.split(':').next().unwrap_or_default();
            KEPT_ATTRIBUTES.contains(&name)
        }
        _ => false,
    }
}

fn push_line(sdp: &mut String, line: &str) {
    sdp.push_str(line);
    sdp.push_str("\r\n");
}

fn malformed(what: String) -> PeerError {
    PeerError::MalformedOffer(what)
}

fn unacceptable(what: String) -> PeerError {
    PeerError::Unacceptable(what)
}

#[cfg(test)]
mod tests;
