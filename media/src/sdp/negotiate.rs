//! Offer and answer (RFC 3264).

use std::net::{IpAddr, SocketAddr};

use super::parse::{self, Connection, MediaDescription, SessionDescription};
use super::{
    Codec, Direction, LocalDescription, Negotiated, PTIME_MS, RtcpPort, SdpError, TELEPHONE_EVENT, write,
};

/// An offer: our codecs, telephone events, 20 ms, both directions.
#[must_use]
pub fn offer(local: &LocalDescription) -> Vec<u8> {
    offer_with_version(local, local.session_id)
}

/// [`offer`] with its own `o=` version, which must grow by one with each changed description of a session.
#[must_use]
pub fn offer_with_version(local: &LocalDescription, version: u64) -> Vec<u8> {
    let codecs: Vec<(u8, Codec)> = local.codecs.iter().map(|&codec| (codec.payload_type(), codec)).collect();
    let mut text = write::session(local, version);
    let port = local.address.port();
    write::audio(&mut text, "RTP/AVP", port, &codecs, Some(TELEPHONE_EVENT), Direction::SendRecv);
    write::rtcp_mux(&mut text);
    text.into_bytes()
}

/// Reads the answer to our [`offer`].
///
/// # Errors
/// When the answer cannot be read, refuses the audio stream or chooses a codec we did not offer.
pub fn accept_answer(local: &LocalDescription, answer: &[u8]) -> Result<Negotiated, SdpError> {
    let session = parse::parse(answer)?;
    let audio = session.media.iter().find(|media| is_audio(media)).ok_or(SdpError::NoAudio)?;
    negotiate(local, &session, audio)
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
    let chosen = choose_audio(&session).ok_or(SdpError::NoAudio)?;
    let audio = session.media.get(chosen).ok_or(SdpError::NoAudio)?;
    let negotiated = negotiate(local, &session, audio)?;
    let mut text = write::session(local, version);
    for (index, media) in session.media.iter().enumerate() {
        if index == chosen {
            let codec = [(negotiated.payload_type, negotiated.codec)];
            let port = local.address.port();
            let (event, direction) = (negotiated.telephone_event, negotiated.direction);
            write::audio(&mut text, media.protocol, port, &codec, event, direction);
            if media.rtcp_mux {
                write::rtcp_mux(&mut text);
            }
        } else {
            write::refused(&mut text, media);
        }
    }
    Ok((negotiated, text.into_bytes()))
}

/// The audio line to answer: the first over plain RTP, which may come after an encrypted one (RFC 3264 section 6
/// lets us refuse that one alone), else the first of any transport.
fn choose_audio(session: &SessionDescription<'_>) -> Option<usize> {
    let is_usable = |media: &MediaDescription<'_>| is_audio(media) && is_plain_rtp(media);
    session.media.iter().position(is_usable).or_else(|| session.media.iter().position(is_audio))
}

fn is_plain_rtp(media: &MediaDescription<'_>) -> bool {
    matches!(media.protocol, "RTP/AVP" | "RTP/AVPF")
}

fn is_audio(media: &MediaDescription<'_>) -> bool {
    media.kind == "audio" && media.port != 0
}

fn negotiate(
    local: &LocalDescription,
    session: &SessionDescription<'_>,
    audio: &MediaDescription<'_>,
) -> Result<Negotiated, SdpError> {
    if !is_plain_rtp(audio) {
        return Err(SdpError::UnsupportedTransport(audio.protocol.to_owned()));
    }
    let address = address(session, audio)?;
    let payload_types = audio.formats.iter().filter_map(|f| f.parse().ok().filter(|&p: &u8| p < 128));
    let mut codecs = payload_types.clone().filter_map(|p| Some((p, codec(audio, p)?)));
    let (payload_type, codec) =
        codecs.find(|(_, codec)| local.codecs.contains(codec)).ok_or(SdpError::NoCommonCodec)?;
    let telephone_event = payload_types.clone().find(|&p| is_telephone_event(audio, p));
    let theirs = audio.direction.or(session.direction).unwrap_or(Direction::SendRecv).reversed();
    // The hold of RFC 2543: an unspecified address takes no media (RFC 3264 section 8.4).
    let direction = Direction::new(theirs.sends() && !address.is_unspecified(), theirs.receives());
    Ok(Negotiated {
        remote: SocketAddr::new(address, audio.port),
        codec,
        payload_type,
        telephone_event,
        ptime_ms: audio.ptime_ms.filter(|ms| (1..=200).contains(ms)).unwrap_or(PTIME_MS),
        direction,
        rtcp: match audio.rtcp_port {
            _ if audio.rtcp_mux => RtcpPort::Muxed,
            Some(port) => RtcpPort::Apart(port),
            None => RtcpPort::None,
        },
    })
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

/// The codec behind a payload type: by `a=rtpmap`, else by the static numbers of RFC 3551.
fn codec(audio: &MediaDescription<'_>, payload_type: u8) -> Option<Codec> {
    let known = [Codec::Pcmu, Codec::Pcma];
    match audio.rtpmaps.iter().find(|map| map.payload_type == payload_type) {
        Some(map) if map.clock_hz == 8_000 && map.channels == 1 => {
            known.into_iter().find(|codec| map.name.eq_ignore_ascii_case(codec.name()))
        }
        Some(_) => None,
        None => known.into_iter().find(|codec| codec.payload_type() == payload_type),
    }
}

fn is_telephone_event(audio: &MediaDescription<'_>, payload_type: u8) -> bool {
    audio.rtpmaps.iter().any(|map| {
        map.payload_type == payload_type
            && map.clock_hz == 8_000
            && map.name.eq_ignore_ascii_case("telephone-event")
    })
}
