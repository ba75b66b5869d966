//! Coming in: by shared and personal links, by passcode, past lobby and lock.

use std::time::{Duration, Instant};

use partyline_tests::participant::Participant;
use partyline_tests::voice::Voice;
use serde_json::{Value, json};

use super::{
    delete, done, get, id, join_path, meeting, on_database, patch, person, post, refused, rows, text, user,
};
use crate::support::{LONG, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a36_a37_i06_i19_i22_i74_i77_links_and_who_comes_by_them() {
    on_database(async |stage| {
        let (hana, _) = stage.login("hana").await?;
        let (pia, _) = stage.login("pia").await?;
        let made = meeting(&hana, "Links", "conference").await?;
        let path = format!("/v1/meetings/{}", id(&made));
        let shared = join_path(&made["link"]);
        assert!(get(&stage.api, &shared).await?["person"].is_null());
        refused(&post(&stage.api, &shared, json!({})).await?, 422, Some("name"));

        // The same link twice: two people, both with the default role, both shown as guests.
        let (kim, first) = stage.api.join(text(&made["link"]), Some("Kim")).await?;
        let (_, second) = stage.api.join(text(&made["link"]), Some("Hana Horvat")).await?;
        assert_ne!(first.person.id, second.person.id, "A36");
        for (one, name) in [(&first, "Kim (guest)"), (&second, "Hana Horvat (guest)")] {
            assert_eq!(
                (one.person.role.as_str(), one.person.display_name.as_str()),
                ("attendee", name),
                "A36, I22, I77"
            );
        }
        let host = Participant::join(&hana, &id(&made), Voice::silent()).await?;
        let guest = Participant::join(&kim, &id(&made), Voice::silent()).await?;
        let texts = json!({"purpose": "invite", "texts": ["pia", "uma"], "meeting": id(&made)});
        let _inside = Participant::join(&pia, &id(&made), Voice::silent()).await?;
        let offered = done(&hana, "POST", "/v1/resolve", texts).await?;
        let seen = |n: usize| offered["results"][n]["matches"][0]["in_meeting"].clone();
        assert_eq!((seen(0), seen(1)), (json!("present"), Value::Null), "A37");

        // A guest reaches this meeting and nothing else.
        let other = meeting(&hana, "Other", "conference").await?;
        refused(&kim.send("GET", &format!("/v1/meetings/{}", id(&other)), &[], None).await?, 404, None);
        for closed in ["/v1/me", "/v1/users", "/v1/meetings"] {
            refused(&kim.send("GET", closed, &[], None).await?, 403, None);
        }
        assert!(get(&kim, &format!("{path}/people")).await?["people"].is_array());

        // Removed: out, and out by the personal link too, until invited again.
        let ari = person(&made, "Ari");
        let personal = join_path(&ari["link"]);
        assert_eq!(delete(&hana, &format!("{path}/people/{}", id(ari))).await?, 204);
        let (arne, _) = stage.login("ari").await?;
        refused(&arne.send("GET", &path, &[], None).await?, 404, None);
        refused(&post(&stage.api, &personal, json!({})).await?, 403, None);
        let offer = json!({"sdp": "v=0\r\n"});
        refused(&post(&arne, &format!("{path}/webrtc/offer"), offer).await?, 404, None);
        done(
            &hana,
            "POST",
            &format!("{path}/people"),
            json!({"people": [{"user": user(&hana, "ari").await?}]}),
        )
        .await?;
        assert_eq!(post(&stage.api, &personal, json!({})).await?.status, 200, "I74: invited again");
        drop((host, guest));

        // A passcode for the shared link; none for a personal one. Then the list alone.
        let settings = json!({"guest_pin": "4816", "settings": {"join_needs_passcode": true}});
        done(&hana, "PATCH", &path, settings).await?;
        for wrong in [json!({"name": "Lee"}), json!({"name": "Lee", "passcode": "9999"})] {
            refused(&post(&stage.api, &shared, wrong).await?, 403, Some("passcode"));
        }
        let right = json!({"name": "Lee", "passcode": "4816"});
        assert_eq!(post(&stage.api, &shared, right.clone()).await?.status, 200, "I06");
        assert_eq!(post(&stage.api, &personal, json!({})).await?.status, 200);
        done(&hana, "PATCH", &path, json!({"settings": {"join_needs_invitation": true}})).await?;
        refused(&post(&stage.api, &shared, right).await?, 403, None);
        assert_eq!(post(&stage.api, &personal, json!({})).await?.status, 200, "I06");

        // Over, and opened again.
        done(&hana, "POST", &format!("{path}/end?complete=true"), json!({})).await?;
        let over =
            Participant::join(&pia, &id(&made), Voice::silent()).await.err().map(|error| error.to_string());
        assert!(over.is_some_and(|words| words.contains("409")), "I01: nobody joins what is over");
        done(&hana, "POST", &format!("{path}/start"), json!({})).await?;
        assert_eq!(delete(&hana, &path).await?, 204);
        let late = stage.api.send("GET", &personal, &[], None).await?;
        assert!((400..500).contains(&late.status), "I19: {}", late.body);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i06_i08_settings_that_bind_who_comes() {
    on_database(async |stage| {
        let (hana, _) = stage.login("hana").await?;
        let (pia, _) = stage.login("pia").await?;
        let (ari, _) = stage.login("ari").await?;
        let made = meeting(&hana, "Settings", "conference").await?;
        let path = format!("/v1/meetings/{}", id(&made));
        let settings = async |change: Value| patch(&hana, &path, json!({"settings": change})).await;

        // No more people than that.
        settings(json!({"max_participants": 2})).await?;
        let _host = Participant::join(&hana, &id(&made), Voice::silent()).await?;
        let presenter = Participant::join(&pia, &id(&made), Voice::silent()).await?;
        let full = Participant::join(&ari, &id(&made), Voice::silent()).await.err().map(|error| error.to_string());
        assert!(full.is_some_and(|words| words.contains("full")), "I06: no more people than that");
        settings(json!({"max_participants": null})).await?;

        // Locked: nobody but Hosts and whom they call.
        done(&hana, "POST", &format!("{path}/lock"), json!({})).await?;
        assert_eq!(get(&hana, &path).await?["locked"], true);
        let locked = Participant::join(&ari, &id(&made), Voice::silent()).await.err().map(|error| error.to_string());
        assert!(locked.is_some_and(|words| words.contains("locked")), "I08");
        done(&hana, "POST", &format!("{path}/unlock"), json!({})).await?;

        // The list, hidden from Attendees.
        settings(json!({"hide_attendee_list": true})).await?;
        let uma = json!({"people": [{"user": user(&hana, "uma").await?}]});
        done(&hana, "POST", &format!("{path}/people"), uma).await?;
        for (client, count) in [(&hana, 4), (&pia, 4), (&ari, 3)] {
            let seen = get(client, &format!("{path}/people")).await?;
            assert_eq!(rows(&seen["people"]).len(), count, "I06: {seen}");
        }

        // Who changes settings; what is kept for the page.
        let kept = json!({"chat": false, "questions": true, "recording": true, "layout": "spotlight", "chat_history": false});
        let shown = settings(kept.clone()).await?.body["settings"].clone();
        for (name, value) in kept.as_object().unwrap() {
            assert_eq!(&shown[name], value, "I06: {name}");
        }
        let lobby = || json!({"settings": {"lobby": true}});
        refused(&patch(&pia, &path, lobby()).await?, 403, None);
        done(&hana, "PATCH", &format!("{path}/people/{}", presenter.person), json!({"role": "host"})).await?;
        assert_eq!(patch(&pia, &path, lobby()).await?.body["settings"]["lobby"], true);
        settings(json!({"hosts_may_change_settings": false})).await?;
        refused(&patch(&pia, &path, lobby()).await?, 403, None);
        for (wrong, field) in [
            (json!({"colour": "red"}), "settings.colour"),
            (json!({"lobby": "yes"}), "settings.lobby"),
            (json!({"max_participants": 0}), "settings.max_participants"),
            (json!({"send_audio": "everybody and his dog"}), "settings.send_audio"),
        ] {
            refused(&settings(wrong).await?, 422, Some(field));
        }
        let waiting = Participant::join(&ari, &id(&made), Voice::silent()).await?;
        let row = get(&hana, &path).await?;
        assert_eq!(person(&row, "Ari")["waiting"], true, "I06: the lobby");
        done(&hana, "POST", &format!("{path}/people/{}/admit", waiting.person), json!({})).await?;
        assert_eq!(person(&get(&hana, &path).await?, "Ari")["present"], true);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i15_i57_numbers_are_no_sequence_passcodes_end_and_chimes_are_a_setting() {
    on_database(async |stage| {
        let (hana, _) = stage.login("hana").await?;
        let mut numbers = Vec::new();
        for _ in 0..6 {
            let made = done(&hana, "POST", "/v1/meetings", json!({"title": "Number"})).await?;
            numbers.push(text(&made["number"]).parse::<i64>().unwrap());
        }
        let near = numbers.windows(2).filter(|pair| (pair[0] - pair[1]).abs() < 1000).count();
        assert!(near < 2, "I15: {numbers:?}");

        // Whoever tries passcodes is not listened to any more, not even with the right one.
        let body = json!({"title": "Code", "guest_pin": "4816", "settings": {"join_needs_passcode": true, "chimes": false}});
        let made = done(&hana, "POST", "/v1/meetings", body).await?;
        let shared = join_path(&made["link"]);
        let mut answers = Vec::new();
        for _ in 0..30 {
            let wrong = json!({"name": "Lee", "passcode": "9999"});
            answers.push(post(&stage.api, &shared, wrong).await?.status);
        }
        assert!(answers.starts_with(&[403]) && answers.ends_with(&[429]), "I15: {answers:?}");
        let right = post(&stage.api, &shared, json!({"name": "Lee", "passcode": "4816"})).await?;
        refused(&right, 429, None);

        // Somebody comes: nothing is heard; with the setting on, a chime.
        let path = format!("/v1/meetings/{}", id(&made));
        let people = json!({"people": [{"user": user(&hana, "pia").await?}, {"user": user(&hana, "ari").await?}]});
        done(&hana, "POST", &format!("{path}/people"), people).await?;
        let host = Participant::join(&hana, &id(&made), Voice::silent()).await?;
        let mut inside = Vec::new();
        for (chimes, login) in [(false, "pia"), (true, "ari")] {
            done(&hana, "PATCH", &path, json!({"settings": {"chimes": chimes}})).await?;
            let begun = Instant::now();
            let (guest, _) = stage.login(login).await?;
            inside.push(Participant::join(&guest, &id(&made), Voice::silent()).await?);
            let heard = || host.ear().peak_since(begun) > 500;
            match chimes {
                true => eventually("the chime", LONG, async || heard()).await,
                false => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    assert!(!heard(), "I57: no chime without the setting");
                }
            }
        }
        Ok(())
    })
    .await;
}
