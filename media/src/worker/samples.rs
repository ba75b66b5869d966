//! Decoded samples that wait for their tick.

/// A queue of samples in one piece of memory that never grows.
#[derive(Debug)]
pub(super) struct Samples {
    memory: Box<[i16]>,
    start: usize,
    end: usize,
}

impl Samples {
    pub(super) fn new(capacity: usize) -> Self {
        Self { memory: vec![0; capacity].into(), start: 0, end: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.end - self.start
    }

    pub(super) fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// Appends samples as far as there is room.
    pub(super) fn extend(&mut self, samples: &[i16]) {
        let room = self.grow(samples.len());
        for (to, &from) in room.iter_mut().zip(samples) {
            *to = from;
        }
    }

    /// Appends `count` samples, or as many as there is room for, to be overwritten.
    pub(super) fn grow(&mut self, count: usize) -> &mut [i16] {
        if self.memory.len() - self.end < count {
            self.memory.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let from = self.end;
        self.end = (from + count).min(self.memory.len());
        self.memory.get_mut(from..self.end).unwrap_or_default()
    }

    /// Moves the oldest samples into `frame`; says how many there were.
    pub(super) fn take(&mut self, frame: &mut [i16]) -> usize {
        let waiting = self.memory.get(self.start..self.end).unwrap_or_default();
        let count = waiting.len().min(frame.len());
        for (to, &from) in frame.iter_mut().zip(waiting) {
            *to = from;
        }
        self.start += count;
        if self.start == self.end {
            self.clear();
        }
        count
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [i16] {
        self.memory.get_mut(self.start..self.end).unwrap_or_default()
    }

    /// Drops the newest samples beyond `length`.
    pub(super) fn truncate(&mut self, length: usize) {
        self.end = self.end.min(self.start + length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_come_out_in_order_and_too_many_are_lost() {
        let mut samples = Samples::new(10);
        let mut frame = [0; 4];
        samples.extend(&[1, 2, 3, 4, 5, 6]);
        assert_eq!((samples.take(&mut frame), frame), (4, [1, 2, 3, 4]));
        samples.extend(&[7, 8, 9, 10, 11, 12, 13, 14, 15]);
        assert_eq!(samples.len(), 10);
        samples.truncate(7);
        assert_eq!((samples.take(&mut frame), frame), (4, [5, 6, 7, 8]));
        assert_eq!((samples.take(&mut frame), frame), (3, [9, 10, 11, 8]));
        assert_eq!(samples.len(), 0);
    }
}
