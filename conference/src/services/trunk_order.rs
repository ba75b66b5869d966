//! Which trunk a call is to be tried on first (D17): by priority, and among equals by lot in proportion to their weights.
//!
//! The lot belongs to the meeting and the number, not to the moment: what the preview names is what the dial takes.

use crate::ids::MeetingId;
use crate::store::TrunkRow;
use sha2::{Digest as _, Sha256};
use sip_core::ua::TrunkId;
use std::collections::BTreeMap;

/// The lots of one meeting and one number.
#[derive(Debug)]
pub(super) struct Lots {
    seed: Sha256,
    drawn: u64,
}

impl Lots {
    pub(super) fn of(meeting: &MeetingId, e164: &str) -> Self {
        let seed = Sha256::new().chain_update(format!("trunk for {e164} of {meeting}"));
        Self { seed, drawn: 0 }
    }

    /// A number below `total`; 0 if there is none. 64 bits over sums of 16-bit weights: the bias is nothing.
    fn below(&mut self, total: u64) -> u64 {
        let hash = self.seed.clone().chain_update(self.drawn.to_be_bytes()).finalize();
        self.drawn += 1;
        let mut bytes = [0; 8];
        bytes.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        u64::from_be_bytes(bytes).checked_rem(total).unwrap_or(0)
    }
}

/// The trunks in the order in which they are tried; those not enabled are left out.
pub(super) fn in_order(rows: &[TrunkRow], mut lots: Lots) -> Vec<TrunkId> {
    let mut groups: BTreeMap<u16, Vec<(u64, TrunkId)>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.settings.enabled) {
        let weight = u64::from(row.settings.weight);
        groups.entry(row.settings.priority).or_default().push((weight, TrunkId(row.id)));
    }
    let mut ordered = Vec::new();
    for mut group in groups.into_values() {
        while !group.is_empty() {
            let mut chosen = lots.below(group.iter().map(|(weight, _)| weight).sum());
            let at = group.iter().position(|(weight, _)| {
                let found = chosen < *weight;
                chosen = chosen.saturating_sub(*weight);
                found
            });
            let (_, trunk) = group.remove(at.unwrap_or(0));
            ordered.push(trunk);
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::trunk::TrunkSettings;

    fn row(id: u64, priority: u16, weight: u16, enabled: bool) -> TrunkRow {
        TrunkRow {
            id,
            name: id.to_string(),
            host: "carrier.test".into(),
            peer: "192.0.2.1:5060".into(),
            sources: Vec::new(),
            auth_user: None,
            auth_realm: None,
            register: false,
            password: None,
            settings: TrunkSettings { priority, weight, enabled, ..TrunkSettings::default() },
        }
    }

    #[test]
    fn d17_priority_orders_and_weight_shares() {
        let rows = [row(1, 20, 10, true), row(2, 10, 3, true), row(3, 10, 1, true), row(4, 1, 1, false)];
        let drawn = |number: u32| in_order(&rows, Lots::of(&"m1".into(), &format!("+1202555{number:04}")));
        let orders: Vec<_> = (0..400).map(drawn).collect();
        assert!(orders.iter().all(|order| order.len() == 3 && order[2] == TrunkId(1)), "{orders:?}");
        // Three of four, give or take four standard deviations.
        let first = orders.iter().filter(|order| order[0] == TrunkId(2)).count();
        assert!((265..=335).contains(&first), "{first}");
        assert_eq!(orders, (0..400).map(drawn).collect::<Vec<_>>(), "the same number gets the same trunks");
        let elsewhere = (0..400)
            .filter(|number| {
                in_order(&rows, Lots::of(&"m2".into(), &format!("+1202555{number:04}"))) != drawn(*number)
            })
            .count();
        assert!(elsewhere > 50, "another meeting draws anew: {elsewhere}");
        let unweighted = [row(1, 10, 0, true), row(2, 10, 0, true)];
        assert_eq!(in_order(&unweighted, Lots::of(&"m1".into(), "+12025550177")).len(), 2);
    }
}
