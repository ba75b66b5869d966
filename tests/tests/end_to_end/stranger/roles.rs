//! Roles in force: who may do what by the API, and who is heard.

use std::time::{Duration, Instant};

use partyline_tests::participant::Participant;
use partyline_tests::tone;
use partyline_tests::voice::Voice;
use serde_json::json;

use super::{done, get, id, meeting, on_database, person, post, refused, text, user};
use crate::support::LONG;

/// Each "no" of the table in mission 3.6, by the API.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a32_i60_i70_every_no_of_the_table_of_roles() {
    on_database(async |stage| {
        let (hana, _) = stage.login("hana").await?;
        let people = json!([
            {"user": user(&hana, "pia").await?, "role": "presenter"}, {"user": user(&hana, "ari").await?},
            {"user": user(&hana, "uma").await?, "role": "presenter", "access": "view_only"},
            {"email": "kim@else.test", "name": "Kim"}, {"number": "+1 202 555 0177", "name": "Lou"},
        ]);
        for kind in ["conference", "presentation"] {
            let made =
                done(&hana, "POST", "/v1/meetings", json!({"title": kind, "type": kind, "people": people}))
                    .await?;
            let path = format!("/v1/meetings/{}", id(&made));
            let target = format!("{path}/people/{}", id(person(&made, "Ari")));
            let acts = [
                ("POST", format!("{path}/lock"), json!({})),
                ("POST", format!("{path}/unlock"), json!({})),
                ("POST", format!("{path}/mute-all"), json!({})),
                ("POST", format!("{path}/unmute-all"), json!({})),
                ("POST", format!("{path}/admit-all"), json!({})),
                ("POST", format!("{target}/admit"), json!({})),
                ("POST", format!("{target}/deny"), json!({})),
                ("PATCH", target.clone(), json!({"role": "presenter"})),
                ("PATCH", target.clone(), json!({"may_speak": true})),
                ("PATCH", path.clone(), json!({"settings": {"chat": false}})),
                ("POST", format!("{path}/start"), json!({})),
                ("POST", format!("{path}/people"), json!({"people": [{"email": "lee@else.test"}]})),
                ("POST", format!("{path}/invitations"), json!({"targets": [{"email": "lee@else.test"}]})),
                ("POST", format!("{path}/calls/check"), json!({"targets": [{"number": "+12025550177"}]})),
                ("POST", format!("{path}/calls"), json!({"targets": [{"number": "+12025550177"}]})),
                ("POST", format!("{path}/end"), json!({})),
                ("PUT", format!("{path}/owner"), json!({"user": "u"})),
                ("DELETE", path.clone(), json!({})),
            ];
            let (guest, _) = stage.api.join(text(&person(&made, "Kim")["link"]), None).await?;
            for (who, client) in [
                ("a Presenter", stage.login("pia").await?.0),
                ("an Attendee", stage.login("ari").await?.0),
                ("a VIEW ONLY", stage.login("uma").await?.0),
                ("a guest", guest),
            ] {
                for (method, place, body) in &acts {
                    let answer = client.send(method, place, &[], Some(body.clone())).await?;
                    assert_eq!(
                        answer.status, 403,
                        "I70: {who} of a {kind}: {method} {place}: {}",
                        answer.body
                    );
                }
                let seen = get(&client, &path).await?;
                let shown = person(&seen, "Lou");
                assert!(text(&shown["number"]).ends_with("0177"), "I60: {shown}");
                let words = seen.to_string();
                assert!(!words.contains("202555") && !words.contains("kim@else.test"), "I60: {who}: {words}");
                let muted =
                    post(&client, &format!("{path}/people/{}/mute", id(person(&made, "Hana"))), json!({}))
                        .await?;
                refused(&muted, 403, None);
            }
            let (zed, _) = stage.login("zed").await?;
            for (method, place, body) in &acts {
                let answer = zed.send(method, place, &[], Some(body.clone())).await?;
                assert_eq!(answer.status, 404, "D61: {method} {place}: {}", answer.body);
            }
            assert!(get(&hana, &path).await?.to_string().contains("+12025550177"), "I60: Hosts see all");
        }
        Ok(())
    })
    .await;
}

/// Who of Host, Presenter and Attendee is heard in each setting, changed while they speak.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i02_i03_i71_i75_who_may_send_sound_is_changed_live() {
    on_database(async |stage| {
        let (hana, _) = stage.login("hana").await?;
        let (tia, _) = stage.login("tia").await?;
        let made = meeting(&hana, "Sound", "conference").await?;
        let path = format!("/v1/meetings/{}", id(&made));
        done(
            &hana,
            "POST",
            &format!("{path}/people"),
            json!({"people": [{"user": user(&hana, "tia").await?}]}),
        )
        .await?;
        let host = Participant::join(&hana, &id(&made), Voice::steady(tone::HANA)).await?;
        let listener = Participant::join(&tia, &id(&made), Voice::silent()).await?;
        let presenter =
            Participant::join(&stage.login("pia").await?.0, &id(&made), Voice::steady(tone::PIA)).await?;
        let attendee =
            Participant::join(&stage.login("ari").await?.0, &id(&made), Voice::steady(tone::GUEST)).await?;
        let ear = listener.ear();
        let heard = async |what: &str, tones: [bool; 3]| {
            // What was on its way still arrives.
            tokio::time::sleep(Duration::from_millis(400)).await;
            let begun = Instant::now();
            for (hz, wanted) in [tone::HANA, tone::PIA, tone::GUEST].into_iter().zip(tones) {
                if wanted {
                    assert!(ear.wait_for(hz, begun, LONG).await.is_some(), "{what}: {hz} Hz is not heard");
                }
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
            for (hz, wanted) in [tone::HANA, tone::PIA, tone::GUEST].into_iter().zip(tones) {
                let level = ear.faintest_trace(hz, begun);
                assert!(wanted || level < tone::SILENT_DBFS, "{what}: {hz} Hz at {level} dB");
            }
        };
        heard("everyone", [true, true, true]).await;
        let senders =
            async |who: &str| done(&hana, "PATCH", &path, json!({"settings": {"send_audio": who}})).await;
        senders("presenters").await?;
        heard("presenters", [true, true, false]).await;
        senders("host").await?;
        heard("host", [true, false, false]).await;
        senders("everyone").await?;
        heard("everyone again", [true, true, true]).await;

        // A presentation: an Attendee is heard as a Presenter, and the others see the role.
        done(&hana, "PATCH", &path, json!({"type": "presentation"})).await?;
        heard("presentation", [true, true, false]).await;
        let row = format!("{path}/people/{}", attendee.person);
        done(&hana, "PATCH", &row, json!({"role": "presenter"})).await?;
        for (who, events) in [("the person", &attendee.events), ("everybody", &listener.events)] {
            let told = events.wait("the new role", LONG, |event| event.kind == "person.role_changed").await?;
            assert_eq!(told.data["person"]["role"], "presenter", "I71: {who} is told: {}", told.data);
        }
        heard("as Presenter", [true, true, true]).await;

        // Muted by the Host and by oneself are two flags.
        done(&hana, "POST", &format!("{row}/mute"), json!({})).await?;
        let (ari, _) = stage.login("ari").await?;
        done(&ari, "POST", &format!("{row}/mute"), json!({})).await?;
        let flags = async || {
            let row = person(&get(&hana, &path).await?, "Ari").clone();
            partyline_tests::error::LabResult::Ok((
                row["muted_by_host"].clone(),
                row["muted_by_self"].clone(),
            ))
        };
        assert_eq!(flags().await?, (json!(true), json!(true)), "I75");
        heard("muted", [true, true, false]).await;
        done(&hana, "POST", &format!("{row}/unmute"), json!({})).await?;
        assert_eq!(flags().await?.1, json!(true), "I75: the Host unmutes nobody who muted themselves");
        done(&ari, "POST", &format!("{row}/unmute"), json!({})).await?;
        heard("unmuted", [true, true, true]).await;
        drop((host, presenter));
        Ok(())
    })
    .await;
}
