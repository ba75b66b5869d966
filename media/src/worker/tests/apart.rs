//! Small rooms, where every listener has steps of his own: how long he waits, and that he hears everything once.

use super::*;

/// A phone that sends levels by which its packets are told apart, at its own moments.
struct Caller {
    leg: LegId,
    address: SocketAddr,
    /// When its first packet comes, and the time between two, in microseconds.
    offset: u64,
    period: u64,
    sent: u64,
    /// The level of packet `n` is `n % turns` of these.
    step: i16,
    turns: u64,
    heard: Vec<(u64, i16)>,
}

/// A room of such phones in steps of one millisecond.
struct Lab {
    start: Instant,
    worker: Worker,
    callers: Vec<Caller>,
    micros: u64,
}

impl Lab {
    fn new(callers: &[(u64, u64)]) -> Self {
        let start = Instant::now();
        let mut lab =
            Self { start, worker: Worker::new(WorkerConfig::default(), [1; 32]), callers: vec![], micros: 0 };
        for (id, &(offset, period)) in (1..).zip(callers) {
            lab.join(id, offset, period);
        }
        lab
    }

    fn join(&mut self, id: u64, offset: u64, period: u64) {
        let (leg, address) = (LegId(id), SocketAddr::from(([192, 0, 2, id as u8], 4_000)));
        let now = self.start + Duration::from_micros(self.micros);
        self.worker.handle_command(now, Command::AddSipLeg { leg, room: ROOM });
        let negotiated = negotiated(address, Codec::Pcmu);
        self.worker.handle_command(now, Command::SetSipRemote { leg, negotiated, symmetric_from: None });
        self.worker.handle_command(now, Command::SetPlan { leg, plan: ALL });
        // 0 to 4,000 in steps of 1,000 and 0 to 16,000 in steps of 8,000: each sum tells both.
        let (step, turns) = if id == 1 { (1_000, 5) } else { (8_000, 3) };
        let offset = self.micros + offset;
        self.callers.push(Caller { leg, address, offset, period, sent: 0, step, turns, heard: vec![] });
    }

    /// Lets so many milliseconds pass. A packet comes a little before the step that reads it.
    fn run(&mut self, ms: u64) {
        for _ in 0..ms {
            self.micros += 1_000;
            for caller in &mut self.callers {
                while caller.offset + caller.sent * caller.period <= self.micros {
                    let arrival =
                        self.start + Duration::from_micros(caller.offset + caller.sent * caller.period);
                    let datagram = caller.speak();
                    self.worker.handle_sip_datagram(arrival, caller.leg, caller.address, &datagram);
                }
            }
            self.worker.handle_step(self.start + Duration::from_micros(self.micros));
            while let Some(transmit) = self.worker.poll_transmit() {
                let Port::Sip(leg) = transmit.from else { continue };
                let packet = RtpPacket::parse(transmit.payload).unwrap();
                let mut samples = [0; NARROW_FRAME];
                Codec::Pcmu.decode(packet.payload, &mut samples);
                let caller = self.callers.iter_mut().find(|caller| caller.leg == leg).unwrap();
                caller.heard.push((self.micros, samples[100]));
            }
            while self.worker.poll_event().is_some() {}
        }
    }

    /// How often what the third hears of the first and of the second does not go on by one.
    fn breaks(&self) -> (usize, usize) {
        let told: Vec<(i64, i64)> = self.callers[2]
            .heard
            .iter()
            .map(|&(_, sum)| {
                let sum = i64::from(sum);
                let second = (sum + 2_000) / 8_000;
                ((sum - second * 8_000 + 500) / 1_000, second)
            })
            .collect();
        let pairs = || told.windows(2);
        (
            pairs().filter(|pair| (pair[0].0 + 1) % 5 != pair[1].0).count(),
            pairs().filter(|pair| (pair[0].1 + 1) % 3 != pair[1].1).count(),
        )
    }

    /// The delays in microseconds from the beginning of a packet's sound, 20 ms before it is sent, to the mix that
    /// holds it: what the third hears of the first and of the second.
    fn delays(&self) -> Vec<u64> {
        let mut delays = Vec::new();
        for &(at, sum) in &self.callers[2].heard {
            let second = (i64::from(sum) + 2_000) / 8_000;
            let first = (i64::from(sum) - second * 8_000 + 500) / 1_000;
            for (caller, level) in self.callers.iter().zip([first, second]) {
                // The last packet of this level that has come.
                let came = |n: u64| caller.offset + n * caller.period;
                let is_it = |n: &u64| (n % caller.turns).cast_signed() == level && came(*n) <= at;
                let last = (0..caller.sent).rev().find(is_it).unwrap();
                delays.push(20_000 + at - came(last));
            }
        }
        delays
    }
}

impl Caller {
    fn speak(&mut self) -> [u8; 172] {
        let level = self.step * i16::try_from(self.sent % self.turns).unwrap();
        let number = self.sent as u16;
        self.sent += 1;
        level_packet(number, level)
    }
}

fn random(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % below
}

#[test]
fn d43_each_listener_waits_for_those_he_hears_and_for_nobody_else() {
    let (mut state, mut delays) = (3, Vec::new());
    for _ in 0..60 {
        let offsets = [0; 3].map(|_| (random(&mut state, 20_000), 20_000));
        let mut lab = Lab::new(&offsets);
        lab.run(8_000);
        lab.callers.iter_mut().for_each(|caller| caller.heard.clear());
        lab.run(1_000);
        assert_eq!(lab.breaks(), (0, 0), "{offsets:?}");
        assert!(lab.callers.iter().all(|caller| caller.heard.len() >= 49), "a packet each 20 ms");
        delays.extend(lab.delays());
    }
    delays.sort_unstable();
    let quantile = |permille: usize| delays[delays.len() * permille / 1_000];
    assert!(quantile(500) <= 24_000 && quantile(990) <= 34_000, "{} {}", quantile(500), quantile(990));
}

#[test]
fn d43_clocks_that_drift_apart_break_nothing() {
    // 100 ppm fast and slow: in a minute the voices move 12 ms against each other.
    let mut lab = Lab::new(&[(3_000, 19_998), (9_000, 20_002), (15_000, 20_000)]);
    lab.run(5_000);
    lab.callers.iter_mut().for_each(|caller| caller.heard.clear());
    lab.run(60_000);
    let (first, second) = lab.breaks();
    assert!(first + second <= 1, "{first} and {second} of 3,000");
    assert!(lab.callers[2].heard.len().abs_diff(3_000) <= 2);
}

#[test]
fn d43_a_room_that_grows_and_shrinks_goes_on() {
    let mut lab = Lab::new(&[(3_000, 20_000), (9_000, 20_000), (15_000, 20_000)]);
    lab.run(5_000);
    lab.callers.iter_mut().for_each(|caller| caller.heard.clear());
    for id in 4..7 {
        lab.join(id, 1_000, 20_000);
        let now = lab.start + Duration::from_micros(lab.micros);
        lab.worker.handle_command(now, Command::SetPlan { leg: LegId(id), plan: LISTEN });
        lab.run(500);
    }
    for id in 4..7 {
        let now = lab.start + Duration::from_micros(lab.micros);
        lab.worker.handle_command(now, Command::RemoveLeg { leg: LegId(id) });
        lab.callers.retain(|caller| caller.leg != LegId(id));
        lab.run(500);
    }
    let (first, second) = lab.breaks();
    assert!(first <= 2 && second <= 2, "{first} and {second}: at most one tick for each change of manner");
    assert!(lab.callers[2].heard.len().abs_diff(150) <= 2, "{}", lab.callers[2].heard.len());
}
