//! The description of the API, put together from the handlers. A reviewed copy is committed as `api/openapi.json`.

use crate::routes::{
    again, api_keys, calls, devices, enrol, events, health, inbound, invitations, join, login, meetings,
    metrics, moderation, multi_invites, numbers, oidc, people, planning, policy, profile, records, resolve,
    sessions, trunks, user_requests, users, users_admin, webhooks, webrtc,
};
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, PathItem, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{Modify, OpenApi};

/// The whole description.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Partyline",
        description = "Meetings, people, roles, and calls that bring phones into a meeting. Errors are \
            application/problem+json with the field at fault and what would mend it.",
        license(name = "MIT OR Apache-2.0")
    ),
    paths(
        login::login, login::logout, login::me,
        users::list, users::devices, resolve::resolve,
        users_admin::create, users_admin::show, users_admin::change, users_admin::upload, users_admin::template,
        users_admin::renew_enrolment, user_requests::create, user_requests::list, user_requests::decide,
        enrol::preview, enrol::enrol, enrol::change_password, oidc::info, oidc::start, oidc::callback,
        api_keys::list, api_keys::create, api_keys::revoke,
        sessions::list, multi_invites::create, multi_invites::show,
        meetings::show, meetings::join_info, meetings::start, meetings::end,
        planning::create, planning::list, planning::change, planning::cancel, planning::publish,
        planning::occurrences, planning::hand_over,
        moderation::lock, moderation::unlock, moderation::mute_all, moderation::unmute_all,
        moderation::admit_all, moderation::admit, moderation::deny,
        people::list, people::add, people::change, people::remove, people::mute, people::unmute,
        people::raise_hand, people::lower_hand,
        calls::place, calls::check, calls::list, calls::show, calls::explain, calls::end, calls::listen, calls::listen_no_more, calls::retry,
        again::put, again::cancel, again::call_me,
        devices::add, devices::show, devices::change, devices::remove, devices::unregister, devices::sheet,
        numbers::list, numbers::add, numbers::change, numbers::remove, numbers::own, numbers::set_caller_id,
        policy::show, policy::put, policy::check, policy::blocked, policy::block, policy::unblock, policy::dial_out,
        join::preview, join::join, webrtc::offer, events::events,
        records::instances, records::media, records::attendance, records::attendance_table, records::attendees, records::cdrs,
        records::cdr_table, records::audit, records::retention, records::set_retention, records::erase,
        metrics::metrics,
        trunks::list, trunks::create, trunks::show, trunks::change, trunks::remove, trunks::status, trunks::probe,
        health::alive, health::ready, health::openapi,
        profile::show, profile::change, profile::set_address,
        invitations::send, invitations::resend, invitations::show, invitations::answer,
        webhooks::list, webhooks::create, webhooks::show, webhooks::change, webhooks::delete, webhooks::test,
        webhooks::deliveries, webhooks::outbox, webhooks::retry, inbound::take,
    ),
    modifiers(&Tokens, &Names, &Problems),
    security(("bearer" = []), ("cookie" = []))
)]
struct Description;

/// How a caller shows who they are.
struct Tokens;

impl Modify for Tokens {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let cookie = ApiKey::Cookie(ApiKeyValue::new(crate::auth::COOKIE));
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(cookie));
    }
}

/// Gives every operation a name of its own: handlers of different resources share theirs.
struct Names;

impl Modify for Names {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        for item in openapi.paths.paths.values_mut() {
            for operation in operations(item) {
                let tag = operation.tags.as_ref().and_then(|tags| tags.first());
                if let (Some(tag), Some(name)) = (tag, &operation.operation_id) {
                    operation.operation_id = Some(format!("{tag}_{name}"));
                }
            }
        }
    }
}

/// Every operation of a path.
fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete].into_iter().flatten()
}

/// What every refusal is (RFC 9457), and those that the readers of queries and bodies give before a handler is asked.
struct Problems;

/// The media type of a refusal.
const PROBLEM: &str = "application/problem+json";

impl Modify for Problems {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        for operation in openapi.paths.paths.values_mut().flat_map(operations) {
            let queried = operation.parameters.iter().flatten().any(
                |one| matches!(one, RefOr::T(one) if one.parameter_in == utoipa::openapi::path::ParameterIn::Query),
            );
            let body: &[(&str, &str)] = match operation.request_body {
                Some(_) => &[
                    ("400", "The body cannot be read"),
                    ("413", "The body is too large"),
                    ("415", "The body is of another media type"),
                    ("422", "A wrong field, named"),
                ],
                None => &[],
            };
            let query = if queried { &[("422", "A wrong parameter, named")][..] } else { &[] };
            let responses = &mut operation.responses.responses;
            for (status, words) in body.iter().chain(query) {
                responses.entry((*status).to_owned()).or_insert_with(|| RefOr::T(problem(words)));
            }
            let refusals = responses.iter_mut().filter(|(status, _)| status.starts_with(['4', '5']));
            for (_, response) in refusals {
                let RefOr::T(response) = response else { continue };
                let contents = std::mem::take(&mut response.content).into_iter();
                response.content = contents
                    .map(|(kind, content)| {
                        (if kind == "application/json" { PROBLEM.to_owned() } else { kind }, content)
                    })
                    .collect();
            }
        }
    }
}

/// A response that is a problem.
fn problem(words: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(words).content(PROBLEM, content).build()
}

/// The OpenAPI description as it is served.
pub fn document() -> utoipa::openapi::OpenApi {
    Description::openapi()
}
