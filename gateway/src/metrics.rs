//! What the running part counts, for the operator's graphs (D67). Everything is an atomic or behind a lock that is held for
//! a map's entry: neither signalling nor sound waits for a scrape.

use conference::live::event::Record;
use conference::live::focus::Counts;
use conference::times::Times;
use conference::vocabulary::{CallState, Cause};
use media::worker::Load;
use sip_core::ua::{Event, TrunkId};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How a number of a media thread is read.
type Gauge = fn(&ThreadMetrics) -> u64;

/// What is counted for as long as the process lives.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// Call states entered, by state and cause.
    calls: Mutex<BTreeMap<(&'static str, String), u64>>,
    /// The last word on each trunk that is registered or probed.
    trunks: Mutex<BTreeMap<TrunkId, bool>>,
    legs_over: AtomicU64,
    packets_received: AtomicU64,
    packets_lost: AtomicU64,
    records_lost: AtomicU64,
    threads: Mutex<Vec<Arc<ThreadMetrics>>>,
}

/// What one media thread counts.
#[derive(Debug, Default)]
pub struct ThreadMetrics {
    /// How long ticks took.
    pub(crate) tick: Times,
    /// How late ticks began.
    pub(crate) late: Times,
    rooms: AtomicUsize,
    legs: AtomicUsize,
    dropped_datagrams: AtomicU64,
    dropped_events: AtomicU64,
    dropped_transmits: AtomicU64,
}

/// What is so at this moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Now {
    /// Of the meetings.
    pub(crate) meetings: Counts,
    /// Bindings, SIP dialogs and the like.
    pub(crate) signalling: sip_core::ua::Counts,
    /// Records that wait for the database.
    pub(crate) records_waiting: usize,
    /// Media events that wait for the focus task.
    pub(crate) media_events_waiting: usize,
}

impl ThreadMetrics {
    /// Notes how much the worker has to do.
    pub(crate) fn load(&self, load: &Load) {
        self.rooms.store(load.rooms, Ordering::Relaxed);
        self.legs.store(load.legs, Ordering::Relaxed);
        self.dropped_datagrams.store(load.dropped_datagrams, Ordering::Relaxed);
        self.dropped_events.store(load.dropped_events, Ordering::Relaxed);
        self.dropped_transmits.store(load.dropped_transmits, Ordering::Relaxed);
    }
}

impl Metrics {
    /// The counters of one more media thread.
    pub(crate) fn thread(&self) -> Arc<ThreadMetrics> {
        let thread = Arc::<ThreadMetrics>::default();
        lock(&self.threads).push(Arc::clone(&thread));
        thread
    }

    /// A fact was handed to the recorder.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the other records are not counted")]
    pub(crate) fn record(&self, record: &Record) {
        match record {
            // A detail that leaves the state as it is has no cause.
            Record::CallState { state, cause, .. } => self.call(*state, *cause),
            Record::LegOver(leg) => {
                self.legs_over.fetch_add(1, Ordering::Relaxed);
                if let Some(quality) = &leg.quality {
                    self.packets_received.fetch_add(quality.received_packets, Ordering::Relaxed);
                    self.packets_lost.fetch_add(quality.lost_packets.unwrap_or(0), Ordering::Relaxed);
                }
            }
            _ => {}
        }
    }

    fn call(&self, state: CallState, cause: Option<Cause>) {
        let cause = cause.and_then(|cause| serde_json::to_value(cause).ok());
        let cause = cause.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
        *lock(&self.calls).entry((state.as_str(), cause.to_owned())).or_default() += 1;
    }

    /// The recorder's queue was full.
    pub(crate) fn record_lost(&self) {
        self.records_lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Something happened in signalling.
    #[expect(clippy::wildcard_enum_match_arm, reason = "only trunks are followed here")]
    pub(crate) fn signalling(&self, event: &Event) {
        match event {
            Event::TrunkUp { trunk } => lock(&self.trunks).insert(*trunk, true),
            Event::TrunkDown { trunk, .. } => lock(&self.trunks).insert(*trunk, false),
            _ => None,
        };
    }

    /// Everything in the Prometheus text format.
    pub(crate) fn render(&self, now: Now) -> String {
        let mut out = String::with_capacity(8192);
        header(&mut out, "partyline_call_states_total", "counter", "Call states entered, by state and cause");
        for ((state, cause), count) in lock(&self.calls).iter() {
            let _ =
                writeln!(out, "partyline_call_states_total{{state=\"{state}\",cause=\"{cause}\"}} {count}");
        }
        for (name, words, value) in [
            ("partyline_legs", "Legs that are up", now.meetings.legs),
            ("partyline_calls", "Dial-outs that are not over", now.meetings.calls),
            ("partyline_people", "People in meetings", now.meetings.present),
            ("partyline_registrations", "Contacts that are registered", now.signalling.bindings),
            ("partyline_sip_sessions", "SIP sessions", now.signalling.sessions),
            ("partyline_sip_transactions", "SIP transactions", now.signalling.transactions),
            ("partyline_records_waiting", "Records that wait for the database", now.records_waiting),
            (
                "partyline_media_events_waiting",
                "Media events that wait to be handled",
                now.media_events_waiting,
            ),
        ] {
            header(&mut out, name, "gauge", words);
            let _ = writeln!(out, "{name} {value}");
        }
        for (name, words, value) in [
            ("partyline_legs_over_total", "Legs that are over", &self.legs_over),
            ("partyline_rtp_packets_received_total", "Packets of legs that are over", &self.packets_received),
            (
                "partyline_rtp_packets_lost_total",
                "Packets lost on the way to us, of legs that are over",
                &self.packets_lost,
            ),
            ("partyline_records_lost_total", "Records lost because the queue was full", &self.records_lost),
        ] {
            header(&mut out, name, "counter", words);
            let _ = writeln!(out, "{name} {}", value.load(Ordering::Relaxed));
        }
        header(&mut out, "partyline_trunk_up", "gauge", "Whether a trunk that is registered or probed is up");
        for (trunk, up) in lock(&self.trunks).iter() {
            let _ = writeln!(out, "partyline_trunk_up{{trunk=\"{}\"}} {}", trunk.0, u8::from(*up));
        }
        self.render_threads(&mut out);
        out
    }

    fn render_threads(&self, out: &mut String) {
        let threads = lock(&self.threads).clone();
        header(out, "partyline_media_tick_seconds", "histogram", "How long a mix tick took");
        for (index, thread) in threads.iter().enumerate() {
            thread.tick.render(out, "partyline_media_tick_seconds", &format!("thread=\"{index}\""));
        }
        header(out, "partyline_media_tick_late_seconds", "histogram", "How late a mix tick began");
        for (index, thread) in threads.iter().enumerate() {
            thread.late.render(out, "partyline_media_tick_late_seconds", &format!("thread=\"{index}\""));
        }
        let gauges: [(&str, &str, Gauge); 5] = [
            ("partyline_media_rooms", "Rooms", |thread| wide(&thread.rooms)),
            ("partyline_media_legs", "Legs", |thread| wide(&thread.legs)),
            (
                "partyline_media_dropped_datagrams",
                "Datagrams from strangers, malformed, or for unknown legs",
                |thread| thread.dropped_datagrams.load(Ordering::Relaxed),
            ),
            ("partyline_media_dropped_events", "Events nobody fetched in time", |thread| {
                thread.dropped_events.load(Ordering::Relaxed)
            }),
            ("partyline_media_dropped_transmits", "Outgoing packets nobody fetched in time", |thread| {
                thread.dropped_transmits.load(Ordering::Relaxed)
            }),
        ];
        for (name, words, value) in gauges {
            header(out, name, "gauge", words);
            for (index, thread) in threads.iter().enumerate() {
                let _ = writeln!(out, "{name}{{thread=\"{index}\"}} {}", value(thread));
            }
        }
    }
}

fn wide(value: &AtomicUsize) -> u64 {
    u64::try_from(value.load(Ordering::Relaxed)).unwrap_or(u64::MAX)
}

fn header(out: &mut String, name: &str, kind: &str, words: &str) {
    let _ = writeln!(out, "# HELP {name} {words}\n# TYPE {name} {kind}");
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use conference::live::event::CallStory;
    use conference::vocabulary::UnixMillis;

    #[test]
    fn d67_calls_are_counted_by_state_and_cause() {
        let metrics = Metrics::default();
        let step = |state, cause| Record::CallState {
            call: "c1".into(),
            state,
            cause,
            sip_code: None,
            detail: None,
            at: UnixMillis(0),
            sip_call_id: String::new(),
            story: CallStory::default(),
        };
        metrics.record(&step(CallState::Ringing, None));
        metrics.record(&step(CallState::Failed, Some(Cause::Busy)));
        metrics.record(&step(CallState::Failed, Some(Cause::Busy)));
        metrics.signalling(&Event::TrunkDown { trunk: TrunkId(7), status: None });
        metrics.thread().load(&Load { rooms: 3, ..Load::default() });
        let text = metrics.render(Now { records_waiting: 5, ..Now::default() });
        for line in [
            "partyline_call_states_total{state=\"ringing\",cause=\"\"} 1",
            "partyline_call_states_total{state=\"failed\",cause=\"busy\"} 2",
            "partyline_trunk_up{trunk=\"7\"} 0",
            "partyline_records_waiting 5",
            "partyline_media_rooms{thread=\"0\"} 3",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} in {text}");
        }
    }
}
