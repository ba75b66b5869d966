use super::*;
use proptest::prelude::*;

const CONFIG: JitterConfig = JitterConfig { clock_hz: 8_000, max_payload: 160 };

/// One row of a table: when it arrives in milliseconds, sequence number, timestamp in packets of 20 ms.
type Row = (u64, u16, u32);

struct Bench {
    start: Instant,
    buffer: JitterBuffer,
    ticks: u64,
    left_out: usize,
    /// Units that were pulled and not yet played.
    waiting: u32,
}

impl Bench {
    fn new() -> Self {
        Self { start: Instant::now(), buffer: JitterBuffer::new(CONFIG), ticks: 0, left_out: 0, waiting: 0 }
    }

    fn push(&mut self, ms: u64, packet: &Arrival<'_>) -> Pushed {
        self.buffer.push(self.start + Duration::from_millis(ms), packet)
    }

    /// One tick: the number of the packet played, `~` made up, `_` silence, `.` waiting.
    fn tick(&mut self) -> String {
        let now = self.start + crate::sample::TICK * u32::try_from(self.ticks).unwrap();
        self.ticks += 1;
        if self.buffer.begin_tick(now)
            && let Playout::Packet { .. } = self.buffer.pull(now)
        {
            self.left_out += 1;
        }
        loop {
            return match self.buffer.pull(now) {
                Playout::Packet { tag, .. } => tag.to_string(),
                Playout::Silence(0) => continue,
                Playout::Silence(_) => "_".to_owned(),
                Playout::Lost { .. } => "~".to_owned(),
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
        ("on time", steady(8), ". . 1 2 3 4 5 6 7 8 ~"),
        ("one lost", lose(&[5]), ". . 1 2 3 4 ~ 6 7 8 ~"),
        ("two lost", lose(&[4, 5]), ". . 1 2 3 ~ ~ 6 7 8 ~"),
        (
            "one 40 ms late",
            with(&steady(8), |r| r.0 += if r.1 == 5 { 40 } else { 0 }),
            ". . 1 2 3 4 ~ 5 6 7 8",
        ),
        ("one too late", with(&steady(8), |r| r.0 += if r.1 == 5 { 70 } else { 0 }), ". . 1 2 3 4 ~ 6 ~ ~ 7"),
        ("every packet twice", steady(8).into_iter().flat_map(|r| [r, r]).collect(), ". . 1 2 3 4 5 6 7 8 ~"),
        (
            "reordered by pairs",
            with(&steady(8), |r| if r.1 % 2 == 0 { r.0 -= 15 } else { r.0 += 10 }),
            ". 1 2 3 4 5 6 7 8 ~ ~",
        ),
        (
            "the first two swapped",
            vec![(5, 2, 2), (6, 1, 1), (45, 3, 3), (65, 4, 4)],
            ". 1 2 3 4 ~ ~ ~ ~ ~ ~",
        ),
        (
            "a wrap of number and timestamp",
            (0..6_u16).map(|n| (u64::from(n) * 20, 65_533_u16.wrapping_add(n), u32::from(n))).collect(),
            ". 253 254 255 0 1 2 ~ ~ ~ ~",
        ),
        ("all at once", (1..=4).map(|n| (5, n, u32::from(n))).collect(), ". 1 2 3 4 ~ ~ ~ ~ ~ ~"),
        (
            "silence suppressed for 60 ms",
            vec![(5, 1, 1), (25, 2, 2), (45, 3, 3), (65, 4, 7), (66, 5, 8)],
            ". . 1 2 3 _ _ _ 4 5 ~",
        ),
        (
            "a timestamp jump",
            vec![(5, 1, 1), (25, 2, 2), (45, 3, 3), (65, 4, 9_000), (85, 5, 9_001), (105, 6, 9_002)],
            ". . 1 2 3 4 5 6 ~ ~ ~",
        ),
    ];
    for (name, rows, expected) in table {
        assert_eq!(Bench::new().run(&rows, 11), expected, "{name}");
    }
}

/// Packets of 20 ms with these latenesses in milliseconds after `first` others.
fn late(first: u16, lateness: impl IntoIterator<Item = u64>) -> Vec<Row> {
    let mut rows: Vec<Row> =
        (first..).zip(lateness).map(|(n, late)| (u64::from(n) * 20 + 1 + late, n, u32::from(n))).collect();
    rows.sort_by_key(|row| row.0);
    rows
}

impl Bench {
    /// The delay it needs and has, in milliseconds.
    fn delays(&self) -> (u128, u128) {
        let (target, slack) = self.buffer.delays();
        (target.as_millis(), slack.as_millis())
    }
}

#[test]
fn d43_a_clean_network_soon_costs_no_more_than_one_tick() {
    for phase in 1..20 {
        let mut bench = Bench::new();
        let rows: Vec<Row> = (0..100_u16).map(|n| (u64::from(n) * 20 + phase, n, u32::from(n))).collect();
        let start = bench.run(&rows[..10], 10);
        assert!(bench.delays().1 < 40, "at the start: {:?}, {start}", bench.delays());
        bench.run(&rows[10..], 90);
        let (target, slack) = bench.delays();
        assert!(target <= 2 && slack <= 24, "{phase}: {target} ms needed, {slack} ms there");
        assert!(bench.left_out <= 1);
    }
}

#[test]
fn d45_the_delay_grows_with_jitter_and_comes_back_within_10_s_of_calm() {
    let mut bench = Bench::new();
    let jitter = |n: u64| n * 7 % 31; // up to 30 ms, in no order
    bench.run(&late(0, (0..200).map(|_| 0)), 200);
    bench.run(&late(200, (0..400).map(jitter)), 400);
    let (target, slack) = bench.delays();
    assert!((25..=35).contains(&target) && (25..=60).contains(&slack), "{target} ms, {slack} ms");
    let lost_before = bench.buffer.counts().late;
    bench.run(&late(600, (0..200).map(jitter)), 200);
    assert!(bench.buffer.counts().late - lost_before <= 4, "hardly any comes too late");
    bench.run(&late(800, (0..500).map(|_| 0)), 500);
    let (target, slack) = bench.delays();
    assert!(target <= 2 && slack <= 23, "{target} ms needed, {slack} ms there");
}

#[test]
fn f10_bursts_of_loss_duplicates_reordering_and_jitter_at_once() {
    let mut bench = Bench::new();
    let mut rows = Vec::new();
    for n in 0..3_000_u64 {
        if (n / 4) % 5 == 2 {
            continue; // 20 % lost, four in a row
        }
        let late = if n % 20 == 7 { 45 } else { n * 13 % 31 };
        rows.push((n * 20 + late, n as u16, n as u32));
        if n % 10 == 3 {
            rows.push((n * 20 + late + 5, n as u16, n as u32));
        }
    }
    rows.sort_by_key(|row| row.0);
    bench.run(&rows, 3_004);
    let counts = bench.buffer.counts();
    assert_eq!(counts.stored + counts.late, 2_400, "each packet once: {counts:?}");
    assert!(counts.played_units >= 2_400 * 160 * 97 / 100, "{counts:?}");
    assert_eq!(counts.duplicates, 300);
    assert!(bench.delays().1 <= 100, "{:?}", bench.delays());
}

#[test]
fn f10_after_five_seconds_of_nothing_all_is_well_within_one() {
    let mut bench = Bench::new();
    bench.run(&late(0, (0..200).map(|_| 0)), 200);
    // The network held everything back and lets it go at once.
    let held = late(200, (0..250).map(|n| 5_000 - n * 20));
    bench.run(&held, 260);
    let after = bench.run(&late(460, (0..100).map(|_| 0)), 100);
    let last: Vec<&str> = after.split(' ').skip(40).collect();
    assert!(last.iter().all(|played| played.parse::<u8>().is_ok()), "{after}");
    assert!(bench.delays().1 <= 200, "{:?}", bench.delays());
}

#[test]
fn f11_timestamps_that_stand_still_in_a_pause_are_no_delay() {
    for pause in [100, 190, 260, 1_000, 1_990, 5_000] {
        let mut bench = Bench::new();
        bench.run(&late(0, (0..100).map(|_| 0)), 100);
        let resumed = bench.run(&late(100, (0..400).map(|_| pause)), 400);
        let after: Vec<&str> = resumed.split(' ').skip(pause as usize / 20 + 5).collect();
        let strange = after.iter().filter(|played| played.parse::<u8>().is_err()).count();
        assert!(strange <= 2 && bench.left_out <= 12, "{pause} ms: {strange} strange, {resumed}");
        let counts = bench.buffer.counts();
        assert!(counts.discarded <= 1, "{pause} ms: {counts:?}");
    }
}

#[test]
fn f11_packets_of_any_length_are_played_whole_and_a_lost_one_is_made_up_whole() {
    for ms in [10_u32, 20, 30, 40, 60] {
        let mut bench = Bench::new();
        for n in 0..200_u32 {
            let duration = ms * 8;
            let packet = Arrival { duration, timestamp: n * duration, ..arrival(n as u16, 0) };
            if n != 100 {
                bench.push(u64::from(n * ms), &packet);
            }
            while bench.ticks * 20 <= u64::from(n * ms) {
                bench.tick_units();
            }
        }
        let counts = bench.buffer.counts();
        assert_eq!(counts.late, 0, "{ms} ms");
        let made_up = u64::from(ms) * 8;
        assert!((made_up..=made_up + 320).contains(&counts.made_up_units), "{ms} ms: {counts:?}");
    }
}

impl Bench {
    /// One tick of an owner who pulls until he has 20 ms of samples.
    fn tick_units(&mut self) {
        let now = self.start + crate::sample::TICK * u32::try_from(self.ticks).unwrap();
        self.ticks += 1;
        self.buffer.begin_tick(now);
        while self.waiting < 160 {
            match self.buffer.pull(now) {
                Playout::Packet { duration: units, .. }
                | Playout::Silence(units)
                | Playout::Lost { units, .. } => self.waiting += units,
                Playout::Waiting => break,
            }
        }
        self.waiting = self.waiting.saturating_sub(160);
    }
}

#[test]
fn d45_a_lonely_packet_is_played_after_the_first_target_delay() {
    assert_eq!(Bench::new().run(&[(1, 9, 0)], 6), ". . 9 ~ ~ ~");
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
    let rows: Vec<Row> = steady(6).into_iter().filter(|row| row.1 != 2).collect();
    bench.run(&rows, 6);
    assert_eq!(bench.push(100, &arrival(2, 320)), Pushed::Late);
    assert_eq!(bench.push(100, &arrival(2, 320)), Pushed::Duplicate, "late twice");
    assert_eq!(bench.push(100, &arrival(1, 160)), Pushed::Duplicate, "it was played");
    assert_eq!(bench.push(100, &arrival(5, 800)), Pushed::Duplicate, "it waits already");
}

#[test]
fn d45_after_a_pause_the_delay_is_built_up_anew() {
    let mut bench = Bench::new();
    assert_eq!(bench.run(&steady(3), 16), ". . 1 2 3 ~ ~ ~ ~ ~ ~ ~ ~ ~ ~ .");
    let later: Vec<Row> = (4..9_u16).map(|n| (325 + u64::from(n - 4) * 20, n, u32::from(n) + 13)).collect();
    assert_eq!(bench.run(&later, 8), ". . 4 5 6 7 8 ~");
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
    // At the end packet 400 has come, and at most two wait.
    assert!(bench.buffer.len() <= 2, "{} packets wait: {played}", bench.buffer.len());
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
    assert_eq!(bench.run(&[(165, 9, 9), (185, 10, 10)], 7), "4 _ _ _ _ 9 10");
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
    /// Against a naive oracle, which plays everything that came in the order it was sent: with nothing later than
    /// 40 ms the buffer does the same, but for the one packet in fifty that it may be late for.
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
        let mut bench = Bench::new();
        let played = bench.run(&rows, fates.len() as u64 + 5);
        let played: Vec<&str> = played.split(' ').filter(|t| t.parse::<u8>().is_ok()).collect();
        let mut rest = expected.iter();
        prop_assert!(played.iter().all(|played| rest.any(|sent| sent == played)), "{played:?}");
        let missing = expected.len() - played.len() - bench.left_out;
        prop_assert!(missing <= 1 + fates.len() / 25, "{missing} of {}", fates.len());
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
