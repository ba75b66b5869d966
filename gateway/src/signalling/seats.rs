//! How many connections stand, from each address and in all.

use super::ConnectionLimits;
use sip_core::guard::counted;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections.
#[derive(Clone)]
pub(super) struct Seats {
    limits: ConnectionLimits,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    total: usize,
    by_address: BTreeMap<IpAddr, usize>,
}

/// The right to one connection; given back when it is dropped.
pub(super) struct Seat {
    seats: Seats,
    address: IpAddr,
}

impl Seats {
    pub(super) fn new(limits: ConnectionLimits) -> Self {
        Self { limits, taken: Arc::default() }
    }

    /// `None` if there are too many already.
    pub(super) fn take(&self, address: IpAddr) -> Option<Seat> {
        let address = counted(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.total >= self.limits.total {
            return None;
        }
        let here = taken.by_address.entry(address).or_default();
        if *here >= self.limits.per_address {
            return None;
        }
        *here += 1;
        taken.total += 1;
        Some(Seat { seats: self.clone(), address })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.total = taken.total.saturating_sub(1);
        if let Some(here) = taken.by_address.get_mut(&self.address) {
            *here = here.saturating_sub(1);
            if *here == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p6_seats_are_counted_by_address_and_given_back() {
        let seats = Seats::new(ConnectionLimits { per_address: 2, total: 3 });
        let address = |text: &str| text.parse::<IpAddr>().expect("address");
        let first = seats.take(address("192.0.2.1")).expect("a seat");
        let _second = seats.take(address("::ffff:192.0.2.1")).expect("a seat");
        assert!(seats.take(address("192.0.2.1")).is_none());
        let _third = seats.take(address("2001:db8::1")).expect("a seat");
        assert!(seats.take(address("192.0.2.2")).is_none(), "in all");
        drop(first);
        assert!(seats.take(address("192.0.2.1")).is_some());
    }
}
