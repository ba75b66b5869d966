//! Section `[mail]`: the server that takes our mail. Without it invitations stay queued, and say so.

use super::Problem;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// Section `[mail]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// Name or address of the SMTP server.
    pub server: String,
    /// Its port; 587 with STARTTLS, 465 with TLS, 25 with none, if absent.
    pub port: Option<u16>,
    /// How the connection is protected.
    #[serde(default)]
    pub tls: MailTls,
    /// PEM file of a certificate to trust beside the system's, relative to the configuration file.
    pub ca: Option<PathBuf>,
    /// Login, if the server wants one.
    pub user: Option<String>,
    /// Its password; better as "file:PATH" or "env:NAME".
    pub password: Option<String>,
    /// The address mails come from.
    pub from: String,
    /// Where answers go if the inviter has no address.
    pub reply_to: Option<String>,
    /// The address calendars send their answers to, as they do to the organiser of an event: each invitation gets one of
    /// its own, `name+…@domain`. What comes there goes to `POST /v1/inbound-mail`.
    pub calendar_replies: Option<String>,
    /// How long a mail is tried before it is given up.
    #[serde(default = "five_days")]
    pub retry_days: f64,
}

/// How a connection to the mail server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// In the clear at first, then TLS (RFC 3207); no mail without it.
    #[default]
    Starttls,
    /// TLS from the first byte on.
    Tls,
    /// In the clear: for a server on the same machine.
    None,
}

/// What is left of the 64 characters of a local part (RFC 5321 section 4.5.3.1.1) beside an invitation's own part.
const REPLIES_NAME: usize = 13;

fn five_days() -> f64 {
    5.0
}

impl Mail {
    /// The port.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            MailTls::Starttls => 587,
            MailTls::Tls => 465,
            MailTls::None => 25,
        })
    }

    /// How long a mail is tried.
    pub fn lifetime(&self) -> Duration {
        Duration::try_from_secs_f64(self.retry_days * 86_400.0).unwrap_or(Duration::from_secs(5 * 86_400))
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let addresses = [
            ("mail.from", Some(&self.from)),
            ("mail.reply_to", self.reply_to.as_ref()),
            ("mail.calendar_replies", self.calendar_replies.as_ref()),
        ];
        for (key, address) in addresses {
            if let Some(address) = address.filter(|address| address.parse::<lettre::Address>().is_err()) {
                let problem = format!("is {address:?}, which is not an address");
                problems.push(Problem::new(key, problem, "Write name@domain"));
            }
        }
        let name = self.calendar_replies.as_deref().and_then(|address| address.split('@').next());
        if name.is_some_and(|name| name.len() > REPLIES_NAME) {
            let problem = format!("has more than {REPLIES_NAME} characters before the @");
            let mend = "Choose a shorter one: each invitation adds its own part";
            problems.push(Problem::new("mail.calendar_replies", problem, mend));
        }
        if self.user.is_some() != self.password.is_some() {
            let problem = "stands without the other one of user and password".to_owned();
            problems.push(Problem::new("mail.user", problem, "Give both or neither"));
        }
        if self.user.is_some() && self.tls == MailTls::None && !is_near(&self.server) {
            let problem = "is \"none\" while a password is sent to another machine".to_owned();
            problems.push(Problem::new("mail.tls", problem, "Write \"starttls\" or \"tls\""));
        }
        if !(0.01..=30.0).contains(&self.retry_days) {
            let problem = format!("is {}, not 0.01 to 30", self.retry_days);
            problems.push(Problem::new("mail.retry_days", problem, "Leave it out for 5 days"));
        }
        problems
    }
}

fn is_near(server: &str) -> bool {
    server == "localhost" || server.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Section `[webhooks]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Webhooks {
    /// Networks that webhooks may reach although they are not public, as `address/prefix`; also without TLS.
    pub allow: Vec<String>,
    /// Whether webhooks may go to public addresses without TLS.
    pub plain_http: bool,
}

impl Webhooks {
    pub(super) fn problems(&self) -> Vec<Problem> {
        let wrong = self.allow.iter().filter(|text| text.parse::<sip_core::ua::IpNetwork>().is_err());
        let mend = "Write address/prefix, for example \"192.0.2.0/24\"";
        wrong
            .map(|text| Problem::new("webhooks.allow", format!("has {text:?}, which is not a network"), mend))
            .collect()
    }
}
