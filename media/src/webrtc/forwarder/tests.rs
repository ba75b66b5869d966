use super::*;
use proptest::prelude::*;

const KEY: [u8; 2] = [0x10, 0x00];
const DELTA: [u8; 2] = [0x10, 0x01];
const ROOM: [char; 4] = ['a', 'b', 'c', 'd'];

/// A room on a clock of its own whose cameras number their packets.
struct Room {
    forwarder: Forwarder<char>,
    start: Instant,
    now: Instant,
    sent: BTreeMap<char, u16>,
}

impl Room {
    fn new(members: &[char]) -> Self {
        let start = Instant::now();
        let mut room = Self { forwarder: Forwarder::new(), start, now: start, sent: BTreeMap::new() };
        for member in members {
            room.join(*member);
        }
        room
    }

    fn join(&mut self, member: char) {
        self.forwarder.join(member, 8);
        self.forwarder.set_permissions(self.now, member, true, true);
    }

    fn pass(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
        self.forwarder.handle_timeout(self.now);
    }

    fn send(&mut self, publisher: char, payload: &[u8]) -> Vec<Output<char>> {
        let number = self.sent.entry(publisher).or_insert(60_000);
        *number = number.wrapping_add(1);
        let sequence_number = *number;
        self.send_numbered(publisher, sequence_number, payload)
    }

    fn send_numbered(&mut self, publisher: char, sequence_number: u16, payload: &[u8]) -> Vec<Output<char>> {
        let timestamp = u32::from(sequence_number) * 3000;
        let payload = Bytes::copy_from_slice(payload);
        let packet = IncomingRtp { sequence_number, timestamp, marker: true, payload, audio_level: None };
        self.forwarder.handle_packet(self.now, publisher, &packet);
        self.drain()
    }

    fn drain(&mut self) -> Vec<Output<char>> {
        std::iter::from_fn(|| self.forwarder.poll_output()).collect()
    }
}

/// Receiver, slot and sequence number of the packets among `outputs`.
fn packets(outputs: &[Output<char>]) -> Vec<(char, u8, u16)> {
    let packet = |output: &Output<char>| match output {
        Output::Packet { receiver, slot, packet } => Some((*receiver, *slot, packet.sequence_number)),
        Output::RequestKeyFrame { .. } | Output::Slots { .. } => None,
    };
    outputs.iter().filter_map(packet).collect()
}

/// The publishers asked for a key frame.
fn requests(outputs: &[Output<char>]) -> String {
    let request = |output: &Output<char>| match output {
        Output::RequestKeyFrame { publisher } => Some(*publisher),
        Output::Packet { .. } | Output::Slots { .. } => None,
    };
    outputs.iter().filter_map(request).collect()
}

fn shown(forwarder: &Forwarder<char>, receiver: char) -> String {
    forwarder.slots(receiver).iter().map(|slot| slot.unwrap_or('.')).collect()
}

#[test]
fn slots_fill_in_join_order_without_oneself_and_are_told_once() {
    let mut room = Room::new(&ROOM);
    let mut told = Vec::new();
    for publisher in ROOM {
        told.extend(room.send(publisher, &KEY));
    }
    assert_eq!(shown(&room.forwarder, 'a'), "bcd.....");
    assert_eq!(shown(&room.forwarder, 'c'), "abd.....");
    let tables = told.iter().filter(|output| matches!(output, Output::Slots { .. })).count();
    assert_eq!(tables, 4 * 3, "every camera changed the tables of three receivers once");
    assert!(room.send('a', &DELTA).iter().all(|output| matches!(output, Output::Packet { .. })));
}

#[test]
fn a_slot_stays_where_it_is_when_others_leave() {
    let mut room = Room::new(&ROOM);
    for publisher in ROOM {
        room.send(publisher, &KEY);
    }
    room.forwarder.leave(room.now, 'b');
    assert_eq!(shown(&room.forwarder, 'a'), ".cd.....");
    room.join('e');
    room.send('e', &KEY);
    assert_eq!(shown(&room.forwarder, 'a'), "ecd.....");
}

#[test]
fn a_ninth_camera_waits_for_a_free_slot() {
    let members: Vec<char> = ('a'..='j').collect();
    let mut room = Room::new(&members);
    for publisher in members {
        room.send(publisher, &KEY);
    }
    assert_eq!(shown(&room.forwarder, 'a'), "bcdefghi");
    room.forwarder.leave(room.now, 'c');
    assert_eq!(shown(&room.forwarder, 'a'), "bjdefghi");
    assert_eq!(requests(&room.drain()), "ij", "j is shown where c was, and i to j");
}

#[test]
fn a_picture_begins_with_a_key_frame_asked_for_until_it_comes() {
    let mut room = Room::new(&['a', 'b']);
    let first = room.send('a', &DELTA);
    assert_eq!((requests(&first), packets(&first)), ("a".to_owned(), vec![]));
    let mut asked = 0;
    for _ in 0..40 {
        room.pass(50);
        asked += requests(&room.send('a', &DELTA)).len();
    }
    assert_eq!(asked, 4, "every 500 ms in 2 s");
    assert_eq!(packets(&room.send('a', &KEY)), [('b', 0, 1)]);
    room.pass(2_000);
    let later = room.send('a', &DELTA);
    assert_eq!((requests(&later), packets(&later)), (String::new(), vec![('b', 0, 2)]));
}

#[test]
fn a_camera_that_starts_with_a_key_frame_is_not_asked() {
    let mut room = Room::new(&['a', 'b']);
    assert_eq!(requests(&room.send('a', &KEY)), "");
}

#[test]
fn a_late_joiner_asks_and_the_others_go_on() {
    let mut room = Room::new(&['a', 'b']);
    room.send('a', &KEY);
    room.join('c');
    assert_eq!(requests(&room.drain()), "a");
    assert_eq!(packets(&room.send('a', &DELTA)), [('b', 0, 2)]);
    assert_eq!(packets(&room.send('a', &KEY)), [('b', 0, 3), ('c', 0, 1)]);
}

#[test]
fn a_receivers_request_reaches_the_camera_it_sees() {
    let mut room = Room::new(&['a', 'b', 'c']);
    room.send('b', &KEY);
    room.send('c', &KEY);
    room.forwarder.handle_key_frame_request(room.now, 'a', 1);
    assert_eq!(requests(&room.drain()), "c");
    room.forwarder.handle_key_frame_request(room.now, 'a', 1);
    assert_eq!(requests(&room.drain()), "", "one is awaited already");
    for nonsense in [5, 8, 255] {
        room.forwarder.handle_key_frame_request(room.now, 'a', nonsense);
    }
    assert_eq!(requests(&room.drain()), "");
}

#[test]
fn without_permission_nothing_is_sent_and_nothing_received() {
    let mut room = Room::new(&['a', 'b', 'c']);
    room.send('a', &KEY);
    room.send('b', &KEY);
    room.forwarder.set_permissions(room.now, 'a', false, true);
    assert_eq!(shown(&room.forwarder, 'b'), "........");
    room.drain();
    assert_eq!(packets(&room.send('a', &KEY)), []);
    room.forwarder.set_permissions(room.now, 'c', true, false);
    assert_eq!(shown(&room.forwarder, 'c'), "........");
    assert_eq!(packets(&room.send('b', &KEY)), [('a', 0, 2)]);
    room.forwarder.set_permissions(room.now, 'a', true, true);
    assert_eq!(packets(&room.send('a', &KEY)), [('b', 0, 2)]);
}

#[test]
fn a_member_who_was_never_permitted_sends_to_nobody() {
    let mut room = Room::new(&['a']);
    room.forwarder.join('x', 8);
    assert_eq!(room.send('x', &KEY), []);
    assert_eq!(room.send('y', &KEY), [], "not even a member");
}

#[test]
fn a_camera_that_goes_off_frees_its_slots() {
    let mut room = Room::new(&['a', 'b', 'c']);
    room.send('a', &KEY);
    assert_eq!(room.forwarder.poll_timeout(), Some(room.start + CAMERA_IDLE));
    room.pass(4_999);
    assert_eq!(shown(&room.forwarder, 'b'), "a.......");
    room.pass(1);
    assert_eq!(shown(&room.forwarder, 'b'), "........");
    assert_eq!(room.forwarder.poll_timeout(), None);
    room.send('c', &KEY);
    room.send('a', &KEY);
    assert_eq!(shown(&room.forwarder, 'b'), "ca......");
}

#[test]
fn duplicates_are_forwarded_once() {
    let mut room = Room::new(&['a', 'b']);
    assert_eq!(packets(&room.send_numbered('a', 7, &KEY)).len(), 1);
    assert_eq!(packets(&room.send_numbered('a', 7, &KEY)).len(), 0);
    assert_eq!(packets(&room.send_numbered('a', 8, &DELTA)).len(), 1);
    assert_eq!(packets(&room.send_numbered('a', 7, &KEY)).len(), 0);
}

/// One random thing that happens in a room.
#[derive(Debug, Clone)]
enum Step {
    Join(char),
    Leave(char),
    Permit(char, bool, bool),
    Send(char, bool),
    Ask(char, u8),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let member = || proptest::sample::select(ROOM.to_vec());
    prop_oneof![
        1 => member().prop_map(Step::Join),
        1 => member().prop_map(Step::Leave),
        1 => (member(), any::<bool>(), any::<bool>()).prop_map(|(m, s, r)| Step::Permit(m, s, r)),
        12 => (member(), proptest::bool::weighted(0.2)).prop_map(|(m, key)| Step::Send(m, key)),
        1 => (member(), 0u8..9).prop_map(|(m, slot)| Step::Ask(m, slot)),
        2 => (0u64..2_000).prop_map(Step::Pass),
    ]
}

/// Applies `step` and returns what came of it.
fn apply(room: &mut Room, step: &Step) -> Vec<Output<char>> {
    match *step {
        Step::Join(member) if room.forwarder.slots(member).is_empty() => room.join(member),
        Step::Join(_) => {}
        Step::Leave(member) => room.forwarder.leave(room.now, member),
        Step::Permit(member, send, receive) => {
            room.forwarder.set_permissions(room.now, member, send, receive)
        }
        Step::Send(member, key) => return room.send(member, if key { &KEY } else { &DELTA }),
        Step::Ask(member, slot) => room.forwarder.handle_key_frame_request(room.now, member, slot),
        Step::Pass(milliseconds) => room.pass(milliseconds),
    }
    room.drain()
}

proptest! {
    /// Whatever happens: each slot's stream is continuous and starts each picture with a key frame, nobody
    /// receives himself, and only a permitted pair exchanges anything.
    #[test]
    fn streams_stay_continuous_and_permitted(steps in proptest::collection::vec(step(), 1..300)) {
        let mut room = Room::new(&['a', 'b']);
        let mut permitted: BTreeMap<char, (bool, bool)> = [('a', (true, true)), ('b', (true, true))].into();
        let mut streams: BTreeMap<(char, u8), (u16, char)> = BTreeMap::new();
        for step in &steps {
            let absent = matches!(step, Step::Join(member) if room.forwarder.slots(*member).is_empty());
            let outputs = apply(&mut room, step);
            match *step {
                Step::Join(member) if absent => {
                    permitted.insert(member, (true, true));
                    streams.retain(|(receiver, _), _| *receiver != member);
                }
                Step::Leave(member) => { permitted.remove(&member); }
                Step::Permit(member, send, receive) => {
                    if let Some(entry) = permitted.get_mut(&member) { *entry = (send, receive); }
                }
                Step::Join(_) | Step::Send(..) | Step::Ask(..) | Step::Pass(_) => {}
            }
            let Step::Send(publisher, key) = *step else {
                prop_assert!(packets(&outputs).is_empty());
                continue;
            };
            for (receiver, slot, sequence_number) in packets(&outputs) {
                prop_assert_ne!(receiver, publisher);
                prop_assert!(permitted[&publisher].0 && permitted[&receiver].1);
                let (last, shown) = *streams.entry((receiver, slot)).or_insert((0, ' '));
                prop_assert_eq!(sequence_number, last.wrapping_add(1));
                prop_assert!(shown == publisher || key, "a new picture begins with a key frame");
                streams.insert((receiver, slot), (sequence_number, publisher));
            }
        }
    }

    /// The same input gives the same output.
    #[test]
    fn is_deterministic(steps in proptest::collection::vec(step(), 1..100)) {
        let run = || {
            let mut room = Room::new(&['a', 'b']);
            steps.iter().flat_map(|step| apply(&mut room, step)).collect::<Vec<_>>()
        };
        prop_assert_eq!(run(), run());
    }
}
