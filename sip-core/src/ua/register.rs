//! Devices: who they are (digest), and where they are (REGISTER).

use std::time::{Duration, Instant};

use super::UserAgent;
use super::api::{DeviceAccount, Event};
use crate::auth::{Account, DigestAlgorithm, Verdict};
use crate::flow::Hop;
use crate::message::header::{Authorization, Challenge};
use crate::message::{HeaderName, Received, Request, Response, TypedHeader, Uri};
use crate::registrar::{AddressOfRecord, RegisterRefusal};

/// Whether a request comes from a device of ours.
pub(super) enum Authentication {
    /// From this one, which answered a fresh challenge within the time given.
    Device(AddressOfRecord, Option<Duration>),
    /// Not proven: the answer to send.
    Refused(Response),
}

impl UserAgent {
    /// RFC 3261 section 10.3.
    pub(super) fn receive_register(&mut self, now: Instant, request: &Received<Request>, source: Hop) {
        let claimed = request.essential.to.0.uri.clone();
        let (device, latency) = match self.authenticate(now, request, &claimed, source) {
            Authentication::Device(device, answered_in) => (device, answered_in),
            Authentication::Refused(answer) => {
                self.send_statelessly(answer, source);
                return;
            }
        };
        let agent =
            request.message.headers.first(&HeaderName::UserAgent).map(|agent| agent.text().into_owned());
        if !self.is_agent_allowed(&device, agent.as_deref().unwrap_or_default()) {
            self.answer_statelessly(request, source, 403);
            return;
        }
        let Some(transaction) = self.transactions.accept_request(request, source) else {
            self.answer_statelessly(request, source, 503);
            return;
        };
        let response = match self.registrar.register(now, &device, request, (&source, latency)) {
            Ok(changes) => {
                self.report_bindings(changes);
                self.registered(now, request, &device)
            }
            Err(refusal) => self.register_refused(request, refusal),
        };
        self.transactions.respond(now, transaction, response);
    }

    /// Section 10.3 step 8: the 200 lists every binding with the time it has left.
    fn registered(&self, now: Instant, request: &Received<Request>, device: &AddressOfRecord) -> Response {
        let tag = self.stateless_tag(request);
        let mut response = self.response_to(request, 200, Some(&tag));
        let mut outbound = false;
        for binding in self.registrar.bindings(device) {
            let left = binding.expires_at.saturating_duration_since(now).as_secs();
            let mut contact = format!("<{}>", binding.contact);
            if binding.q < 1_000 {
                let q = format!("0.{:03}", binding.q);
                contact.push_str(&format!(";q={}", q.trim_end_matches('0').trim_end_matches('.')));
            }
            contact.push_str(&format!(";expires={left}"));
            if let Some(instance) = &binding.instance {
                contact.push_str(&format!(";+sip.instance=\"{}\"", instance.replace(['"', '\\'], "")));
            }
            if let Some(reg_id) = binding.reg_id {
                contact.push_str(&format!(";reg-id={reg_id}"));
                outbound |= binding.call_id == request.essential.call_id;
            }
            response.headers.push(HeaderName::Contact, contact);
        }
        // RFC 3327 section 5.3.
        for path in request.message.headers.all(&HeaderName::Path) {
            response.headers.push_value(HeaderName::Path, path.clone());
        }
        if outbound {
            // RFC 5626 section 6.
            response.headers.push(HeaderName::Require, "outbound");
        }
        response.headers.push(HeaderName::Supported, "path, outbound");
        response
    }

    fn register_refused(&self, request: &Received<Request>, refusal: RegisterRefusal) -> Response {
        let tag = self.stateless_tag(request);
        let mut response = self.response_to(request, refusal.status(), Some(&tag));
        if refusal == RegisterRefusal::TooBrief {
            response.headers.push(HeaderName::MinExpires, self.registrar.config().min_expires.to_string());
        }
        response
    }

    /// Checks that the request comes from the device whose address it claims (To of a REGISTER, From of an
    /// INVITE). Known and unknown users get the same answers.
    pub(super) fn authenticate(
        &mut self,
        now: Instant,
        request: &Received<Request>,
        claimed: &Uri,
        source: Hop,
    ) -> Authentication {
        let domain = self.domain_of(claimed, &request.message.uri);
        let realm = self.realms.get(&domain).cloned().unwrap_or_else(|| domain.clone());
        let lines = request.message.headers.all(&HeaderName::Authorization);
        let credentials = lines
            .filter_map(|value| Authorization::parse(&value.text()).ok())
            .find(|authorization| authorization.0.realm == realm);
        let Some(Authorization(credentials)) = credentials else {
            return self.challenge(now, request, source, (&domain, &realm), false);
        };
        // Some phones give their whole address as digest user.
        let full =
            credentials.username.rsplit_once('@').filter(|(_, host)| host.eq_ignore_ascii_case(&domain));
        let user = full.map_or(credentials.username.as_str(), |(user, _)| user).to_owned();
        let (device, full) = (AddressOfRecord { user, domain }, full.is_some());
        let account = self.devices.get(&device).and_then(|account| {
            let ha1_md5 = if full { account.ha1_md5_full.as_ref()? } else { &account.ha1_md5 };
            let ha1_sha256 = if full { &account.ha1_sha256_full } else { &account.ha1_sha256 };
            // Only the hash says more than the name, and it was made with the name as it is given.
            let user = &credentials.username;
            Some(Account { realm: &account.realm, user, ha1_md5, ha1_sha256: ha1_sha256.as_ref() })
        });
        let target = (&request.message.method, &request.message.uri);
        let verdict = self.digest.check(now, source.remote.ip(), target, &credentials, account);
        // Only one who sees what is sent to this address can come here: the nonce was made for it.
        if verdict == Verdict::Forbidden {
            self.wrong_digest(now, source);
        }
        match verdict {
            Verdict::Accepted { answered_in } if self.may_claim(&device, claimed) => {
                self.guard.proved(now, self.asker.unwrap_or(source.remote));
                Authentication::Device(device, answered_in)
            }
            Verdict::Accepted { .. } | Verdict::Forbidden => self.refusing(request, 403),
            Verdict::Challenge { stale } => {
                self.challenge(now, request, source, (&device.domain, &realm), stale)
            }
            Verdict::Malformed => self.refusing(request, 400),
        }
    }

    fn refusing(&self, request: &Received<Request>, status: u16) -> Authentication {
        let tag = self.stateless_tag(request);
        Authentication::Refused(self.response_to(request, status, Some(&tag)))
    }

    fn challenge(
        &mut self,
        now: Instant,
        request: &Received<Request>,
        source: Hop,
        (domain, realm): (&str, &str),
        stale: bool,
    ) -> Authentication {
        let md5 = self.digest.challenge(now, source.remote.ip(), realm, stale);
        let tag = self.stateless_tag(request);
        let mut response = self.response_to(request, 401, Some(&tag));
        let plain = response.clone();
        if self.knows_sha256(domain) {
            // RFC 8760 section 2.4: the one we like best stands first.
            let algorithm = Some(DigestAlgorithm::Sha256.name().to_owned());
            let sha256 = Challenge { algorithm, ..md5.clone() };
            response.headers.push(HeaderName::WwwAuthenticate, sha256.to_string());
        }
        response.headers.push(HeaderName::WwwAuthenticate, md5.to_string());
        if self.is_too_long(&response, &source) {
            response = plain;
            response.headers.push(HeaderName::WwwAuthenticate, md5.to_string());
        }
        Authentication::Refused(response)
    }

    /// Too many wrong passwords from one address end in silence.
    fn wrong_digest(&mut self, now: Instant, source: Hop) {
        if self.is_exempt(&source) {
            return;
        }
        if let Some((address, until)) = self.guard.wrong_digest(now, self.asker.unwrap_or(source.remote)) {
            self.emit(Event::Banned { address, until });
        }
    }

    fn knows_sha256(&self, domain: &str) -> bool {
        self.realms.contains_key(domain) && !self.without_sha256.contains_key(domain)
    }

    /// A device is about to be put in, changed or removed.
    pub(super) fn count_hashes(&mut self, device: &AddressOfRecord, new: Option<&DeviceAccount>) {
        let lacks = |account: Option<&DeviceAccount>| account.is_some_and(|it| it.ha1_sha256.is_none());
        let (before, after) = (lacks(self.devices.get(device)), lacks(new));
        let count = self.without_sha256.entry(device.domain.clone()).or_default();
        *count = count.saturating_add(usize::from(after)).saturating_sub(usize::from(before));
        if *count == 0 {
            self.without_sha256.remove(&device.domain);
        }
    }

    /// The domain of ours that an address belongs to; phones configured with our address instead of a domain
    /// belong to the first one.
    fn domain_of(&self, claimed: &Uri, request_uri: &Uri) -> String {
        let ours = |uri: &Uri| Some(uri.host_text()).filter(|host| self.is_own_domain(host));
        let first = || self.config.domains.first().map(|domain| domain.to_ascii_lowercase());
        ours(claimed).or_else(|| ours(request_uri)).or_else(first).unwrap_or_default()
    }

    /// Configured, or the domain of a device that was put in later.
    fn is_own_domain(&self, host: &str) -> bool {
        let configured = self.config.domains.iter().any(|domain| domain.eq_ignore_ascii_case(host));
        configured || self.realms.contains_key(host)
    }

    /// A device speaks for its own address only (D13: never for one in another tenant's domain).
    fn may_claim(&self, device: &AddressOfRecord, claimed: &Uri) -> bool {
        let host = claimed.host_text();
        claimed.user_text() == device.user && (host == device.domain || !self.is_own_domain(&host))
    }
}
