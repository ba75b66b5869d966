//! Which packets were here before (RFC 3711 section 3.3.2).

/// The last 128 indices.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ReplayWindow {
    newest: u64,
    /// Bit n: the index n before the newest was here.
    seen: u128,
}

impl ReplayWindow {
    const SIZE: u64 = 128;

    pub(super) const fn newest(&self) -> u64 {
        self.newest
    }

    /// Whether a packet may be taken: not seen yet, and not too old to know.
    pub(super) const fn is_new(&self, index: u64) -> bool {
        if self.seen == 0 || index > self.newest {
            return true;
        }
        let age = self.newest - index;
        age < Self::SIZE && self.seen >> age & 1 == 0
    }

    /// Notes a packet that was verified.
    pub(super) const fn insert(&mut self, index: u64) {
        if self.seen == 0 {
            self.newest = index;
        }
        if index > self.newest {
            let steps = index - self.newest;
            self.seen = if steps < Self::SIZE { self.seen << steps } else { 0 };
            self.newest = index;
        }
        let age = self.newest - index;
        if age < Self::SIZE {
            self.seen |= 1 << age;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m4_each_index_is_taken_once_and_old_ones_never() {
        let mut window = ReplayWindow::default();
        for index in [1_000, 1_002, 1_001, 1_127] {
            assert!(window.is_new(index));
            window.insert(index);
            assert!(!window.is_new(index));
        }
        assert!(!window.is_new(999), "128 back");
        assert!(window.is_new(1_003) && window.is_new(1_126));
        window.insert(5_000);
        assert!(!window.is_new(1_126) && window.is_new(4_999));
    }
}
