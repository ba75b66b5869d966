//! The numbering of one stream we send.

use super::RtpPacket;
use rand_chacha::rand_core::Rng;

/// SSRC, sequence number and timestamp of one outgoing stream; all three start at random (RFC 3550 section 5.1).
///
/// They belong to the listener's stream and never to an encoder, so encoders can be shared and exchanged.
#[derive(Debug, Clone)]
pub struct RtpStream {
    ssrc: u32,
    sequence_number: u16,
    timestamp: u32,
    started: bool,
}

impl RtpStream {
    /// A new stream with numbers drawn from `random`.
    pub fn new(random: &mut impl Rng) -> Self {
        let ssrc = random.next_u32();
        let timestamp = random.next_u32();
        let [_, _, a, b] = random.next_u32().to_be_bytes();
        Self { ssrc, sequence_number: u16::from_be_bytes([a, b]), timestamp, started: false }
    }

    /// Numbers the next packet, which was sampled at the current timestamp.
    ///
    /// Returns the marker bit (set on the first packet and after a pause), sequence number and timestamp.
    pub const fn next_packet(&mut self) -> (bool, u16, u32) {
        let marker = !self.started;
        self.started = true;
        self.sequence_number = self.sequence_number.wrapping_add(1);
        (marker, self.sequence_number, self.timestamp)
    }

    /// The next packet, which carries `payload` sampled at the current timestamp.
    pub const fn packet<'a>(&mut self, payload_type: u8, payload: &'a [u8]) -> RtpPacket<'a> {
        let (marker, sequence_number, timestamp) = self.next_packet();
        RtpPacket { marker, payload_type, sequence_number, timestamp, ssrc: self.ssrc, payload }
    }

    /// Time goes on by `units` of the clock, whether or not something was sent.
    pub const fn advance(&mut self, units: u32) {
        self.timestamp = self.timestamp.wrapping_add(units);
    }

    /// The stream pauses: the next packet carries the marker bit.
    pub const fn pause(&mut self) {
        self.started = false;
    }

    /// The stream's time now.
    #[must_use]
    pub const fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// Synchronisation source of the stream.
    #[must_use]
    pub const fn ssrc(&self) -> u32 {
        self.ssrc
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn numbers_go_up_and_pauses_set_the_marker() {
        let mut stream = RtpStream::new(&mut ChaCha8Rng::from_seed([1; 32]));
        let (marker, sequence, timestamp) = stream.next_packet();
        assert!(marker);
        stream.advance(160);
        assert_eq!(stream.next_packet(), (false, sequence.wrapping_add(1), timestamp.wrapping_add(160)));
        stream.pause();
        stream.advance(320);
        assert_eq!(stream.next_packet(), (true, sequence.wrapping_add(2), timestamp.wrapping_add(480)));
    }

    #[test]
    fn the_same_seed_gives_the_same_stream() {
        let stream = |seed| RtpStream::new(&mut ChaCha8Rng::from_seed([seed; 32])).ssrc();
        assert_eq!(stream(7), stream(7));
        assert_ne!(stream(7), stream(8));
    }
}
