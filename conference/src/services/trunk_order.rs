//! Which trunk a call is to be tried on first (D17): by priority, and among equals by chance in proportion to their weights.

use crate::store::TrunkRow;
use crate::store::world::Entropy;
use sip_core::ua::TrunkId;
use std::collections::BTreeMap;

/// The trunks in the order in which they are tried; those not enabled are left out.
pub(super) fn in_order(rows: &[TrunkRow], entropy: &dyn Entropy) -> Vec<TrunkId> {
    let mut groups: BTreeMap<u16, Vec<(u64, TrunkId)>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.settings.enabled) {
        let weight = u64::from(row.settings.weight);
        groups.entry(row.settings.priority).or_default().push((weight, TrunkId(row.id)));
    }
    let mut ordered = Vec::new();
    for mut group in groups.into_values() {
        while !group.is_empty() {
            let total: u64 = group.iter().map(|(weight, _)| weight).sum();
            let mut bytes = [0; 8];
            entropy.fill(&mut bytes);
            let mut chosen = u64::from_le_bytes(bytes).checked_rem(total).unwrap_or(0);
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
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Counts: every remainder comes equally often.
    struct Counter(AtomicU64);

    impl Entropy for Counter {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.copy_from_slice(&self.0.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        }
    }

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
        let entropy = Counter(AtomicU64::new(0));
        let orders: Vec<_> = (0..400).map(|_| in_order(&rows, &entropy)).collect();
        assert!(orders.iter().all(|order| order.len() == 3 && order[2] == TrunkId(1)), "{orders:?}");
        let first = orders.iter().filter(|order| order[0] == TrunkId(2)).count();
        assert!((200..400).contains(&first), "{first}");
        let unweighted = [row(1, 10, 0, true), row(2, 10, 0, true)];
        assert_eq!(in_order(&unweighted, &entropy).len(), 2);
    }
}
