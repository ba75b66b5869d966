//! Kamailio as the edge: phones know only the edge, register through it (Path), are called through it and call in through it
//! (Record-Route). Its configuration is the one in `configs`.

use partyline_tests::baresip::{Baresip, BaresipConfig};
use partyline_tests::kamailio::Kamailio;
use partyline_tests::linphone::{Linphone, LinphoneConfig};
use partyline_tests::stage::StageConfig;
use partyline_tests::tone;
use partyline_tests::voice::Voice;

use crate::interop::{Desk, RealPhone, call_all, heard, hold_resume_and_press, transfer_to_colleague};
use crate::support::{LONG, eventually, on_stage_with};
use crate::transports::free_port;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rfc_3327_d12_phones_behind_kamailio_are_called_call_in_hold_and_transfer() {
    let behind_edge = |config: StageConfig| config.set("edges", "[\"127.0.0.1/32\"]");
    on_stage_with(behind_edge, async |stage| {
        let listen = free_port();
        let kamailio = Kamailio::start(listen, stage.sip()?).await?;
        let udp = BaresipConfig::new("103a", listen, tone::UMA);
        let tcp = LinphoneConfig {
            transport: "tcp",
            ..LinphoneConfig::new("102a", listen, tone::BYSTANDER, "none")
        };
        let baresip = RealPhone::Baresip(Baresip::start(&udp).await?);
        let linphone = RealPhone::Linphone(Linphone::start(&tcp).await?);
        let mut desks = vec![
            Desk { login: "uma", device: "103a", tone: tone::UMA, phone: baresip },
            Desk { login: "ari", device: "102a", tone: tone::BYSTANDER, phone: linphone },
        ];
        let room = stage.room("hana", "conference", Voice::steady(tone::HANA)).await?;
        call_all(&room, &desks).await?;
        let (admin, _) = stage.login("tia").await?;
        for device in ["103a", "102a"] {
            let device = admin.send("GET", &format!("/v1/devices/{device}"), &[], None).await?.body;
            assert_eq!(device["registrations"][0]["source"], listen.to_string(), "{device}");
        }
        hold_resume_and_press(&room, &mut desks).await?;
        let calls = BaresipConfig {
            calls: Some(room.meeting.number.clone()),
            ..BaresipConfig::new("101a", listen, tone::PIA)
        };
        let caller = RealPhone::Baresip(Baresip::start(&calls).await?);
        desks.push(Desk { login: "pia", device: "101a", tone: tone::PIA, phone: caller });
        heard(&room, &desks, "behind the edge").await;
        transfer_to_colleague(stage, &room, &mut desks[0]).await?;
        // BYE of ours finds its way to both.
        room.api.end_meeting(&room.meeting.id).await?;
        for (desk, words) in [(&desks[1], "ended (No error)"), (&desks[2], "session closed")] {
            let what = format!("{} to be hung up by {words:?}", desk.device);
            eventually(&what, LONG, async || desk.phone.words().contains(words)).await;
        }
        drop(kamailio);
        Ok(())
    })
    .await;
}
