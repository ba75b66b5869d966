//! Which operation serves which row of the mission.

use crate::support::App;
use std::collections::BTreeSet;

/// Rows of sections A and B, and the operations by which a page or a machine does what they ask for.
const ROWS: &[(&str, &[&str])] = &[
    ("A01 A02", &["meetings_create", "people_add", "people_change"]),
    ("A03", &["meetings_create", "meetings_join_info"]),
    ("A07", &["people_add", "meetings_join_info"]),
    ("A08 A19 A20", &["meetings_create", "meetings_publish"]),
    ("A09", &["users_list"]),
    ("A10 A11 A12 A13 A14", &["users_resolve"]),
    ("A15 A16", &["people_add", "people_list"]),
    ("A17 A18", &["people_remove"]),
    ("A21 A42", &["invitations_send", "invitations_resend", "outbox_outbox"]),
    ("A22 A36 A45", &["join_preview", "join_join", "join_offer"]),
    ("A23 A24 A43", &["profile_show", "profile_change", "profile_set_address"]),
    ("A25 A44", &["people_add", "invitations_send"]),
    ("A26", &["people_add", "people_list", "calls_place"]),
    ("A27 A28 A29 A30 A31 A35", &["meetings_join_info"]),
    ("A32 A33", &["meetings_join_info", "invitations_send", "calls_place"]),
    ("A37 A38", &["users_resolve"]),
    ("A40 A62 A67", &["meetings_create", "people_add", "people_change"]),
    ("A46 A48", &["users_devices"]),
    ("A47 A49", &["calls_place", "calls_check", "devices_show"]),
    ("A50", &["users_resolve", "calls_check"]),
    ("A53 A54 A58 A59", &["calls_place", "calls_list", "calls_show", "calls_end", "events_events"]),
    ("A55 A56 A57 A60", &["calls_place", "numbers_set_caller_id", "numbers_own"]),
    ("A68 A69 A70 A73 A74 A75 A76 A77", &["records_attendees"]),
    ("A71 A72", &["meetings_list", "meetings_show"]),
    ("A80", &["meetings_start", "join_join"]),
    ("B01", &["people_add", "invitations_send"]),
    ("B02 B03 B04 B05 B06 B07 B08 B24 B25 B40 B45 B46 B49", &["multi_invites_create", "multi_invites_show"]),
    ("B10 B11 B12 B17", &["sessions_list"]),
    ("B26", &["multi_invites_create", "outbox_outbox"]),
    ("B27 B30 B31 B32 B33 B37 B41 B42 B43", &["users_resolve"]),
    ("B35", &["user_requests_create", "user_requests_list", "user_requests_decide", "users_create"]),
    ("B47 B48", &["people_change"]),
];

/// The rows of sections A and B that are neither the page's own nor without any work.
fn rows_of_the_server() -> BTreeSet<String> {
    let status = include_str!("../../../docs/mission-status.md");
    let rows = status.lines().filter(|line| line.starts_with("| A") || line.starts_with("| B"));
    rows.filter_map(|line| {
        let mut cells = line.trim_matches(['|', ' ']).split(" | ");
        let (id, proof) = (cells.next()?, cells.last()?);
        let elsewhere = proof.contains("belongs to the page") || proof.starts_with("none");
        (!elsewhere).then(|| id.to_owned())
    })
    .collect()
}

#[tokio::test]
async fn d06_every_action_of_sections_a_and_b_has_its_operation() {
    let app = App::new().await;
    let served = app.anonymous().get("/v1/openapi.json").await.body;
    let operations: BTreeSet<_> = served["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|item| item.as_object().unwrap().values())
        .filter_map(|operation| operation["operationId"].as_str())
        .collect();
    let mut served_rows = BTreeSet::new();
    for (rows, wanted) in ROWS {
        for operation in *wanted {
            assert!(operations.contains(operation), "{rows} needs {operation}, which the API has not");
        }
        for row in rows.split(' ') {
            assert!(served_rows.insert(row.to_owned()), "{row} stands twice in the table");
        }
    }
    let missing: Vec<_> = rows_of_the_server().into_iter().filter(|row| !served_rows.contains(row)).collect();
    assert!(missing.is_empty(), "no operation is named for {missing:?}");
}
