//! Users of a tenant: added one by one or by file, enrolled, given roles; what each role reaches; keys for machines.

use partyline_tests::api::Api;
use partyline_tests::error::LabResult;
use serde_json::{Value, json};

use super::{delete, done, get, id, meeting, on_database, patch, post, put, refused, rows, text, user};

/// The last part of a link.
fn token(link: &Value) -> String {
    text(&link["link"]).rsplit('/').next().unwrap().to_owned()
}

async fn upload(api: &Api, file: &[u8]) -> LabResult<Value> {
    let kind = [("content-type", "text/csv; charset=utf-8")];
    let answer = api.send_bytes("POST", "/v1/users/upload", &kind, file.to_vec()).await?;
    assert_eq!(answer.status, 200, "{}", answer.body);
    Ok(answer.body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i80_i81_i83_i93_users_one_by_one_and_by_file() {
    on_database(async |stage| {
        let (tia, _) = stage.login("tia").await?;
        let (hana, _) = stage.login("hana").await?;
        let template = tia.send("GET", "/v1/users/template.csv", &[], None).await?;
        assert_eq!(text(&template.body), "First name,Last name,E-mail,Role,ID,Extension\r\n", "I81");
        let mut file = text(&template.body).as_bytes().to_vec();
        file.extend_from_slice(
            b"Nia,North,nia@acme.test,User,,120\r\n\
              Bad,Role,bad@acme.test,Session Admin,,\r\n\
              Dup,Mail,pia@acme.test,User,,\r\n\
              Emer,Gency,help@acme.test,User,,911\r\n\
              \"Two\r\nlines\",X,lines@acme.test,User,,\r\n\
              =1+1,'=cmd,formula@acme.test,Guest,'@SUM(1),\r\n\
              Tom,Admin,tom@acme.test,TenantAdmin,T1,\r\n",
        );
        let report = upload(&tia, &file).await?;
        assert_eq!((&report["created"], &report["failed"]), (&json!(3), &json!(4)), "I81: {report}");
        let failed: Vec<(u64, &str)> = rows(&report["rows"])
            .iter()
            .filter(|row| row["status"] == "failed")
            .map(|row| (row["line"].as_u64().unwrap(), text(&row["field"])))
            .collect();
        assert_eq!(failed, [(3, "role"), (4, "email"), (5, "extension"), (6, "first")], "I81: by line");
        let shown = get(&tia, "/v1/users?view=accounts&query=formula").await?;
        assert_eq!(shown["users"][0]["account"]["first"], "=1+1", "I90: text stays text: {shown}");
        let refused_file = hana.send_bytes("POST", "/v1/users/upload", &[("content-type", "text/csv")], file).await?;
        refused(&refused_file, 403, None);

        // Enabled and enrolled are two facts.
        let nel = json!({"first": "Nel", "last": "New", "email": "nel@acme.test", "role": "user", "extension": "121", "id": "S-7"});
        let created = done(&tia, "POST", "/v1/users", nel.clone()).await?;
        let account = |shown: &Value| (shown["account"]["enabled"].clone(), shown["account"]["enrolled"].clone());
        assert_eq!(account(&created["user"]), (json!(true), json!(false)), "I83");
        let own = format!("/v1/users/{}", id(&created["user"]));
        let renewed = done(&tia, "POST", &format!("{own}/enrol-link"), json!({})).await?;
        let (old, new) = (token(&created["enrol"]), token(&renewed));
        refused(&stage.api.send("GET", &format!("/v1/enrol/{old}"), &[], None).await?, 404, None);
        for weak in ["short", "nel@acme.test", "aaaaaaaaaaaa"] {
            let answer = post(&stage.api, &format!("/v1/enrol/{new}"), json!({"password": weak})).await?;
            refused(&answer, 422, Some("password"));
        }
        let good = json!({"password": "correct horse battery"});
        assert_eq!(post(&stage.api, &format!("/v1/enrol/{new}"), good.clone()).await?.status, 204);
        refused(&post(&stage.api, &format!("/v1/enrol/{new}"), good).await?, 404, None);
        assert_eq!(account(&get(&tia, &own).await?), (json!(true), json!(true)), "I83");
        stage.api.login("NEL@acme.test", "correct horse battery").await?;

        let with = |field: &str, value: Value| {
            let mut body = json!({"first": "Lea", "email": "lea@acme.test", "role": "user"});
            body[field] = value;
            body
        };
        for (body, field) in [
            (with("first", json!("")), "first"),
            (with("first", json!("a\r\nBcc: x")), "first"),
            (with("last", json!("a\u{0}")), "last"),
            (with("email", json!("lea@acme.test\r\nTo: x@y.test")), "email"),
            (with("email", json!("PIA@acme.test")), "email"),
            (with("extension", json!("911")), "extension"),
            (with("extension", json!("101")), "extension"),
            (with("role", json!("king")), "role"),
            (with("phone", json!("911")), "phone"),
            (with("colour", json!("red")), "colour"),
        ] {
            refused(&post(&tia, "/v1/users", body).await?, 422, Some(field));
        }
        refused(&post(&hana, "/v1/users", nel).await?, 403, None);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b03_b11_d61_i80_what_each_role_of_the_tenant_reaches() {
    on_database(async |stage| {
        let (hana, _) = stage.login("hana").await?;
        let made = meeting(&hana, "Reach", "conference").await?;
        let path = format!("/v1/meetings/{}", id(&made));
        let pia = user(&hana, "pia").await?;
        // A meeting of others, an own one, the bulk action, ownership, users, settings of the tenant.
        let expected = [
            ("gus", [404, 403, 403, 404, 403, 403]),
            ("uma", [404, 201, 403, 404, 403, 403]),
            ("sam", [200, 201, 202, 200, 403, 403]),
            ("tia", [200, 201, 202, 200, 201, 200]),
            ("zed", [404, 201, 403, 404, 403, 403]),
        ];
        for (login, statuses) in expected {
            let (api, _) = stage.login(login).await?;
            let new = json!({"first": "N", "email": format!("{login}-new@acme.test"), "role": "user"});
            let got = [
                api.send("GET", &path, &[], None).await?.status,
                post(&api, "/v1/meetings", json!({"title": "Own"})).await?.status,
                post(&api, "/v1/multi-invites", json!({"users": ["103"], "sessions": [id(&made)]}))
                    .await?
                    .status,
                put(&api, &format!("{path}/owner"), json!({"user": pia})).await?.status,
                post(&api, "/v1/users", new).await?.status,
                api.send("GET", "/v1/dial-policy", &[], None).await?.status,
            ];
            assert_eq!(got, statuses, "I80: {login}");
        }
        let (gus, _) = stage.login("gus").await?;
        assert_eq!(
            get(&gus, "/v1/meetings").await?["meetings"],
            json!([]),
            "I80: a guest sees what they are invited to"
        );
        let (pia, _) = stage.login("pia").await?;
        done(&pia, "POST", &format!("{path}/people"), json!({"people": [{"email": "gus@acme.test"}]}))
            .await?;
        assert_eq!(rows(&get(&gus, "/v1/meetings").await?["meetings"]).len(), 1, "I80");
        let (tia, me) = stage.login("tia").await?;
        let alone = patch(&tia, &format!("/v1/users/{}", me.id), json!({"role": "user"})).await?;
        assert_eq!(alone.status, 409, "somebody must be left to administer: {}", alone.body);

        // Keys for machines: within their scopes, shown once, ended at once.
        let made =
            done(&tia, "POST", "/v1/api-keys", json!({"name": "Calendar", "scopes": ["read", "meetings"]}))
                .await?;
        let key = text(&made["key"]);
        let machine = stage.api.with_token(key);
        done(&machine, "POST", "/v1/meetings", json!({"title": "By machine"})).await?;
        refused(&post(&machine, "/v1/users", json!({})).await?, 403, None);
        refused(&machine.send("GET", "/v1/api-keys", &[], None).await?, 403, None);
        assert!(!get(&tia, "/v1/api-keys").await?.to_string().contains(key), "D65: not shown again");
        assert_eq!(delete(&tia, &format!("/v1/api-keys/{}", id(&made["api_key"]))).await?, 204);
        for wrong in [key.to_owned(), format!("{key}x"), String::new(), "x".repeat(5000), "a.b.c".to_owned()]
        {
            let answer = stage.api.with_token(&wrong).send("GET", "/v1/me", &[], None).await?;
            assert!([401, 431].contains(&answer.status), "D61: {} {}", answer.status, answer.body);
        }
        Ok(())
    })
    .await;
}
