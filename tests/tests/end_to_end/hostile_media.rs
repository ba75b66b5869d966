//! A stranger at the media ports, on real sockets: what he sends is never heard, attracts no media and is not answered, and
//! a port stays bound for a while after its call.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use partyline_tests::api::CallTarget;
use partyline_tests::g711::Codec;
use partyline_tests::rtp_leg::RtpLeg;
use partyline_tests::tone::{self, Generator, SPEAKING_DBFS};
use partyline_tests::voice::Voice;
use tokio::net::UdpSocket;

use crate::support::{LONG, call_and_join, on_stage};

/// The victim's next packet, with the stranger's voice in it.
fn forged(victim: &RtpLeg, ahead: u16, voice: &mut Generator) -> Vec<u8> {
    let (number, timestamp, ssrc) = *partyline_tests::shared::lock(&victim.counters.last);
    let mut packet = vec![0x80, 0];
    packet.extend(number.wrapping_add(ahead).to_be_bytes());
    packet.extend(timestamp.wrapping_add(u32::from(ahead) * 160).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend((0..160).map(|_| Codec::Pcmu.encode(voice.next_sample(8_000))));
    packet
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m1_m2_m5_m6_a_stranger_at_the_media_ports() {
    on_stage(async |stage| {
        let uma = stage.registered_phone("103a", tone::UMA).await?;
        let room = stage.room("hana", "conference", Voice::steady(tone::HANA)).await?;
        let user = room.api.user("uma").await?;
        let id = call_and_join(&room, CallTarget::device(&user.id, "103a", "presenter")).await?;
        let call = uma.wait_incoming(0, LONG).await?;
        let joined = Instant::now();
        assert!(room.host.ear().wait_for(tone::UMA, joined, LONG).await.is_some());
        assert!(call.leg.ear.wait_for(tone::HANA, joined, LONG).await.is_some());
        let port = call.leg.remote().expect("connected").address;
        // On loopback the stranger shares the victim's host: the hardest case, for a phone whose port may be learned.
        let stranger = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let mut voice = Generator::new(tone::OUTSIDE, SPEAKING_DBFS);
        let began = Instant::now();
        for n in 0..150_u32 {
            let mut packets = vec![forged(&call.leg, 1, &mut voice)];
            let mut other = packets[0].clone();
            other[8..12].copy_from_slice(&n.to_be_bytes());
            packets.push(other);
            packets.push(vec![0x80, 101, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9, 1, 0x8A, 3, 0x20]);
            packets.push((0..n * 7).map(|byte| (byte ^ n).to_be_bytes()[3]).collect());
            packets.push(vec![n.to_be_bytes()[3]; 28]);
            for packet in packets {
                let _ = stranger.send_to(&packet, port).await;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let mut answer = [0; 2_000];
        let answered = tokio::time::timeout(Duration::from_millis(200), stranger.recv(&mut answer)).await;
        assert!(answered.is_err(), "the stranger was answered");
        let heard = room.host.ear().heard_since(began);
        assert!(
            heard.iter().all(|heard| heard.hz != tone::OUTSIDE),
            "the stranger in the meeting: {heard:?}"
        );
        let whole = |hz: u32| heard.iter().find(|heard| heard.hz == hz).map(|heard| heard.duration);
        assert!(whole(tone::UMA) > Some(Duration::from_millis(1_400)), "the victim is whole: {heard:?}");
        let back = call.leg.ear.tones_since(began, Duration::from_millis(1_400));
        assert_eq!(back, [tone::HANA], "what the victim hears");
        // Hung up: nobody else may have the port for five seconds, and late packets of the call reach nobody.
        room.api.end_call(&id).await?;
        room.host.events.wait_call(&id, &["ended"], LONG).await?;
        let ended = Instant::now();
        let mut taken = 0;
        while ended.elapsed() < Duration::from_secs(4) {
            taken += u32::from(std::net::UdpSocket::bind(port).is_err());
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        assert!(taken >= 8, "the port of the call was free within five seconds: {taken}");
        wait_free(port).await;
        Ok(())
    })
    .await;
}

/// None is left open either.
async fn wait_free(port: SocketAddr) {
    let deadline = Instant::now() + LONG;
    while std::net::UdpSocket::bind(port).is_err() {
        assert!(Instant::now() < deadline, "the port was never given back");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
