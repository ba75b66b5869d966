//! RTCP and statistics.

use super::*;
use crate::rtcp::{Report, ReportBlock, RtcpItem, VoipMetrics, is_rtcp, read};

/// Runs `ticks` and collects the RTCP items sent to phone 1, with the tick they came in.
fn reports(bench: &mut Bench, ticks: usize) -> Vec<(usize, RtcpItem)> {
    let mut items = Vec::new();
    for n in 0..ticks {
        bench.speak();
        while let Some(transmit) = bench.worker.poll_transmit() {
            if transmit.from == Port::Sip(LegId(1)) && is_rtcp(transmit.payload) {
                read(transmit.payload, |item| items.push((n, item))).unwrap();
            }
        }
        bench.drain();
    }
    items
}

fn muxed(bench: &mut Bench, leg: LegId) -> SocketAddr {
    let address = bench.phones[&leg].address;
    let negotiated = Negotiated { rtcp: RtcpPort::Muxed, ..negotiated(address, Codec::Pcmu) };
    bench.command(Command::SetSipRemote { leg, negotiated, symmetric_from: None });
    address
}

#[test]
fn a_phone_with_rtcp_is_sent_reports_about_both_ways_and_a_goodbye() {
    let mut bench = Bench::new();
    let phone = bench.phone(1, Codec::Pcmu, 500, ALL);
    bench.phone(2, Codec::Pcmu, 700, ALL);
    muxed(&mut bench, phone);
    let items = reports(&mut bench, 1_500);
    let senders: Vec<usize> =
        items.iter().filter(|(_, item)| matches!(item, RtcpItem::Sender { .. })).map(|(n, _)| *n).collect();
    assert!((5..=14).contains(&senders.len()), "{senders:?}");
    assert!(senders[0] >= 50, "not before half an interval");
    for (n, item) in &items {
        match item {
            RtcpItem::Sender { info, .. } => {
                assert_eq!((info.packets, info.octets), (*n as u32 + 1, (*n as u32 + 1) * 160));
            }
            RtcpItem::Block { block, .. } => assert_eq!((block.ssrc, block.cumulative_lost), (5, 0)),
            RtcpItem::Metrics { .. } => panic!("not asked for"),
            RtcpItem::Bye { .. } => panic!("too early"),
        }
    }
    bench.command(Command::RemoveLeg { leg: phone });
    let mut goodbye = false;
    while let Some(transmit) = bench.worker.poll_transmit() {
        read(transmit.payload, |item| goodbye |= matches!(item, RtcpItem::Bye { .. })).unwrap();
    }
    assert!(goodbye);
}

#[test]
fn a_phone_without_rtcp_is_sent_none() {
    let mut bench = Bench::new();
    bench.phone(1, Codec::Pcmu, 500, ALL);
    assert_eq!(reports(&mut bench, 1_000), []);
}

#[test]
fn a_phones_report_becomes_statistics_and_a_strangers_does_not() {
    let mut bench = Bench::new();
    let phone = bench.phone(1, Codec::Pcmu, 500, ALL);
    let address = muxed(&mut bench, phone);
    let items = reports(&mut bench, 500);
    let ours = items.iter().find_map(|(_, item)| match item {
        RtcpItem::Sender { ssrc, .. } => Some(*ssrc),
        _ => None,
    });
    let block =
        ReportBlock { ssrc: ours.unwrap(), cumulative_lost: 50, jitter: 80, ..ReportBlock::default() };
    let report =
        Report { ssrc: 5, cname: b"phone", sender: None, block: Some(block), metrics: None, bye: true };
    let mut datagram = [0; 172];
    let length = report.write(&mut datagram).unwrap();
    let stranger = "203.0.113.66:666".parse().unwrap();
    bench.worker.handle_sip_datagram(bench.now, phone, stranger, &datagram[..length]);
    assert_eq!(bench.worker.stats(phone).unwrap().remote, None);
    bench.worker.handle_sip_datagram(bench.now, phone, address, &datagram[..length]);
    let stats = bench.worker.stats(phone).unwrap();
    assert_eq!(stats.remote.unwrap().jitter, Duration::from_millis(10));
    assert!(stats.mos_out.unwrap() < stats.mos_in, "{stats:?}");
    assert!(stats.mos_in.0 > 430, "{stats:?}");
}

#[test]
fn statistics_come_every_five_seconds_and_when_a_leg_goes() {
    let mut bench = Bench::new();
    let phone = bench.phone(1, Codec::Pcmu, 500, ALL);
    let browser = bench.browser(2, 700, ALL);
    for n in 0..1_000 {
        let is_lost = n % 10 == 4;
        let mut phone_1 = bench.phones.remove(&phone).unwrap();
        let datagram = phone_1.speak();
        if !is_lost {
            bench.worker.handle_sip_datagram(bench.now, phone, phone_1.address, &datagram);
        }
        bench.tick();
        bench.phones.insert(phone, phone_1);
    }
    bench.command(Command::RemoveLeg { leg: phone });
    bench.drain();
    let of = |wanted: LegId| {
        let stats = bench.events.iter().filter_map(move |event| match event {
            Event::Statistics { leg, stats, is_final } if *leg == wanted => Some((*stats, *is_final)),
            _ => None,
        });
        stats.collect::<Vec<_>>()
    };
    let phones = of(phone);
    assert_eq!(
        phones.iter().map(|(_, is_final)| *is_final).collect::<Vec<_>>(),
        [false, false, false, false, true]
    );
    let last = phones[4].0;
    assert_eq!((last.received_packets, last.lost_packets), (900, Some(100)));
    assert!(last.concealed >= Duration::from_millis(1_900), "{last:?}");
    assert!(last.mos_in.0 < 380, "{last:?}");
    assert_eq!(of(browser).len(), 4);
    assert!(of(browser)[3].0.mos_in.0 > 430, "{:?}", of(browser)[3]);
    assert_eq!(bench.worker.stats(phone), None);
}

/// What was sent from the RTCP port of `leg` in so many ticks.
fn sent_apart(bench: &mut Bench, leg: LegId, ticks: usize) -> Vec<(SocketAddr, Vec<u8>)> {
    let mut sent = Vec::new();
    for _ in 0..ticks {
        bench.speak();
        while let Some(transmit) = bench.worker.poll_transmit() {
            assert!(!is_rtcp(transmit.payload) || transmit.from == Port::SipRtcp(leg), "{transmit:?}");
            if transmit.from == Port::SipRtcp(leg) {
                sent.push((transmit.destination, transmit.payload.to_vec()));
            }
        }
    }
    sent
}

/// A report about our stream, whose number is in one of ours.
fn report_about(ours: &[u8]) -> Vec<u8> {
    let mut block = ReportBlock { cumulative_lost: 7, ..ReportBlock::default() };
    read(ours, |item| {
        if let RtcpItem::Sender { ssrc, .. } = item {
            block.ssrc = ssrc;
        }
    })
    .unwrap();
    let report =
        Report { ssrc: 5, cname: b"phone", sender: None, block: Some(block), metrics: None, bye: false };
    let mut datagram = vec![0; 172];
    let length = report.write(&mut datagram).unwrap();
    datagram.truncate(length);
    datagram
}

#[test]
fn rtcp_without_mux_goes_from_port_to_port_and_counts_from_the_phones_host_alone() {
    let mut bench = Bench::new();
    let leg = bench.phone(1, Codec::Pcmu, 500, ALL);
    let address = bench.phones[&leg].address;
    let apart = Negotiated { rtcp: RtcpPort::Apart(4_001), ..negotiated(address, Codec::Pcmu) };
    bench.command(Command::SetSipRemote { leg, negotiated: apart, symmetric_from: None });
    let sent = sent_apart(&mut bench, leg, 500);
    assert!(!sent.is_empty());
    let theirs = SocketAddr::new(address.ip(), 4_001);
    assert!(sent.iter().all(|(destination, _)| *destination == theirs), "{sent:?}");
    let report = report_about(&sent[0].1);
    for stranger in ["203.0.113.66:4001", "192.0.2.1:4003"] {
        bench.worker.handle_rtcp_datagram(bench.now, leg, stranger.parse().unwrap(), &report);
    }
    assert_eq!(bench.worker.stats(leg).unwrap().remote, None);
    bench.worker.handle_rtcp_datagram(bench.now, leg, theirs, &[0x80, 0, 0, 1, 0, 0]);
    bench.worker.handle_rtcp_datagram(bench.now, leg, theirs, &report);
    assert_eq!(bench.worker.stats(leg).unwrap().remote.unwrap().cumulative_lost, 7);
    assert_eq!(bench.worker.load().dropped_datagrams, 3);
}

#[test]
fn a_phone_behind_a_nat_is_sent_reports_where_its_own_come_from() {
    let mut bench = Bench::new();
    let leg = bench.phone(1, Codec::Pcmu, 500, ALL);
    let signalled = "10.0.0.1:4000".parse().unwrap();
    let host = bench.phones[&leg].address.ip();
    let apart = Negotiated { rtcp: RtcpPort::Apart(4_001), ..negotiated(signalled, Codec::Pcmu) };
    bench.command(Command::SetSipRemote { leg, negotiated: apart, symmetric_from: Some(host) });
    let sent = sent_apart(&mut bench, leg, 500);
    let (destination, ours) = sent.last().unwrap();
    assert_eq!(*destination, SocketAddr::new(host, 4_001), "its media's host, its own port");
    let mapped = SocketAddr::new(host, 61_007);
    bench.worker.handle_rtcp_datagram(bench.now, leg, mapped, &report_about(ours));
    assert!(bench.worker.stats(leg).unwrap().remote.is_some());
    let sent = sent_apart(&mut bench, leg, 500);
    assert!(!sent.is_empty() && sent.iter().all(|(destination, _)| *destination == mapped), "{sent:?}");
}

#[test]
fn d45_a_phone_that_wants_metrics_is_told_how_it_is_heard_and_tells_how_it_hears() {
    let mut bench = Bench::new();
    let leg = bench.phone(1, Codec::Pcmu, 500, ALL);
    let address = bench.phones[&leg].address;
    let wants = Negotiated { rtcp: RtcpPort::Muxed, voip_metrics: true, ..negotiated(address, Codec::Pcmu) };
    bench.command(Command::SetSipRemote { leg, negotiated: wants, symmetric_from: None });
    let mut phone = bench.phones.remove(&leg).unwrap();
    let (mut metrics, mut ours) = (Vec::new(), 0);
    for n in 0..1_000 {
        bench.now += TICK;
        let datagram = phone.speak();
        // Four in a row of every fifty are lost.
        if n % 50 < 46 {
            bench.worker.handle_sip_datagram(bench.now, leg, address, &datagram);
        }
        bench.worker.handle_tick(bench.now);
        while let Some(transmit) = bench.worker.poll_transmit() {
            if is_rtcp(transmit.payload) {
                read(transmit.payload, |item| match item {
                    RtcpItem::Metrics { metrics: told, .. } => metrics.push(told),
                    RtcpItem::Sender { ssrc, .. } => ours = ssrc,
                    RtcpItem::Block { .. } | RtcpItem::Bye { .. } => {}
                })
                .unwrap();
            }
        }
    }
    let told = metrics.last().unwrap();
    assert_eq!((told.ssrc, told.discard_rate, told.gap_density), (5, 0, 0), "{told:?}");
    assert!((18..=23).contains(&told.loss_rate), "8 %: {told:?}");
    assert_eq!((told.burst_ms, told.burst_density), (80, 255), "{told:?}");
    assert!((850..=1_000).contains(&told.gap_ms), "{told:?}");
    assert!(told.r_factor.unwrap() < 80 && told.mos_cq <= told.mos_lq, "{told:?}");
    let stats = bench.worker.stats(leg).unwrap();
    assert!(stats.concealed_seconds >= 18 && stats.severely_concealed_seconds >= 18, "{stats:?}");

    // The phone hears us worse than its plain report says: what it threw away is in its metrics alone.
    let heard = VoipMetrics { ssrc: ours, loss_rate: 0, discard_rate: 51, end_system_ms: 200, ..*told };
    let block = ReportBlock { ssrc: ours, ..ReportBlock::default() };
    let (block, metrics) = (Some(block), Some(heard));
    let report = Report { ssrc: 5, cname: b"phone", sender: None, block, metrics, bye: false };
    let mut datagram = [0; 172];
    let length = report.write(&mut datagram).unwrap();
    bench.worker.handle_sip_datagram(bench.now, leg, address, &datagram[..length]);
    let stats = bench.worker.stats(leg).unwrap();
    assert_eq!(stats.remote_metrics, Some(heard));
    assert!(stats.mos_out.unwrap().0 < 260, "{stats:?}");
}
