use super::*;
use proptest::prelude::*;

const CONFIG: JitterConfig = JitterConfig { clock_hz: 8_000, max_payload: 160 };

/// One row of a table: when it arrives in milliseconds, sequence number, timestamp in packets of 20 ms.
type Row = (u64, u16, u32);

struct Bench {
    start: Instant,
    buffer: JitterBuffer,
    ticks: u64,
}

impl Bench {
    fn new() -> Self {
        Self { start: Instant::now(), buffer: JitterBuffer::new(CONFIG), ticks: 0 }
    }

    fn push(&mut self, ms: u64, packet: &Arrival<'_>) -> Pushed {
        self.buffer.push(self.start + Duration::from_millis(ms), packet)
    }

    /// One tick: the number of the packet played, `~` made up, `_` silence, `.` waiting.
    fn tick(&mut self) -> String {
        let now = self.start + crate::sample::TICK * u32::try_from(self.ticks).unwrap();
        self.ticks += 1;
        self.buffer.trim();
        loop {
            return match self.buffer.pull(now) {
                Playout::Packet { tag, .. } => tag.to_string(),
                Playout::Silence(0) => continue,
                Playout::Silence(_) => "_".to_owned(),
                Playout::Lost => "~".to_owned(),
                Playout::Waiting => ".".to_owned(),
            };
        }
    }

    /// Pushes rows as time goes by and returns what was played in each tick.
    fn run(&mut self, rows: &[Row], ticks: u64) -> String {
        let end = self.ticks + ticks;
        let mut rows = rows.iter().peekable();
        let mut played = Vec::new();
        while self.ticks < end {
            while let Some(&&(ms, sequence_number, ts)) = rows.peek() {
                if ms > self.ticks * 20 {
                    break;
                }
                rows.next();
                self.push(ms, &arrival(sequence_number, ts.wrapping_mul(160)));
            }
            played.push(self.tick());
        }
        played.join(" ")
    }
}

fn arrival(sequence_number: u16, timestamp: u32) -> Arrival<'static> {
    let [_, tag] = sequence_number.to_be_bytes();
    Arrival { ssrc: 1, sequence_number, timestamp, tag, duration: 160, payload: &[0xFF; 160] }
}

/// Packets 1 to `count`, each 5 ms after its tick.
fn steady(count: u16) -> Vec<Row> {
    (1..=count).map(|n| (u64::from(n) * 20 - 15, n, u32::from(n))).collect()
}

fn with(rows: &[Row], change: impl Fn(&mut Row)) -> Vec<Row> {
    let mut rows = rows.to_vec();
    rows.iter_mut().for_each(change);
    rows.sort_by_key(|row| row.0);
    rows
}

#[test]
fn d45_what_is_played_when_packets_come_as_they_come() {
    let lose = |lost: &[u16]| steady(8).into_iter().filter(|row| !lost.contains(&row.1)).collect::<Vec<_>>();
    let table: [(&str, Vec<Row>, &str); 12] = [
        ("on time", steady(8), ". . . 1 2 3 4 5 6 7 8"),
        ("one lost", lose(&[5]), ". . . 1 2 3 4 ~ 6 7 8"),
        ("two lost", lose(&[4, 5]), ". . . 1 2 3 ~ ~ 6 7 8"),
        (
            "one 40 ms late",
            with(&steady(8), |r| r.0 += if r.1 == 5 { 40 } else { 0 }),
            ". . . 1 2 3 4 5 6 7 8",
        ),
        ("one too late", with(&steady(8), |r| r.0 += if r.1 == 5 { 70 } else { 0 }), ". . . 1 2 3 4 ~ 6 7 8"),
        ("every packet twice", steady(8).into_iter().flat_map(|r| [r, r]).collect(), ". . . 1 2 3 4 5 6 7 8"),
        (
            "reordered by pairs",
            with(&steady(8), |r| if r.1 % 2 == 0 { r.0 -= 15 } else { r.0 += 10 }),
            ". . . 1 2 3 4 5 6 7 8",
        ),
        (
            "the first two swapped",
            vec![(5, 2, 2), (6, 1, 1), (45, 3, 3), (65, 4, 4)],
            ". . . 1 2 3 4 ~ ~ ~ ~",
        ),
        (
            "a wrap of number and timestamp",
            (0..6_u16).map(|n| (u64::from(n) * 20, 65_533_u16.wrapping_add(n), u32::from(n))).collect(),
            ". . 253 254 255 0 1 2 ~ ~ ~",
        ),
        ("all at once", (1..=4).map(|n| (5, n, u32::from(n))).collect(), ". 1 2 3 4 ~ ~ ~ ~ ~ ~"),
        (
            "silence suppressed for 60 ms",
            vec![(5, 1, 1), (25, 2, 2), (45, 3, 3), (65, 4, 7), (66, 5, 8)],
            ". . . 1 2 3 _ _ _ 4 5",
        ),
        (
            "a timestamp jump",
            vec![(5, 1, 1), (25, 2, 2), (45, 3, 3), (65, 4, 9_000), (85, 5, 9_001), (105, 6, 9_002)],
            ". . . 1 2 3 4 5 6 ~ ~",
        ),
    ];
    for (name, rows, expected) in table {
        assert_eq!(Bench::new().run(&rows, 11), expected, "{name}");
    }
}

#[test]
fn d45_a_lonely_packet_is_played_after_the_target_delay() {
    assert_eq!(Bench::new().run(&[(1, 9, 0)], 6), ". . . . 9 ~");
}

#[test]
fn d45_a_new_ssrc_takes_over_with_its_second_packet() {
    let mut bench = Bench::new();
    bench.run(&steady(4), 4);
    let other = |n: u16| Arrival { ssrc: 2, ..arrival(n, u32::from(n) * 160) };
    assert_eq!(bench.push(80, &other(100)), Pushed::Unexpected);
    assert_eq!(bench.push(100, &other(101)), Pushed::NewStream);
    assert_eq!(bench.push(120, &other(102)), Pushed::Stored);
    assert_eq!(bench.push(121, &arrival(5, 800)), Pushed::Unexpected, "a late packet of the old stream");
    assert_eq!(bench.push(122, &other(103)), Pushed::Stored);
    assert_eq!(bench.tick(), "101");
}

#[test]
fn d45_numbers_that_begin_anew_are_a_new_stream() {
    let mut bench = Bench::new();
    bench.run(&steady(4), 4);
    assert_eq!(bench.push(80, &arrival(40_000, 0)), Pushed::Unexpected);
    assert_eq!(bench.push(100, &arrival(40_001, 160)), Pushed::NewStream);
}

#[test]
fn d45_what_is_late_stays_out() {
    let mut bench = Bench::new();
    bench.run(&steady(4), 5);
    assert_eq!(bench.push(100, &arrival(2, 320)), Pushed::Late);
    assert_eq!(bench.push(100, &arrival(3, 480)), Pushed::Duplicate, "it waits already");
}

#[test]
fn d45_after_a_pause_the_delay_is_built_up_anew() {
    let mut bench = Bench::new();
    assert_eq!(bench.run(&steady(3), 16), ". . . 1 2 3 ~ ~ ~ ~ ~ ~ ~ ~ ~ ~");
    let later: Vec<Row> = (4..9_u16).map(|n| (325 + u64::from(n - 4) * 20, n, u32::from(n) + 13)).collect();
    assert_eq!(bench.run(&later, 8), ". . . 4 5 6 7 8");
}

#[test]
fn d45_a_delay_spike_is_covered_and_its_delay_given_back() {
    let mut bench = Bench::new();
    let rows = with(&steady(400), |row| {
        if (10..20).contains(&row.1) {
            row.0 = 400; // ten packets come in one burst, the first of them 215 ms late
        }
    });
    let played = bench.run(&rows, 400);
    let made_up = played.split(' ').filter(|&t| t == "~").count();
    assert!((5..=10).contains(&made_up), "{played}");
    // At the end the delay is back near 60 ms: packet 400 has come, and at most five wait.
    assert!(bench.buffer.len() <= 5, "{} packets wait: {played}", bench.buffer.len());
}

#[test]
fn d45_a_sender_whose_clock_runs_fast_does_not_pile_up_delay() {
    let mut bench = Bench::new();
    // 2 % fast: 51 packets a second.
    let rows: Vec<Row> = (0..1_500_u32).map(|n| (u64::from(n) * 1_000 / 51, n as u16, n)).collect();
    bench.run(&rows, 1_450);
    assert!(bench.buffer.len() <= 7, "{} packets wait", bench.buffer.len());
}

#[test]
fn telephone_events_take_numbers_but_are_not_made_up() {
    let mut bench = Bench::new();
    bench.run(&steady(4), 5);
    for n in 5..9_u16 {
        let event = Arrival { duration: 0, payload: &[], ..arrival(n, 800) };
        bench.push(u64::from(n) * 20 - 15, &event);
    }
    assert_eq!(bench.run(&[(165, 9, 9), (185, 10, 10)], 7), "3 4 _ _ _ _ 9");
}

#[test]
fn oversized_payloads_stay_out() {
    let packet = Arrival { payload: &[0; 161], ..arrival(1, 0) };
    assert_eq!(Bench::new().push(0, &packet), Pushed::TooLong);
}

#[test]
fn a_reset_buffer_is_a_new_buffer() {
    let mut bench = Bench::new();
    bench.run(&steady(4), 5);
    bench.buffer.reset();
    assert!(bench.buffer.is_empty());
    assert_eq!(bench.push(100, &arrival(50_000, 7)), Pushed::NewStream);
}

proptest! {
    /// Against a naive oracle: with nothing later than 40 ms, everything that came is played, once and in order.
    #[test]
    fn d45_what_comes_in_time_is_played_once_and_in_order(
        first: u16, base: u32, fates in prop::collection::vec((0_u64..40, 0_u8..20), 10..200),
    ) {
        let mut rows: Vec<Row> = Vec::new();
        let mut expected = Vec::new();
        for (n, (delay, luck)) in fates.iter().enumerate() {
            let lost = *luck == 0 && n > 2;
            let sequence_number = first.wrapping_add(n as u16);
            if !lost {
                let delay = if n < 3 { 0 } else { *delay };
                rows.push((n as u64 * 20 + delay, sequence_number, base.wrapping_add(n as u32)));
                if *luck == 1 {
                    rows.push((n as u64 * 20 + delay, sequence_number, base.wrapping_add(n as u32)));
                }
                expected.push(sequence_number.to_be_bytes()[1].to_string());
            }
        }
        rows.sort_by_key(|row| row.0);
        let played = Bench::new().run(&rows, fates.len() as u64 + 5);
        let played: Vec<&str> = played.split(' ').filter(|t| t.parse::<u8>().is_ok()).collect();
        prop_assert_eq!(played, expected);
    }

    #[test]
    fn any_packets_in_any_order_never_panic_and_stay_within_bounds(
        packets in prop::collection::vec(
            (any::<u16>(), any::<u32>(), 0_u32..3, 0_u32..6_000, 0_usize..200, 0_u64..100), 0..200,
        ),
    ) {
        let mut bench = Bench::new();
        let mut ms = 0;
        for (sequence_number, timestamp, ssrc, duration, length, step) in packets {
            ms += step;
            let payload = vec![1; length];
            let packet = Arrival { ssrc, sequence_number, timestamp, tag: 0, duration, payload: &payload };
            bench.push(ms, &packet);
            while bench.ticks * 20 < ms {
                bench.tick();
            }
            prop_assert!(bench.buffer.len() <= JitterBuffer::SLOTS);
        }
    }
}
