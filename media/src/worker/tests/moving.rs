//! Phones that change rooms.

use super::*;

const OTHER: RoomId = RoomId(2);

#[test]
fn d19_a_caller_changes_rooms_without_rights_and_with_the_same_stream() {
    for codec in [Codec::Pcmu, Codec::Opus] {
        changes_rooms(codec);
    }
}

fn changes_rooms(codec: Codec) {
    let mut bench = Bench::new();
    let host = bench.phone(1, Codec::Pcmu, 500, ALL);
    let caller = bench.phone(2, codec, 900, ALL);
    bench.run(50);
    bench.command(Command::MoveLeg { leg: caller, room: OTHER });
    bench.settle(20);
    bench.run(50);
    assert!(bench.hears_nothing(host) && bench.hears_nothing(caller), "no rights, another room");
    bench.plan(caller, ALL);
    bench.settle(20);
    bench.run(50);
    assert!(bench.hears_nothing(host) && bench.hears_nothing(caller), "alone in the other room");
    bench.command(Command::MoveLeg { leg: caller, room: ROOM });
    bench.plan(caller, ALL);
    bench.settle(20);
    bench.run(50);
    assert!(bench.hears(host, 900) > -16.0 && bench.hears(caller, 500) > -16.0);
    let received = &bench.phones[&caller].received;
    let steps = received.windows(2).map(|two| two[1].0.wrapping_sub(two[0].0));
    assert!(steps.into_iter().all(|step| step == 1), "one stream, without a gap");
}

#[test]
fn d19_a_caller_changes_workers_and_what_was_said_meanwhile_waits() {
    let mut bench = Bench::new();
    let caller = bench.phone(2, Codec::Pcmu, 900, ALL);
    bench.run(50);
    let mut other = Worker::new(WorkerConfig::default(), [8; 32]);
    other.handle_command(bench.now, Command::ExpectLeg { leg: caller });
    other.handle_command(bench.now, Command::SetPlan { leg: caller, plan: ALL });
    let travelling = bench.worker.take_leg(caller).unwrap();
    assert_eq!((bench.worker.load().legs, bench.worker.load().rooms), (0, 0));
    assert!(other.put_leg(bench.now, OTHER, travelling));
    std::mem::swap(&mut bench.worker, &mut other);
    let host = {
        let leg = bench.phone(3, Codec::Pcmu, 500, ALL);
        bench.command(Command::MoveLeg { leg, room: OTHER });
        bench.plan(leg, ALL);
        leg
    };
    bench.settle(20);
    bench.run(50);
    assert!(bench.hears(caller, 500) > -16.0 && bench.hears(host, 900) > -16.0);
}

#[test]
fn a_caller_who_hangs_up_on_the_way_is_gone() {
    let mut bench = Bench::new();
    let caller = bench.phone(2, Codec::Pcmu, 900, ALL);
    let mut other = Worker::new(WorkerConfig::default(), [8; 32]);
    other.handle_command(bench.now, Command::ExpectLeg { leg: caller });
    other.handle_command(bench.now, Command::RemoveLeg { leg: caller });
    let travelling = bench.worker.take_leg(caller).unwrap();
    assert!(!other.put_leg(bench.now, OTHER, travelling));
    assert_eq!(other.load().legs, 0);
    assert!(bench.worker.take_leg(caller).is_none());
}

#[test]
fn i50_what_is_heard_of_who_is_not_in_yet_is_evidence_and_goes_nowhere_else() {
    let mut bench = Bench::new();
    let host = bench.phone(1, Codec::Pcmu, 500, ALL);
    let callees = [(2, Codec::Pcmu), (3, Codec::Opus)];
    let callees = callees.map(|(leg, codec)| bench.phone(leg, codec, 900, NOTHING));
    for leg in callees {
        bench.command(Command::ObserveAnswer { leg, enabled: true });
    }
    bench.run(300);
    assert!(bench.hears_nothing(host));
    for callee in callees {
        let told = bench.events.iter().rev().find_map(|event| match event {
            Event::AnswerHeard { leg, summary } if *leg == callee => Some(*summary),
            _ => None,
        });
        assert!(told.unwrap().speech_ms > 4_500, "{told:?}");
    }
}

#[test]
fn rooms_left_by_their_last_caller_are_gone_from_the_schedule() {
    let mut worker = Worker::new(WorkerConfig::default(), [9; 32]);
    let (now, leg) = (Instant::now(), LegId(1));
    worker.handle_command(now, Command::AddSipLeg { leg, room: ROOM });
    for room in (2..200).map(RoomId) {
        worker.handle_command(now, Command::MoveLeg { leg, room });
    }
    assert_eq!(worker.size(), (1, 1));
    for step in 0..100 {
        worker.handle_step(now + STEP * step);
    }
    assert_eq!(worker.load().ticks, 5, "one room mixes, once in twenty steps");
}
