//! PINs: drawn, sealed for the database, opened for the running part and for those who may see them.

use super::Services;
use crate::live::pin::Pin;
use crate::store::{PersonRow, Vault};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Digits of the PINs of a meeting.
const MEETING_DIGITS: usize = 6;
/// Digits of a person's PIN: longer than a meeting's, so that none is taken for the other.
const PERSON_DIGITS: usize = 8;

/// The PINs of one meeting's people, opened when the first new one is drawn and not before.
#[derive(Default)]
pub(super) struct TakenPins(Mutex<Option<BTreeSet<Pin>>>);

/// A sealed PIN, opened. One that the vault cannot open, or that is none, lets nobody in.
pub(super) fn opened(vault: &Vault, sealed: Option<&str>) -> Option<Pin> {
    Pin::parse(&vault.open(sealed?)?).ok()
}

impl Services {
    /// The two PINs of a new meeting, sealed: guest, host.
    pub(super) fn new_meeting_pins(&self) -> (String, String) {
        let guest = self.draw_pin(MEETING_DIGITS);
        let host = loop {
            let host = self.draw_pin(MEETING_DIGITS);
            if host != guest {
                break host;
            }
        };
        (self.vault.seal(guest.as_str()), self.vault.seal(host.as_str()))
    }

    /// A person's own PIN, sealed, other than those of the people already on the list; it is taken from then on.
    pub(super) fn new_person_pin(&self, people: &[PersonRow], taken: &TakenPins) -> String {
        let mut taken = taken.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = taken.get_or_insert_with(|| {
            people.iter().filter_map(|person| opened(&self.vault, person.pin.as_deref())).collect()
        });
        loop {
            let pin = self.draw_pin(PERSON_DIGITS);
            if taken.insert(pin.clone()) {
                return self.vault.seal(pin.as_str());
            }
        }
    }

    fn draw_pin(&self, digits: usize) -> Pin {
        Pin::draw(digits, || {
            let mut bytes = [0; 8];
            self.entropy.fill(&mut bytes);
            u64::from_be_bytes(bytes)
        })
    }
}
