//! RTCP and statistics.

use super::*;
use crate::rtcp::{Report, ReportBlock, RtcpItem, is_rtcp, read};

/// Runs `ticks` and collects the RTCP items sent to phone 1, with the tick they came in.
fn reports(bench: &mut Bench, ticks: usize) -> Vec<(usize, RtcpItem)> {
    let mut items = Vec::new();
    for n in 0..ticks {
        bench.now += TICK;
        for (&leg, phone) in &mut bench.phones {
            let datagram = phone.speak();
            bench.worker.handle_sip_datagram(bench.now, leg, phone.address, &datagram);
        }
        bench.worker.handle_tick(bench.now);
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
    let report = Report { ssrc: 5, cname: b"phone", sender: None, block: Some(block), bye: true };
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
