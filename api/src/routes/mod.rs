//! Which path does what.

pub(crate) mod again;
pub(crate) mod api_keys;
pub(crate) mod calls;
pub(crate) mod devices;
pub(crate) mod enrol;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod inbound;
pub(crate) mod invitations;
pub(crate) mod join;
pub(crate) mod login;
pub(crate) mod meetings;
pub(crate) mod metrics;
pub(crate) mod moderation;
pub(crate) mod multi_invites;
pub(crate) mod numbers;
pub(crate) mod oidc;
mod pages;
pub(crate) mod people;
pub(crate) mod planning;
pub(crate) mod policy;
pub(crate) mod profile;
pub(crate) mod records;
pub(crate) mod resolve;
pub(crate) mod sessions;
pub(crate) mod trunks;
pub(crate) mod user_requests;
pub(crate) mod users;
pub(crate) mod users_admin;
pub(crate) mod webhooks;
pub(crate) mod webrtc;

use crate::AppState;
use axum::Router;
use axum::routing::{delete, get, patch, post, put};

/// Every route but the page.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::metrics))
        .route("/v1/openapi.json", get(health::openapi))
        .route("/v1/login", post(login::login))
        .route("/v1/logout", post(login::logout))
        .route("/v1/me", get(login::me))
        .route("/v1/me/password", put(enrol::change_password))
        .route("/v1/enrol/{token}", get(enrol::preview).post(enrol::enrol))
        .route("/v1/oidc", get(oidc::info))
        .route("/v1/oidc/start", get(oidc::start))
        .route("/v1/oidc/callback", get(oidc::callback))
        .route("/v1/users", get(users::list).post(users_admin::create))
        .route("/v1/users/template.csv", get(users_admin::template))
        .route("/v1/users/upload", post(users_admin::upload))
        .route("/v1/users/{user}", get(users_admin::show).patch(users_admin::change))
        .route("/v1/users/{user}/enrol-link", post(users_admin::renew_enrolment))
        .route("/v1/user-requests", get(user_requests::list).post(user_requests::create))
        .route("/v1/user-requests/{request}", patch(user_requests::decide))
        .route("/v1/api-keys", get(api_keys::list).post(api_keys::create))
        .route("/v1/api-keys/{key}", delete(api_keys::revoke))
        .route("/v1/sessions", get(sessions::list))
        .route("/v1/multi-invites", post(multi_invites::create))
        .route("/v1/multi-invites/{order}", get(multi_invites::show))
        .route("/v1/users/{user}/devices", get(users::devices).post(devices::add))
        .route("/v1/users/{user}/caller-id", put(numbers::set_caller_id))
        .route("/v1/devices/{device}", get(devices::show).patch(devices::change).delete(devices::remove))
        .route("/v1/devices/{device}/registration", delete(devices::unregister))
        .route("/v1/devices/{device}/provisioning", get(devices::sheet))
        .route("/v1/numbers", get(numbers::list).post(numbers::add))
        .route("/v1/numbers/{number}", patch(numbers::change).delete(numbers::remove))
        .route("/v1/me/numbers", get(numbers::own))
        .route("/v1/me/dial-out", get(policy::dial_out))
        .route("/v1/dial-policy", get(policy::show).put(policy::put))
        .route("/v1/dial-policy/check", post(policy::check))
        .route("/v1/blocked-numbers", get(policy::blocked).post(policy::block))
        .route("/v1/blocked-numbers/{number}", delete(policy::unblock))
        .route("/v1/resolve", post(resolve::resolve))
        .route("/v1/meetings", get(planning::list).post(planning::create))
        .route("/v1/meetings/{meeting}", get(meetings::show).patch(planning::change).delete(planning::cancel))
        .route("/v1/meetings/{meeting}/publish", post(planning::publish))
        .route("/v1/meetings/{meeting}/occurrences", get(planning::occurrences))
        .route("/v1/meetings/{meeting}/owner", put(planning::hand_over))
        .route("/v1/meetings/{meeting}/lock", post(moderation::lock))
        .route("/v1/meetings/{meeting}/unlock", post(moderation::unlock))
        .route("/v1/meetings/{meeting}/mute-all", post(moderation::mute_all))
        .route("/v1/meetings/{meeting}/unmute-all", post(moderation::unmute_all))
        .route("/v1/meetings/{meeting}/admit-all", post(moderation::admit_all))
        .route("/v1/meetings/{meeting}/people/{person}/admit", post(moderation::admit))
        .route("/v1/meetings/{meeting}/people/{person}/deny", post(moderation::deny))
        .route("/v1/meetings/{meeting}/join-info", get(meetings::join_info))
        .route("/v1/meetings/{meeting}/start", post(meetings::start))
        .route("/v1/meetings/{meeting}/end", post(meetings::end))
        .route("/v1/meetings/{meeting}/people", get(people::list).post(people::add))
        .route("/v1/meetings/{meeting}/people/{person}", patch(people::change).delete(people::remove))
        .route("/v1/meetings/{meeting}/people/{person}/mute", post(people::mute))
        .route("/v1/meetings/{meeting}/people/{person}/unmute", post(people::unmute))
        .route("/v1/meetings/{meeting}/people/{person}/raise-hand", post(people::raise_hand))
        .route("/v1/meetings/{meeting}/people/{person}/lower-hand", post(people::lower_hand))
        .route("/v1/meetings/{meeting}/calls", get(calls::list).post(calls::place))
        .route("/v1/meetings/{meeting}/calls/check", post(calls::check))
        .route("/v1/meetings/{meeting}/instances", get(records::instances))
        .route("/v1/meetings/{meeting}/media", get(records::media))
        .route("/v1/meetings/{meeting}/attendance", get(records::attendance))
        .route("/v1/meetings/{meeting}/attendance.csv", get(records::attendance_table))
        .route("/v1/meetings/{meeting}/attendees.csv", get(records::attendees))
        .route("/v1/cdrs", get(records::cdrs))
        .route("/v1/cdrs.csv", get(records::cdr_table))
        .route("/v1/audit", get(records::audit))
        .route("/v1/retention", get(records::retention).put(records::set_retention))
        .route("/v1/erasures", post(records::erase))
        .route("/v1/calls/{call}", get(calls::show).delete(calls::end))
        .route("/v1/calls/{call}/explain", get(calls::explain))
        .route("/v1/calls/{call}/listen", put(calls::listen).delete(calls::listen_no_more))
        .route("/v1/calls/{call}/retry", post(calls::retry))
        .route("/v1/calls/{call}/again", put(again::put).delete(again::cancel))
        .route("/v1/meetings/{meeting}/people/me/call-me", post(again::call_me))
        .route("/v1/join/{token}", get(join::preview).post(join::join))
        .route("/v1/meetings/{meeting}/webrtc/offer", post(webrtc::offer))
        .route("/v1/trunks", get(trunks::list).post(trunks::create))
        .route("/v1/trunks/{trunk}", get(trunks::show).patch(trunks::change).delete(trunks::remove))
        .route("/v1/trunks/{trunk}/status", get(trunks::status))
        .route("/v1/trunks/{trunk}/probe", post(trunks::probe))
        .route("/v1/events", get(events::events))
        .route("/v1/me/profile", get(profile::show).patch(profile::change))
        .route("/v1/users/{user}/invitation-address", put(profile::set_address))
        .route("/v1/meetings/{meeting}/invitations", post(invitations::send))
        .route("/v1/meetings/{meeting}/people/{person}/resend", post(invitations::resend))
        .route("/v1/rsvp/{token}", get(invitations::show).post(invitations::answer))
        .route("/v1/webhooks", get(webhooks::list).post(webhooks::create))
        .route("/v1/webhooks/{webhook}", get(webhooks::show).patch(webhooks::change).delete(webhooks::delete))
        .route("/v1/webhooks/{webhook}/test", post(webhooks::test))
        .route("/v1/webhooks/{webhook}/deliveries", get(webhooks::deliveries))
        .route("/v1/inbound-mail", post(inbound::take))
        .route("/v1/outbox", get(webhooks::outbox))
        .route("/v1/outbox/{id}/retry", post(webhooks::retry))
}
