//! One leg's handshake, with whoever may be the phone.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, VerifyPeerCertificateFn};
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile as Profile;
use rtc_dtls::state::State;
use rtc_shared::TransportProtocol;
use rtc_shared::error::Error;

use super::{DtlsError, DtlsParameters, Fingerprint, Identity, SetupRole};
use crate::srtp::{MasterKey, SrtpKeys, Suite};

/// The handshake of one leg.
pub(crate) struct Handshake {
    parameters: DtlsParameters,
    endpoint: Endpoint,
    /// Whom a handshake is under way with, the oldest first, and since when.
    pub(super) tried: Vec<(SocketAddr, Instant)>,
    /// Whom it was finished with.
    pub(super) done: Option<SocketAddr>,
    config: Arc<rtc_dtls::config::HandshakeConfig>,
}

impl Handshake {
    /// Addresses with which a handshake may be under way at once.
    pub(super) const TRIED: usize = 4;
    /// After so long an unfinished one makes room for another.
    const PATIENCE: Duration = Duration::from_secs(3);
    /// Suites we take, ours first: the order of the other side counts where it is the client.
    const PROFILES: [(Profile, Suite); 4] = [
        (Profile::Srtp_Aead_Aes_256_Gcm, Suite::AeadAes256Gcm),
        (Profile::Srtp_Aead_Aes_128_Gcm, Suite::AeadAes128Gcm),
        (Profile::Srtp_Aes128_Cm_Hmac_Sha1_80, Suite::AesCm128HmacSha1_80),
        (Profile::Srtp_Aes128_Cm_Hmac_Sha1_32, Suite::AesCm128HmacSha1_32),
    ];
    /// After so long without an answer a flight is sent again, later after longer pauses: nobody hears anything yet.
    const FLIGHT_INTERVAL: Duration = Duration::from_millis(250);
    /// Largest datagram, as long as the longest of a phone's media.
    const MTU: usize = 1_200;
    /// What keys are called when they are derived (RFC 5764 section 4.2).
    const LABEL: &'static str = "EXTRACTOR-dtls_srtp";

    /// # Errors
    /// When the implementation refuses its configuration.
    pub(crate) fn new(identity: &Identity, parameters: DtlsParameters) -> Result<Self, DtlsError> {
        let is_client = parameters.role == SetupRole::Active;
        let config = ConfigBuilder::default()
            .with_crypto_provider(Arc::clone(&identity.provider))
            .with_certificates(vec![identity.certificate.clone()])
            .with_srtp_protection_profiles(Self::PROFILES.map(|(profile, _)| profile).to_vec())
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            // Nobody has signed a phone's certificate: what counts is its fingerprint.
            .with_insecure_skip_verify(true)
            .with_verify_peer_certificate(Some(verifier(parameters.remote)))
            .with_flight_interval(Self::FLIGHT_INTERVAL)
            .with_mtu(Self::MTU)
            .build(is_client, None)
            .map_err(DtlsError::new)?;
        let config = Arc::new(config);
        // The address of our port means nothing to the implementation.
        let local = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let server = (!is_client).then(|| Arc::clone(&config));
        let endpoint = Endpoint::new(local, TransportProtocol::UDP, server);
        Ok(Self { parameters, endpoint, tried: Vec::new(), done: None, config })
    }

    /// What it was made for.
    pub(crate) const fn parameters(&self) -> DtlsParameters {
        self.parameters
    }

    /// Takes a datagram from an address that may be the phone's. The keys, once: it is the phone's.
    pub(crate) fn handle(&mut self, now: Instant, source: SocketAddr, datagram: &[u8]) -> Option<SrtpKeys> {
        if self.done.is_some_and(|done| done != source) || !self.may_try(now, source, datagram) {
            return None;
        }
        // An error is somebody's garbage, or a handshake that has failed: the phone may begin another.
        let events = self.endpoint.read(now, source, None, BytesMut::from(datagram)).unwrap_or_default();
        let mut keys = None;
        for event in events {
            match event {
                EndpointEvent::HandshakeComplete if self.done.is_none() => {
                    keys = self.endpoint.get_connection_state(source).and_then(keys_of);
                    if keys.is_some() {
                        self.done = Some(source);
                        self.forget_others(now, source);
                    }
                }
                EndpointEvent::PeerClosed => self.tried.retain(|(known, _)| *known != source),
                EndpointEvent::HandshakeComplete | EndpointEvent::ApplicationData(_) | _ => {}
            }
        }
        keys
    }

    /// Whether to listen: to whom a handshake is under way with; to others when they say hello, as far as there is room.
    fn may_try(&mut self, now: Instant, source: SocketAddr, datagram: &[u8]) -> bool {
        if self.tried.iter().any(|(known, _)| *known == source) {
            // Whoever begins anew after a while has lost the first one.
            let is_stale = |since: Instant| now.saturating_duration_since(since) >= Self::PATIENCE;
            let began_again = is_first_hello(datagram) && self.done.is_none();
            if began_again && self.tried.iter().any(|&(known, since)| known == source && is_stale(since)) {
                self.drop_one(now, source);
                self.tried.push((source, now));
            }
            return true;
        }
        if self.parameters.role == SetupRole::Active || !is_hello(datagram) || self.done.is_some() {
            return false;
        }
        if self.tried.len() >= Self::TRIED {
            let Some(&(oldest, since)) = self.tried.first() else { return false };
            if now.saturating_duration_since(since) < Self::PATIENCE {
                return false;
            }
            self.drop_one(now, oldest);
        }
        self.tried.push((source, now));
        true
    }

    fn forget_others(&mut self, now: Instant, chosen: SocketAddr) {
        while let Some(&(other, _)) = self.tried.iter().find(|(known, _)| *known != chosen) {
            self.drop_one(now, other);
        }
    }

    /// Forgets a handshake without a word.
    fn drop_one(&mut self, now: Instant, source: SocketAddr) {
        self.tried.retain(|(known, _)| *known != source);
        drop(self.endpoint.stop(now, source));
    }

    /// What time brings: our first hello to `target` where that is our part, and what was lost, again.
    pub(crate) fn tick(&mut self, now: Instant, target: Option<SocketAddr>) {
        if self.done.is_some() {
            return;
        }
        if self.parameters.role == SetupRole::Active
            && let Some(target) = target
            && !self.tried.iter().any(|(known, _)| *known == target)
        {
            self.forget_others(now, target);
            if self.endpoint.connect(now, target, Arc::clone(&self.config), None).is_ok() {
                self.tried.push((target, now));
            }
        }
        for (known, _) in &self.tried {
            // A handshake that has failed for good is gone when its patience is over.
            let _ = self.endpoint.handle_timeout(*known, now);
        }
        if self.parameters.role == SetupRole::Active {
            let given_up = |&&(_, since): &&(SocketAddr, Instant)| {
                now.saturating_duration_since(since) >= Self::PATIENCE * 5
            };
            if let Some(&(known, _)) = self.tried.iter().find(given_up) {
                self.drop_one(now, known);
            }
        }
    }

    /// What to send.
    pub(crate) fn poll_transmit(&mut self) -> Option<(SocketAddr, BytesMut)> {
        self.endpoint.poll_transmit().map(|transmit| (transmit.transport.peer_addr, transmit.message))
    }

    /// Whether the keys are there.
    pub(crate) const fn is_done(&self) -> bool {
        self.done.is_some()
    }
}

/// Refuses every certificate but the one that came by signalling.
fn verifier(remote: Fingerprint) -> VerifyPeerCertificateFn {
    Arc::new(move |certificates, _| match certificates.first() {
        Some(shown) if remote.is_of(shown) => Ok(()),
        Some(_) => Err(Error::ErrNoMatchingCertificateFingerprint),
        None => Err(Error::ErrNonCertificate),
    })
}

/// A ClientHello: a handshake record of the first epoch with that message in it (RFC 6347 section 4.1).
fn is_hello(datagram: &[u8]) -> bool {
    datagram.first() == Some(&22) && datagram.get(3..5) == Some(&[0, 0]) && datagram.get(13) == Some(&1)
}

/// A ClientHello that begins a handshake: its message has number 0.
fn is_first_hello(datagram: &[u8]) -> bool {
    is_hello(datagram) && datagram.get(17..19) == Some(&[0, 0])
}

/// The keys of both directions (RFC 5764 section 4.2).
fn keys_of(state: &State) -> Option<SrtpKeys> {
    let agreed = state.srtp_protection_profile();
    let (_, suite) = Handshake::PROFILES.into_iter().find(|(profile, _)| *profile == agreed)?;
    let (key, salt) = suite.lengths();
    let material = state.export_keying_material(Handshake::LABEL, &[], 2 * (key + salt)).ok()?;
    let (keys, salts) = material.as_ref().split_at_checked(2 * key)?;
    let side = |index: usize| {
        let key = keys.get(index * key..(index + 1) * key)?;
        MasterKey::new(suite, &[key, salts.get(index * salt..(index + 1) * salt)?].concat())
    };
    let (client, server) = (side(0)?, side(1)?);
    let (local, remote) = if state.is_client() { (client, server) } else { (server, client) };
    Some(SrtpKeys { suite, local, remote })
}
