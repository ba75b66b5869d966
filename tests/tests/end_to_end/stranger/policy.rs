//! What is dialled and what is not: the rules, the list, the resolver, by the preview that runs the dial's own code.

use partyline_tests::api::Api;
use partyline_tests::error::LabResult;
use partyline_tests::participant::Participant;
use partyline_tests::voice::Voice;
use serde_json::{Value, json};

use super::{delete, done, get, id, meeting, on_database, post, put, refused, resolve, rows, text};

/// Numbers and texts with the kind of the best match for CALL, and what stands in it.
const TYPED: [(&str, &str, &str, &str); 16] = [
    ("call", "pia", "user", "Pia"),
    ("call", "ÜMA", "user", "Uma"),
    ("call", "101", "extension", "Pia"),
    ("call", "(202) 555-0177", "number", "+12025550177"),
    ("call", "5550177", "number", "+12025550177"),
    ("call", "+1 202 555 0102", "user", "Ari"),
    ("call", "2025550199@collaborate.acme.test", "phone_address", "+12025550199"),
    ("call", "103a", "device", "Uma"),
    ("call", "911", "refused", "emergency"),
    ("call", "urn:service:sos", "refused", "emergency"),
    ("call", "199", "refused", "no_such_extension"),
    ("call", "zzzz", "unknown", ""),
    ("people", "guest@else.test", "email", "guest@else.test"),
    ("invite", "uma@acme.test", "user", "Uma"),
    ("people", "zed@zeta.test", "email", "zed@zeta.test"),
    ("people", "+1 (202) 555-0188", "number", "+12025550188"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a38_a50_i30_i31_i32_i88_what_a_text_means_by_the_api() {
    on_database(async |stage| {
        let (hana, _) = stage.login("hana").await?;
        let mut wrong = Vec::new();
        for (purpose, typed, kind, what) in TYPED {
            let found = resolve(&hana, purpose, typed).await?;
            if found["kind"] != kind || !found.to_string().contains(what) {
                wrong.push(format!("{purpose} {typed}: {found}"));
            }
        }
        assert!(wrong.is_empty(), "I30:\n{}", wrong.join("\n"));
        let shown = resolve(&hana, "call", "(202) 555-0177").await?;
        assert_eq!(shown["display"], "+1 202 555 0177", "A50: shown back before dialling");
        let number = resolve(&hana, "invite", "+1 202 555 0177").await?;
        assert!(text(&number["mend"]).contains("CALL"), "A38: {number}");
        let dance = post(&hana, "/v1/resolve", json!({"purpose": "dance", "texts": ["x"]})).await?;
        refused(&dance, 422, Some("purpose"));
        // Unknown and wrong read the same, from a login too.
        let mut words = Vec::new();
        for (login, password) in [("nobody", "hana-demo"), ("hana", "wrong"), ("zed@zeta.test", "wrong")] {
            let answer = post(&stage.api, "/v1/login", json!({"login": login, "password": password})).await?;
            words.push((answer.status, answer.body["detail"].clone(), answer.body["mend"].clone()));
        }
        assert!(words.iter().all(|one| *one == words[0] && one.0 == 401), "I88: {words:?}");
        Ok(())
    })
    .await;
}

async fn check(api: &Api, meeting: &str, target: Value) -> LabResult<Value> {
    let path = format!("/v1/meetings/{meeting}/calls/check");
    Ok(done(api, "POST", &path, json!({"targets": [target]})).await?["calls"][0].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d34_i31_i33_i36_i37_i40_i41_i42_i43_i44_i47_rules_lists_and_their_reasons() {
    on_database(async |stage| {
        let (hana, me) = stage.login("hana").await?;
        let (tia, _) = stage.login("tia").await?;
        let made = meeting(&hana, "Rules", "conference").await?;
        let host = Participant::join(&hana, &id(&made), Voice::silent()).await?;
        let number = async |number: &str| check(&hana, &id(&made), json!({"number": number})).await;
        let policy = async |policy: Value| done(&tia, "PUT", "/v1/dial-policy", policy).await;

        for (typed, reason) in [
            ("911", "emergency"),
            ("tel:+1911", "emergency"),
            ("199", "no_such_extension"),
            ("+44 20 7946 0958", "destination_denied"),
            ("+1 900 555 0123", "destination_denied"),
            ("+870 773 111 632", "destination_denied"),
            ("+1 876 555 0123", "destination_denied"),
        ] {
            let answer = number(typed).await?;
            assert_eq!(
                (&answer["state"], &answer["reason"]),
                (&json!("refused"), &json!(reason)),
                "I31, I40, I41: {typed}: {answer}"
            );
            assert!(!text(&answer["detail"]).is_empty() && !text(&answer["mend"]).is_empty(), "{answer}");
        }
        policy(json!({"allowed_countries": ["GB"], "ask_new_country": false})).await?;
        assert_eq!(number("+44 20 7946 0958").await?["verdict"], "allow", "I41");
        policy(json!({"rules": [{"prefix": "+1202555018", "action": "deny"}]})).await?;
        assert_eq!(number("+12025550180").await?["state"], "refused", "I41: a prefix");
        assert_eq!(number("+12025550170").await?["verdict"], "allow");
        refused(
            &put(&tia, "/v1/dial-policy", json!({"allowed_countries": ["Atlantis"]})).await?,
            422,
            Some("allowed_countries"),
        );
        for login in ["hana", "sam", "gus"] {
            let (other, _) = stage.login(login).await?;
            refused(&put(&other, "/v1/dial-policy", json!({})).await?, 403, None);
        }

        // Quiet hours by the clock there, whatever the hour is here: all day but one minute.
        policy(json!({"quiet_hours": {"from": "00:01", "until": "00:00"}})).await?;
        let asked = number("5550177").await?;
        assert_eq!(
            (&asked["verdict"], &asked["confirm"]),
            (&json!("confirm"), &json!(["quiet_hours"])),
            "I44: {asked}"
        );
        let confirmed = json!({"number": "5550177", "confirm": ["quiet_hours"]});
        assert_eq!(check(&hana, &id(&made), confirmed).await?["verdict"], "allow", "I44");
        policy(json!({})).await?;

        // The do-not-call list.
        done(&tia, "POST", "/v1/blocked-numbers", json!({"number": "555-0177", "reason": "Asked by letter"}))
            .await?;
        let answer = number("5550177").await?;
        assert_eq!(
            (&answer["reason"], &answer["rule"]),
            (&json!("do_not_call"), &json!("do_not_call")),
            "I42"
        );
        assert_eq!(delete(&tia, "/v1/blocked-numbers/+12025550177").await?, 204);
        assert_eq!(number("5550177").await?["verdict"], "allow");

        // A number of the house rings inside; who has no device is offered by number.
        let lou = json!({"first": "Lou", "email": "lou@acme.test", "role": "user", "phone": "+12025550143"});
        let lou = id(&done(&tia, "POST", "/v1/users", lou).await?["user"]);
        let nobody = check(&hana, &id(&made), json!({"user": lou})).await?;
        assert_eq!(nobody["reason"], "not_registered", "I37: {nobody}");
        assert!(text(&nobody["mend"]).contains("+1 202 555 0143"), "I37: {nobody}");
        let phone = stage.registered_phone("103a", partyline_tests::tone::UMA).await?;
        let inside = number("+1 202 555 0103").await?;
        assert_eq!((&inside["device"], &inside["number"]), (&json!("103a"), &Value::Null), "I33: {inside}");
        assert_eq!(number("103").await?["device"], "103a", "I31: an extension");
        let (umas, uma) = stage.login("uma").await?;
        let browser = json!({"people": [{"user": uma.id}]});
        done(&hana, "POST", &format!("/v1/meetings/{}/people", id(&made)), browser).await?;
        let browser = Participant::join(&umas, &id(&made), Voice::silent()).await?;
        let again = check(&hana, &id(&made), json!({"user": uma.id, "device": "103a"})).await?;
        assert_eq!(again["reason"], "already_in", "I36: {again}");
        drop(browser);

        // Only what is verified and one's own, or the tenant's, is shown as caller ID.
        let own = format!("/v1/users/{}/caller-id", me.id);
        done(&tia, "POST", "/v1/numbers", json!({"number": "+12025550160", "label": "Not verified"})).await?;
        for not_owned in ["+12025550160", "+12025550101", "+12125550123"] {
            let answer = put(&hana, &own, json!({"number": not_owned})).await?;
            refused(&answer, 422, Some("number"));
            assert_eq!(answer.body["reason"], "caller_id_not_owned", "D34: {not_owned}");
        }
        done(
            &tia,
            "POST",
            "/v1/numbers",
            json!({"number": "+12025550163", "verified": true, "attestation": "A"}),
        )
        .await?;
        done(&hana, "PUT", &own, json!({"number": "+12025550163"})).await?;
        let shown = number("5550177").await?;
        assert_eq!(shown["caller_id"]["attestation"], "A", "D34: {shown}");
        done(&tia, "PATCH", "/v1/numbers/+12025550163", json!({"verified": false})).await?;
        assert_eq!(number("5550177").await?["reason"], "caller_id_not_owned", "D34: at call time too");
        done(&hana, "PUT", &own, json!({"number": "+12025550100"})).await?;

        // Off is off for everybody.
        policy(json!({"mode": "off"})).await?;
        for place in ["calls", "calls/check"] {
            let path = format!("/v1/meetings/{}/{place}", id(&made));
            let answer = post(&hana, &path, json!({"targets": [{"number": "5550177"}]})).await?;
            assert_eq!((answer.status, answer.body["reason"].as_str()), (403, Some("dial_out_off")), "I47");
        }
        assert_eq!(get(&hana, "/v1/me/dial-out").await?["allowed"], false, "I47");
        policy(json!({"limits": {"host_per_minute": 2}})).await?;
        let path = format!("/v1/meetings/{}/calls", id(&made));
        let many: Vec<Value> = (0..4).map(|n| json!({"number": format!("+1202555014{n}")})).collect();
        let calls = done(&hana, "POST", &path, json!({"targets": many})).await?;
        let reasons: Vec<&Value> = rows(&calls["calls"]).iter().map(|call| &call["rule"]).collect();
        assert_eq!(reasons[2..], [&json!("host_per_minute"); 2], "I43: {calls}");
        assert_eq!(phone.counts().invites, 0, "a check dials nothing");
        drop(host);
        Ok(())
    })
    .await;
}
