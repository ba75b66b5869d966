//! Where a carrier points a call to (3xx) is judged like any number a Host types (I45). A transfer (REFER) is declined
//! by the user agent itself.

use super::{Focus, TenantId};
use crate::live::call::DialSpec;
use crate::live::emergency;
use crate::live::number::{self, Home, PhoneNumber};
use crate::live::policy::dial::check_number;
use crate::live::policy::rules::DialPolicy;
use std::collections::BTreeSet;
use std::time::Duration;

/// A tenant's rules for calling out, as the running part needs them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantDialling {
    /// The rules.
    pub policy: DialPolicy,
    /// The tenant's country (ISO 3166).
    pub home: String,
    /// Numbers in E.164 that asked not to be called.
    pub blocked: BTreeSet<String>,
}

impl TenantDialling {
    /// When somebody alone by phone is hung up on.
    pub(super) fn alone_after(&self) -> Option<Duration> {
        self.policy.alone_minutes.map(|minutes| Duration::from_secs(u64::from(minutes) * 60))
    }

    /// The first place pointed to that may be called instead, or why there is none.
    fn judge(&self, spec: &DialSpec, dialled: &str, contacts: &[String]) -> Result<String, String> {
        let Some(contact) = contacts.first() else { return Err("redirected to nowhere".to_owned()) };
        let number = number_of(contact, &self.home)?;
        let shown = &number.display;
        let blocked = self.blocked.contains(&number.e164);
        let user = Some(&spec.acting_host);
        match check_number(&self.policy, &self.home, user, &number, blocked) {
            Err(refusal) => return Err(format!("redirected to {shown}: {}", refusal.detail)),
            Ok(Some(_)) => return Err(format!("redirected to {shown}, which must be confirmed first")),
            Ok(None) => {}
        }
        if !self.policy.follow_redirects {
            return Err(format!("redirected to {shown}; redirections are not followed"));
        }
        let costs = |e164: &str| self.policy.price_of(e164).per_minute_milli;
        if costs(&number.e164) > costs(dialled) {
            return Err(format!("redirected to {shown}, which costs more"));
        }
        Ok(number.e164)
    }
}

impl Focus {
    /// Judges the places a carrier names for a call to a number.
    pub(super) fn judge_redirect(
        &self,
        tenant: &TenantId,
        spec: &DialSpec,
        dialled: &str,
        contacts: &[String],
    ) -> Result<String, String> {
        match self.dialling.get(tenant) {
            Some(rules) => rules.judge(spec, dialled, contacts),
            None => Err("redirected; redirections are not followed".to_owned()),
        }
    }
}

/// The number in a Contact: `sip:+12025550110@carrier.test;user=phone`, `tel:+12025550110`.
fn number_of(contact: &str, home: &str) -> Result<PhoneNumber, String> {
    if emergency::might_reach(contact) {
        return Err("redirected to an emergency number".to_owned());
    }
    let rest = contact.split_once(':').map_or(contact, |(_, rest)| rest);
    let user = rest.split(['@', ';', '?', '>']).next().unwrap_or_default();
    let refused = || "redirected to something that is no number".to_owned();
    number::check_e164(user).map_err(|_| refused())?;
    number::normalise(user, &Home { country: home, area_code: None }).map_err(|_| refused())
}
