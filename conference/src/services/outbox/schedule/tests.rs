//! Days of retries on a virtual clock.

use super::*;
use proptest::prelude::*;

const POLICY: RetryPolicy = RetryPolicy { first: Duration::from_secs(2), longest: Duration::from_secs(3600) };
const DAY: u64 = 24 * 3600 * 1000;

fn later() -> Outcome {
    Outcome::Later { code: Some(451), words: "try again".to_owned() }
}

fn unreachable() -> Outcome {
    Outcome::Unreachable { words: "connection refused".to_owned() }
}

/// Every attempt at a receiver that never answers, until the parcel is dead.
fn attempts(expires_at: u64, jitter: u32) -> Vec<u64> {
    let (mut now, mut made) = (UnixMillis(0), Vec::new());
    loop {
        made.push(now.0);
        let attempt = u32::try_from(made.len()).unwrap();
        match verdict(&POLICY, now, UnixMillis(expires_at), attempt, &later(), jitter) {
            Verdict::Again(at) => now = at,
            Verdict::Dead => return made,
            Verdict::Sent => unreachable!("it never answers"),
        }
    }
}

#[test]
fn f15_a_dead_receiver_is_tried_for_24_hours_and_no_longer() {
    for jitter in [0, u32::MAX / 2, u32::MAX] {
        let made = attempts(DAY, jitter);
        assert_eq!(made.last(), Some(&DAY), "the last attempt is at the end of the time");
        assert!((20..80).contains(&made.len()), "{} attempts", made.len());
        let waits: Vec<u64> = made.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(waits.iter().all(|wait| *wait <= 4500 * 1000), "{waits:?}");
        assert!(waits[0] <= 2500 && waits[1] > waits[0] && waits[5] > waits[4], "{waits:?}");
    }
}

#[test]
fn a_refusal_is_final_and_a_delivery_is_done() {
    let refused = Outcome::Refused { code: Some(550), words: "no such user".to_owned() };
    let end = UnixMillis(DAY);
    assert_eq!(verdict(&POLICY, UnixMillis(1), end, 1, &refused, 0), Verdict::Dead);
    assert_eq!(verdict(&POLICY, UnixMillis(1), end, 9, &Outcome::Delivered, 0), Verdict::Sent);
}

#[test]
fn f15_failing_receivers_leave_room_for_the_others() {
    let mut dispatcher = Dispatcher::new(Slots { total: 8, each: 2 }, POLICY);
    let now = UnixMillis(0);
    // Twenty receivers that fail once.
    for hook in 0..20 {
        let name = format!("bad{hook}");
        assert!(dispatcher.admit(now, hook, &name));
        dispatcher.finish(now, hook, &later(), 0);
    }
    let started = (100..200).filter(|at| dispatcher.admit(now, *at, &format!("bad{}", at % 20))).count();
    assert_eq!(started, 4, "half of the slots");
    assert!(dispatcher.admit(now, 300, "good") && dispatcher.admit(now, 301, "good"));
    assert!(!dispatcher.admit(now, 302, "good"), "two of one destination");
    assert!(!dispatcher.admit(now, 300, "good"), "never the same twice at once");
}

#[test]
fn f16_a_mail_server_that_is_down_is_asked_by_one_mail_at_a_time() {
    let mut dispatcher = Dispatcher::new(Slots { total: 8, each: 4 }, POLICY);
    assert!(dispatcher.admit(UnixMillis(0), 1, "smtp"));
    dispatcher.finish(UnixMillis(0), 1, &unreachable(), 0);
    assert!(!dispatcher.admit(UnixMillis(1), 2, "smtp"), "a pause");
    let end = dispatcher.next_pause_end(UnixMillis(1)).unwrap();
    assert!(dispatcher.admit(end, 2, "smtp"), "a probe");
    assert!(!dispatcher.admit(end, 3, "smtp"), "one alone");
    dispatcher.finish(end, 2, &Outcome::Delivered, 0);
    assert!((3..7).all(|at| dispatcher.admit(end, at, "smtp")), "all of them again");
    assert_eq!(dispatcher.next_pause_end(end), None);
}

proptest! {
    #[test]
    fn waits_stay_within_their_bounds(failures in 0_u32.., jitter in any::<u32>()) {
        let wait = POLICY.wait(failures, jitter);
        prop_assert!(wait >= Duration::from_millis(1500));
        prop_assert!(wait <= POLICY.longest + POLICY.longest / 4);
    }

    /// Whatever happens in whatever order, no more runs than there are slots, and what ends gives its slot back.
    #[test]
    fn slots_are_never_lost(steps in proptest::collection::vec((0_i64..12, 0_u8..5, any::<u32>()), 1..200)) {
        let slots = Slots { total: 5, each: 2 };
        let mut dispatcher = Dispatcher::new(slots, POLICY);
        let mut now = UnixMillis(0);
        for (position, what, jitter) in steps {
            now.0 += 500;
            match what {
                0 | 1 => { dispatcher.admit(now, position, &format!("d{}", position % 3)); }
                2 => dispatcher.finish(now, position, &Outcome::Delivered, jitter),
                3 => dispatcher.finish(now, position, &later(), jitter),
                _ => dispatcher.finish(now, position, &unreachable(), jitter),
            }
            prop_assert!(dispatcher.running() <= slots.total);
            let counted: usize = dispatcher.destinations.values().map(|known| known.running).sum();
            prop_assert_eq!(counted, dispatcher.running());
            prop_assert!(dispatcher.destinations.values().all(|known| known.running <= slots.each));
        }
        for position in 0..12 {
            dispatcher.finish(now, position, &Outcome::Delivered, 0);
        }
        prop_assert_eq!(dispatcher.running(), 0);
    }
}
