//! The name servers: one question at a time becomes one answer, however long they take.

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use hickory_resolver::{Resolver, TokioResolver};
use sip_core::locate::{Answer, LookupFailed, Question, Record, RecordKind};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// How long the name servers may take for one question.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks these name servers, or those of the system.
///
/// # Errors
/// When the system's configuration cannot be read.
pub(crate) fn resolver(servers: &[SocketAddr]) -> std::io::Result<TokioResolver> {
    let mut builder = if servers.is_empty() {
        Resolver::builder_tokio().map_err(std::io::Error::other)?
    } else {
        let servers = servers.iter().map(|server| {
            let (mut udp, mut tcp) = (ConnectionConfig::udp(), ConnectionConfig::tcp());
            udp.port = server.port();
            tcp.port = server.port();
            NameServerConfig::new(server.ip(), true, vec![udp, tcp])
        });
        let config = ResolverConfig::from_name_servers(servers.collect());
        Resolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    // The user agent keeps the answers, for as long as it thinks right.
    builder.options_mut().cache_size = 0;
    builder.build().map_err(std::io::Error::other)
}

/// Puts a question. No records is an answer; anything else that goes wrong is none.
pub(super) async fn answer(
    resolver: Option<&TokioResolver>,
    question: &Question,
) -> Result<Answer, LookupFailed> {
    let resolver = resolver.ok_or(LookupFailed)?;
    let kind = match question.kind {
        RecordKind::Naptr => RecordType::NAPTR,
        RecordKind::Srv => RecordType::SRV,
        RecordKind::A => RecordType::A,
        RecordKind::Aaaa => RecordType::AAAA,
    };
    // With a dot at its end the name is looked up as it is.
    let name = format!("{}.", question.name);
    let lookup =
        tokio::time::timeout(PATIENCE, resolver.lookup(name, kind)).await.map_err(|_| LookupFailed)?;
    match lookup {
        Ok(lookup) => Ok(Answer {
            records: lookup.answers().iter().filter_map(|record| record_of(&record.data)).collect(),
            ttl: lookup.valid_until().saturating_duration_since(Instant::now()),
        }),
        Err(error) if error.is_no_records_found() => Ok(Answer { records: Vec::new(), ttl: Duration::ZERO }),
        Err(error) => {
            tracing::debug!(%error, name = %question.name, "the name servers do not answer");
            Err(LookupFailed)
        }
    }
}

fn record_of(data: &RData) -> Option<Record> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    #[expect(clippy::wildcard_enum_match_arm, reason = "all other kinds of records mean nothing here")]
    match data {
        RData::A(address) => Some(Record::Address(IpAddr::V4(address.0))),
        RData::AAAA(address) => Some(Record::Address(IpAddr::V6(address.0))),
        RData::SRV(srv) => Some(Record::Srv {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            target: srv.target.to_utf8(),
        }),
        RData::NAPTR(naptr) => Some(Record::Naptr {
            order: naptr.order,
            preference: naptr.preference,
            flags: text(&naptr.flags),
            services: text(&naptr.services),
            replacement: naptr.replacement.to_utf8(),
        }),
        _ => None,
    }
}
