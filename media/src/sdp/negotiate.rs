//! Offer and answer (RFC 3264).

use std::net::{IpAddr, SocketAddr};

use crate::dtls::{DtlsParameters, SetupRole};
use crate::ice::IceCredentials;
use crate::srtp::SrtpKeys;

use super::crypto::Crypto;
use super::parse::{self, Connection, MediaDescription, SessionDescription};
use super::{
    Codec, Direction, Format, LocalDescription, Negotiated, OpusSettings, PTIME_MS, PayloadTypes, Redundancy,
    RtcpPort, SdpError, SrtpPolicy, formats, write,
};

/// An offer: our codecs, telephone events, 20 ms, both directions.
#[must_use]
pub fn offer(local: &LocalDescription) -> Vec<u8> {
    offer_with_version(local, local.session_id)
}

/// [`offer`] with its own `o=` version, which must grow by one with each changed description of a session.
#[must_use]
pub fn offer_with_version(local: &LocalDescription, version: u64) -> Vec<u8> {
    let mut text = write::session(local, version, None, false);
    let transport = if local.srtp == SrtpPolicy::Require { "RTP/SAVP" } else { "RTP/AVP" };
    write_offered(&mut text, local, transport, &formats::offered(local));
    text.into_bytes()
}

/// A description of ours offered again within its session: `previous` is the one before. Each medium stays in its
/// place, the refused ones refused, and a number of a format that was agreed on keeps its meaning (RFC 3264 sections 8
/// and 8.3.2).
#[must_use]
pub fn offer_again(local: &LocalDescription, version: u64, previous: &[u8]) -> Vec<u8> {
    let session = parse::parse(previous).unwrap_or_default();
    let Some(chosen) = session.media.iter().position(is_audio) else {
        return offer_with_version(local, version);
    };
    let mut text = write::session(local, version, session.time, false);
    for (index, media) in session.media.iter().enumerate() {
        if index == chosen {
            write_offered(&mut text, local, media.protocol, &formats::offered_again(local, media));
        } else {
            write::refused(&mut text, media);
        }
    }
    text.into_bytes()
}

/// The audio section of an offer of ours.
fn write_offered(
    text: &mut String,
    local: &LocalDescription,
    transport: &str,
    formats: &[write::Mapped<'_>],
) {
    write::audio(text, transport, local.address.port(), formats, Direction::SendRecv);
    if local.srtp != SrtpPolicy::Off {
        Crypto::offered(&local.key_seed).for_each(|crypto| text.push_str(&crypto.line()));
        if let Some(fingerprint) = &local.dtls {
            write::dtls(text, fingerprint, "actpass");
        }
    }
    write::rtcp_mux(text);
    write::rtcp_xr(text);
}

/// Reads the answer to our [`offer`].
///
/// # Errors
/// When the answer cannot be read, refuses the audio stream or chooses a codec we did not offer.
pub fn accept_answer(local: &LocalDescription, answer: &[u8]) -> Result<Negotiated, SdpError> {
    let session = parse::parse(answer)?;
    let audio = session.media.iter().find(|media| is_audio(media)).ok_or(SdpError::NoAudio)?;
    // The first codec of an answer is the one its writer likes best (RFC 3264 section 6.1).
    let mut negotiated = negotiate(local, &session, audio, Order::Theirs)?;
    let chosen = usable(local, audio).filter(|_| negotiated.srtp.is_some());
    let offered = |chosen: &Crypto| {
        Crypto::offered(&local.key_seed).any(|ours| (ours.tag, ours.suite) == (chosen.tag, chosen.suite))
    };
    if chosen.is_some_and(|chosen| !offered(&chosen)) {
        return Err(SdpError::SrtpRequired);
    }
    // We offered no ICE.
    negotiated.ice = None;
    // What we listed may come under the numbers we gave it (RFC 3264 section 5.1).
    let mut received = PayloadTypes::static_numbers();
    for codec in &local.codecs {
        received.insert(codec.payload_type(), Format::Audio(*codec));
    }
    for (payload_type, name, ..) in formats::offered(local) {
        match name {
            "telephone-event" => received.insert(payload_type, Format::TelephoneEvent),
            "red" => received.insert(payload_type, Format::Redundant),
            _ => {}
        }
    }
    negotiated.received = negotiated.received.after(received);
    Ok(negotiated)
}

/// Answers an offer: what was agreed, and the answer to send.
///
/// # Errors
/// [`SdpError::status`] and [`SdpError::warning`] say how to refuse the INVITE.
pub fn answer(local: &LocalDescription, offer: &[u8]) -> Result<(Negotiated, Vec<u8>), SdpError> {
    answer_with_version(local, offer, local.session_id)
}

/// [`answer`] with its own `o=` version, which must grow by one with each changed description of a session.
///
/// # Errors
/// As [`answer`].
pub fn answer_with_version(
    local: &LocalDescription,
    offer: &[u8],
    version: u64,
) -> Result<(Negotiated, Vec<u8>), SdpError> {
    let session = parse::parse(offer)?;
    let chosen = choose_audio(local, &session).ok_or(SdpError::NoAudio)?;
    let audio = session.media.get(chosen).ok_or(SdpError::NoAudio)?;
    let order = if local.ranked { Order::Ours } else { Order::Theirs };
    let negotiated = negotiate(local, &session, audio, order)?;
    let mut text = write::session(local, version, session.time, negotiated.ice.is_some());
    for (index, media) in session.media.iter().enumerate() {
        if index == chosen {
            let codec = negotiated.codec;
            let mut formats =
                vec![(negotiated.payload_type, codec.name(), codec.clock_hz(), codec.channels())];
            let redundancy = negotiated.redundancy.map(|red| (red.payload_type, "red", 48_000, 2));
            let first = if negotiated.redundancy.is_some_and(|red| red.preferred) { 0 } else { 1 };
            redundancy.into_iter().for_each(|red| formats.insert(first, red));
            let event = negotiated.telephone_event;
            formats.extend(event.map(|event| (event, "telephone-event", negotiated.telephone_event_hz, 1)));
            let port = local.address.port();
            write::audio(&mut text, media.protocol, port, &formats, negotiated.direction);
            if let (Some(chosen), Some(keys)) = (usable(local, media), negotiated.srtp) {
                text.push_str(&Crypto { key: keys.local, ..chosen }.line());
            }
            if let (Some(ours), Some(dtls)) = (&local.dtls, negotiated.dtls) {
                write::dtls(&mut text, ours, dtls.role.attribute());
            }
            if let Some(ice) = &negotiated.ice {
                write::ice(&mut text, ice, local.address);
            } else if offers_ice(&session, media) && !is_default_a_candidate(media, negotiated.remote) {
                write::ice_mismatch(&mut text);
            }
            match negotiated.rtcp {
                RtcpPort::Muxed => write::rtcp_mux(&mut text),
                RtcpPort::Apart(_) => write::rtcp_port(&mut text, local.address),
                RtcpPort::None => {}
            }
            if negotiated.voip_metrics {
                write::rtcp_xr(&mut text);
            }
        } else {
            write::refused(&mut text, media);
        }
    }
    Ok((negotiated, text.into_bytes()))
}

/// The audio line to answer: the first one that fits the policy, encrypted ones before plain ones. The others are
/// refused alone (RFC 3264 section 6). Without any the first one is, with a reason.
fn choose_audio(local: &LocalDescription, session: &SessionDescription<'_>) -> Option<usize> {
    let find = |fits: &dyn Fn(&MediaDescription<'_>) -> bool| {
        session.media.iter().position(|media| is_audio(media) && fits(media))
    };
    find(&|media| is_secure(media) && dtls(local, session, media).is_some())
        .or_else(|| find(&|media| is_secure(media) && usable(local, media).is_some()))
        .or_else(|| find(&|media| is_plain_rtp(media) && usable(local, media).is_some()))
        .or_else(|| find(&is_plain_rtp).filter(|_| local.srtp != SrtpPolicy::Require))
        .or_else(|| find(&|_| true))
}

/// The first key of the remote that we can and may use.
fn usable(local: &LocalDescription, audio: &MediaDescription<'_>) -> Option<Crypto> {
    let mut lines = audio.crypto.iter().filter(|_| local.srtp != SrtpPolicy::Off);
    lines.find_map(|line| Crypto::parse(line))
}

/// How keys are agreed on by DTLS, if both sides can and the policy allows it.
///
/// Who may choose waits: a phone behind a NAT can only be answered where it sends from, so that it must begin
/// (RFC 5763 section 5 would rather have us begin).
fn dtls(
    local: &LocalDescription,
    session: &SessionDescription<'_>,
    audio: &MediaDescription<'_>,
) -> Option<DtlsParameters> {
    local.dtls.filter(|_| local.srtp != SrtpPolicy::Off)?;
    let theirs = audio.security.or(session.security);
    let role = match theirs.setup? {
        "actpass" | "active" => SetupRole::Passive,
        "passive" => SetupRole::Active,
        _ => return None,
    };
    Some(DtlsParameters { role, remote: theirs.fingerprint? })
}

/// How media is encrypted.
enum Protection {
    /// Not at all.
    Plain,
    /// With keys that came by signalling (RFC 4568).
    Keys(SrtpKeys),
    /// With keys that come by DTLS, the safer way (RFC 8643 section 3.1).
    Dtls(DtlsParameters),
}

/// What the policy and the transport want.
fn protection(
    local: &LocalDescription,
    session: &SessionDescription<'_>,
    audio: &MediaDescription<'_>,
) -> Result<Protection, SdpError> {
    let dtls = dtls(local, session, audio);
    Ok(match (dtls, keys(local, audio)) {
        (Some(dtls), _) => Protection::Dtls(dtls),
        (None, keys) => keys?.map_or(Protection::Plain, Protection::Keys),
    })
}

/// The keys of both sides, as far as the policy and the transport want them.
fn keys(local: &LocalDescription, audio: &MediaDescription<'_>) -> Result<Option<SrtpKeys>, SdpError> {
    let unsupported = || SdpError::UnsupportedTransport(audio.protocol.to_owned());
    if !is_plain_rtp(audio) && !is_secure(audio) {
        return Err(unsupported());
    }
    let keys = usable(local, audio).and_then(|crypto| {
        let local = local.key_seed.key(crypto.suite)?;
        Some(SrtpKeys { suite: crypto.suite, local, remote: crypto.key })
    });
    match local.srtp {
        _ if keys.is_some() => Ok(keys),
        SrtpPolicy::Require => Err(SdpError::SrtpRequired),
        SrtpPolicy::Off | SrtpPolicy::Prefer if is_secure(audio) => Err(unsupported()),
        SrtpPolicy::Off | SrtpPolicy::Prefer => Ok(None),
    }
}

fn is_plain_rtp(media: &MediaDescription<'_>) -> bool {
    matches!(media.protocol, "RTP/AVP" | "RTP/AVPF")
}

fn is_secure(media: &MediaDescription<'_>) -> bool {
    matches!(media.protocol, "RTP/SAVP" | "RTP/SAVPF" | "UDP/TLS/RTP/SAVP" | "UDP/TLS/RTP/SAVPF")
}

fn is_audio(media: &MediaDescription<'_>) -> bool {
    media.kind == "audio" && media.port != 0
}

/// Whose order of codecs counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// That of the configuration, where it was set because it matters (RFC 3264 section 6.1 allows it).
    Ours,
    /// That of the other side, which should count (RFC 3264 section 6.1).
    Theirs,
}

fn negotiate(
    local: &LocalDescription,
    session: &SessionDescription<'_>,
    audio: &MediaDescription<'_>,
    order: Order,
) -> Result<Negotiated, SdpError> {
    let protection = protection(local, session, audio)?;
    let address = address(session, audio)?;
    let payload_types = audio.formats.iter().filter_map(|f| f.parse().ok().filter(|&p: &u8| p < 128));
    let codecs = payload_types.clone().filter_map(|p| Some((p, formats::codec(audio, p)?)));
    let mut codecs = codecs.filter_map(|(p, codec)| {
        let rank = local.codecs.iter().position(|ours| *ours == codec)?;
        Some((if order == Order::Ours { rank } else { 0 }, p, codec))
    });
    let first = codecs.next().ok_or(SdpError::NoCommonCodec)?;
    // The first of equals.
    let (_, payload_type, codec) = codecs.fold(first, |best, next| if next.0 < best.0 { next } else { best });
    // Events in the clock of the codec, else in any.
    let events = payload_types.clone().filter_map(|p| Some((p, formats::telephone_event_hz(audio, p)?)));
    let event = events.min_by_key(|&(_, hz)| hz != codec.clock_hz());
    let remote = SocketAddr::new(address, audio.port);
    let ice = ice(local, session, audio, remote);
    let redundancy = redundancy(audio, codec, payload_type, payload_types.clone());
    let numbers =
        [Some(payload_type), event.map(|(number, _)| number), redundancy.map(|red| red.payload_type)];
    let one_port = matches!(protection, Protection::Dtls(_)) || ice.is_some();
    let theirs = audio.direction.or(session.direction).unwrap_or(Direction::SendRecv).reversed();
    // The hold of RFC 2543: an unspecified address takes no media (RFC 3264 section 8.4).
    let direction = Direction::new(theirs.sends() && !address.is_unspecified(), theirs.receives());
    Ok(Negotiated {
        remote,
        codec,
        payload_type,
        telephone_event: event.map(|(payload_type, _)| payload_type),
        telephone_event_hz: event.map_or(8_000, |(_, hz)| hz),
        received: received(local, audio, payload_types),
        opus: opus(audio, payload_type),
        redundancy,
        ptime_ms: ptime(audio),
        direction,
        rtcp: rtcp(session, audio, one_port, numbers.into_iter().flatten()),
        voip_metrics: audio.voip_metrics || session.voip_metrics,
        srtp: if let Protection::Keys(keys) = protection { Some(keys) } else { None },
        dtls: if let Protection::Dtls(dtls) = protection { Some(dtls) } else { None },
        ice,
    })
}

/// Where the remote wants RTCP. Checks and handshakes cover one port: with them there is no other one. Payload types
/// that look like RTCP cannot share a port with it (RFC 5761 section 4).
fn rtcp(
    session: &SessionDescription<'_>,
    audio: &MediaDescription<'_>,
    one_port: bool,
    mut numbers: impl Iterator<Item = u8>,
) -> RtcpPort {
    if audio.rtcp_mux && !numbers.any(|number| (64..96).contains(&number)) {
        return RtcpPort::Muxed;
    }
    let port = audio.rtcp_port.or_else(|| audio.port.checked_add(1));
    let [senders, receivers] = audio.rtcp_bandwidth;
    let [all_senders, all_receivers] = session.rtcp_bandwidth;
    let wanted = [senders.or(all_senders), receivers.or(all_receivers)] != [Some(0); 2];
    port.filter(|_| wanted && !one_port).map_or(RtcpPort::None, RtcpPort::Apart)
}

/// Our credentials, if the remote checks its path. Between two lite sides nobody does (RFC 8445 section 2.5).
fn ice(
    local: &LocalDescription,
    session: &SessionDescription<'_>,
    audio: &MediaDescription<'_>,
    remote: SocketAddr,
) -> Option<IceCredentials> {
    let checks = offers_ice(session, audio) && is_default_a_candidate(audio, remote);
    let ufrag = audio.security.or(session.security).ice_ufrag.filter(|_| checks)?;
    Some(IceCredentials::derive(&local.key_seed.0, ufrag))
}

fn offers_ice(session: &SessionDescription<'_>, audio: &MediaDescription<'_>) -> bool {
    let theirs = audio.security.or(session.security);
    theirs.ice_ufrag.is_some() && theirs.ice_pwd.is_some() && !session.ice_lite
}

/// Whether nobody on the way has changed where media goes by default (RFC 8839 section 4.2.5). Who names no candidate
/// yet, or no default, may name them later.
fn is_default_a_candidate(audio: &MediaDescription<'_>, remote: SocketAddr) -> bool {
    let is_later = remote.ip().is_unspecified() && remote.port() == 9;
    audio.candidates.is_empty() || is_later || audio.candidates.contains(&remote)
}

fn address(session: &SessionDescription<'_>, audio: &MediaDescription<'_>) -> Result<IpAddr, SdpError> {
    match audio.connection.or(session.connection) {
        Some(Connection::Address(address)) => Ok(address),
        Some(Connection::Unsupported(text)) => {
            Err(SdpError::UnsupportedAddress(text.chars().take(64).collect()))
        }
        None => Err(SdpError::NoConnection),
    }
}

/// What may come under the numbers of the remote's description.
fn received(
    local: &LocalDescription,
    audio: &MediaDescription<'_>,
    payload_types: impl Iterator<Item = u8> + Clone,
) -> PayloadTypes {
    let mut received = PayloadTypes::static_numbers();
    let opus = payload_types.clone().find(|&number| formats::codec(audio, number) == Some(Codec::Opus));
    for payload_type in payload_types {
        if let Some(codec) = formats::codec(audio, payload_type) {
            if local.codecs.contains(&codec) {
                received.insert(payload_type, Format::Audio(codec));
            }
        } else if formats::telephone_event_hz(audio, payload_type).is_some() {
            received.insert(payload_type, Format::TelephoneEvent);
        } else if opus.is_some_and(|opus| formats::is_redundant_opus(audio, payload_type, opus))
            && local.codecs.contains(&Codec::Opus)
        {
            received.insert(payload_type, Format::Redundant);
        }
    }
    // Phones switch between the forms of G.711 without a word.
    for codec in [Codec::Pcmu, Codec::Pcma].into_iter().filter(|codec| local.codecs.contains(codec)) {
        received.insert(codec.payload_type(), Format::Audio(codec));
    }
    received
}

/// Under which number the remote takes Opus with earlier packets.
fn redundancy(
    audio: &MediaDescription<'_>,
    codec: Codec,
    opus: u8,
    mut payload_types: impl Iterator<Item = u8> + Clone,
) -> Option<Redundancy> {
    let mut before = payload_types.clone();
    let payload_type = payload_types
        .find(|&number| codec == Codec::Opus && formats::is_redundant_opus(audio, number, opus))?;
    let preferred = before.find(|&number| number == payload_type || number == opus) == Some(payload_type);
    Some(Redundancy { payload_type, preferred })
}

fn opus(audio: &MediaDescription<'_>, payload_type: u8) -> OpusSettings {
    let parameters = audio.fmtps.iter().find(|(of, _)| *of == payload_type);
    parameters.map_or_else(OpusSettings::default, |(_, parameters)| OpusSettings::parse(parameters))
}

/// What was asked for, no longer than allowed.
fn ptime(audio: &MediaDescription<'_>) -> u16 {
    let plausible = |ms: &u16| (1..=200).contains(ms);
    let asked = audio.ptime_ms.filter(plausible).unwrap_or(PTIME_MS);
    audio.maxptime_ms.filter(plausible).map_or(asked, |most| asked.min(most))
}
