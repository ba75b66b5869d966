//! The numbers of calls: signed where they leave by a trunk, checked where they come from one (STIR/SHAKEN).
//!
//! Nothing here holds up a call for long. Signing takes a fraction of a millisecond. A call whose certificate is neither in the
//! folder nor in the cache waits for it, no longer than [`PATIENCE`]; its caller has got a 100 meanwhile.

mod certificates;
mod passport;

use crate::config::Config;
use crate::config::stir::Signing;
use crate::webhook_sender::WebhookCarrier;
use certificates::{Certificates, Found, chain_of};
use conference::vocabulary::UnixMillis;
use passport::{Claims, Signer, Token, canonical};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use sip_core::ua::{
    Attestation, Command, Event, IncomingInvite, OutgoingInvite, SessionId, Target, TrunkId, Verstat,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long a call waits for the certificate of its signer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Calls that wait at the same time; more are let through unchecked.
const WAITING: usize = 64;
/// Longest certificate file.
const LARGEST: usize = 32 * 1024;

/// Signs and checks.
pub(crate) struct Desk {
    general: Option<Signer>,
    by_host: BTreeMap<String, Signer>,
    hosts: BTreeMap<TrunkId, String>,
    trust: Option<Certificates>,
    fetcher: Option<Arc<WebhookCarrier>>,
    freshness: u64,
    waiting: BTreeMap<SessionId, Box<IncomingInvite>>,
    brought: (mpsc::Sender<Brought>, mpsc::Receiver<Brought>),
}

/// What a fetch has brought for the call that waits.
pub(crate) struct Brought {
    session: SessionId,
    x5u: String,
    pem: Option<Vec<u8>>,
}

impl Desk {
    /// From the configuration.
    ///
    /// # Errors
    /// In words that name the file at fault.
    pub(crate) fn new(
        config: &Config,
        fetcher: impl FnOnce() -> Option<WebhookCarrier>,
    ) -> Result<Self, String> {
        let stir = &config.stir;
        let signer = |signing: &Signing| -> Result<Signer, String> {
            let path = config.beside(&signing.key);
            let key = PrivatePkcs8KeyDer::from_pem_file(&path)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            let made = Signer::new(key.secret_pkcs8_der(), &signing.x5u);
            made.map_err(|words| format!("{} {words}", path.display()))
        };
        let by_host =
            stir.trunk.iter().map(|(host, signing)| Ok((host.to_ascii_lowercase(), signer(signing)?)));
        let trust =
            stir.trust.as_ref().map(|folder| Certificates::load(&config.beside(folder))).transpose()?;
        Ok(Self {
            general: stir.sign.as_ref().map(signer).transpose()?,
            by_host: by_host.collect::<Result<_, String>>()?,
            hosts: BTreeMap::new(),
            trust,
            fetcher: if stir.fetch { fetcher().map(Arc::new) } else { None },
            freshness: stir.freshness_s.unwrap_or(60),
            waiting: BTreeMap::new(),
            brought: mpsc::channel(WAITING),
        })
    }

    /// Puts the signature into an INVITE that leaves by a trunk; notes which trunk is where. Random bytes are drawn for what
    /// is signed alone.
    pub(crate) fn sign(
        &mut self,
        command: &mut Command,
        wall: UnixMillis,
        random: impl FnOnce() -> [u8; 16],
    ) {
        if let Command::PutTrunk(trunk) = command {
            self.hosts.insert(trunk.id, trunk.host.to_ascii_lowercase());
        } else if let Command::RemoveTrunk(trunk) = command {
            self.hosts.remove(trunk);
        } else if let Command::Invite(order) = command {
            order.identity = self.identity(order, wall, random);
        }
    }

    fn identity(
        &self,
        order: &OutgoingInvite,
        wall: UnixMillis,
        random: impl FnOnce() -> [u8; 16],
    ) -> Option<String> {
        let Target::Trunk { trunk, number } = &order.target else { return None };
        let own = self.hosts.get(trunk).and_then(|host| self.by_host.get(host));
        let signer = own.or(self.general.as_ref())?;
        signer.sign(&Claims {
            attestation: order.attestation.unwrap_or(Attestation::Gateway),
            from: canonical(&order.caller.number)?,
            to: vec![canonical(number)?],
            signed_at: seconds(wall),
            origin: uuid(random()),
        })
    }

    /// Checks a call that has come. What has to wait for a certificate comes back by [`Self::next`].
    pub(crate) fn take(&mut self, event: Event, wall: UnixMillis) -> Option<Event> {
        if let Event::Incoming(invite) = event {
            return self.check(invite, wall).map(Event::Incoming);
        }
        if let Event::Ended { session, .. } = &event
            && self.waiting.remove(session).is_some()
        {
            // Nobody has heard of a call that ended while it waited.
            return None;
        }
        Some(event)
    }

    fn check(&mut self, mut invite: Box<IncomingInvite>, wall: UnixMillis) -> Option<Box<IncomingInvite>> {
        let Some(trust) = &self.trust else { return Some(invite) };
        if matches!(invite.origin, sip_core::ua::Origin::Device(_)) {
            return Some(invite);
        }
        let first = invite.identity.iter().find_map(|value| Token::read(value).transpose());
        let Some(first) = first else {
            invite.verstat = Some(Verstat::NotValidated);
            return Some(invite);
        };
        let now = seconds(wall);
        let fitting = first.and_then(|token| {
            token.fits(&invite.from_user, &invite.request_user, now, self.freshness).map(|()| token)
        });
        let token = match fitting {
            Ok(token) => token,
            Err(words) => {
                tracing::info!(call.id = %invite.call_id, "the caller's number is not proved: {words}");
                invite.verstat = Some(Verstat::Failed);
                return Some(invite);
            }
        };
        match trust.find(&token.x5u, now) {
            Found::Here(chain) => {
                invite.verstat = Some(judged(trust, &token, &chain, now, &invite.call_id));
                Some(invite)
            }
            Found::Unknown
                if self.fetcher.is_some() && is_https(&token.x5u) && self.waiting.len() < WAITING =>
            {
                self.fetch(token.x5u, invite.session);
                self.waiting.insert(invite.session, invite);
                None
            }
            Found::Unknown | Found::Failed => {
                invite.verstat = Some(Verstat::NotValidated);
                Some(invite)
            }
        }
    }

    fn fetch(&self, x5u: String, session: SessionId) {
        let Some(fetcher) = self.fetcher.clone() else { return };
        let brought = self.brought.0.clone();
        tokio::spawn(async move {
            let fetched = tokio::time::timeout(PATIENCE, fetcher.get(&x5u, LARGEST)).await;
            let pem = match fetched {
                Ok(Ok(pem)) => Some(pem),
                Ok(Err(words)) => {
                    tracing::info!(x5u, "a signer's certificate cannot be had: {words}");
                    None
                }
                Err(_) => None,
            };
            // The receiver is gone only when the gateway stops.
            let _ = brought.send(Brought { session, x5u, pem }).await;
        });
    }

    /// What the next fetch has brought.
    pub(crate) async fn next(&mut self) -> Option<Brought> {
        self.brought.1.recv().await
    }

    /// The call that waited for it, if it still does.
    pub(crate) fn judge(&mut self, brought: Brought, wall: UnixMillis) -> Option<Event> {
        let chain = brought.pem.as_deref().and_then(chain_of);
        if let Some(trust) = &mut self.trust {
            trust.keep(brought.x5u, chain, seconds(wall));
        }
        let invite = self.waiting.remove(&brought.session)?;
        // Known now, one way or the other: it waits no second time.
        self.check(invite, wall).map(Event::Incoming)
    }
}

fn judged(trust: &Certificates, token: &Token, chain: &certificates::Chain, now: u64, call: &str) -> Verstat {
    match trust.check(token, chain, now) {
        Ok(()) => Verstat::Passed(token.claims.attestation),
        Err(words) => {
            tracing::info!(call.id = %call, "the caller's number is not proved: {words}");
            Verstat::Failed
        }
    }
}

/// Webhooks may be allowed to go without TLS; a certificate that came so could be anybody's.
fn is_https(x5u: &str) -> bool {
    x5u.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
}

fn seconds(wall: UnixMillis) -> u64 {
    wall.0 / 1_000
}

/// Version 4 (RFC 9562 section 5.4).
fn uuid(mut bytes: [u8; 16]) -> String {
    let [.., version, _, variant, _, _, _, _, _, _, _] = &mut bytes;
    *version = *version & 0x0f | 0x40;
    *variant = *variant & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let cut = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", cut(0, 8), cut(8, 12), cut(12, 16), cut(16, 20), cut(20, 32))
}

#[cfg(test)]
mod tests;
