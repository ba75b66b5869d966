//! The workers that send: one for mail, if there is a server for it, and one for webhooks.

use crate::config::Config;
use crate::error::StartError;
use crate::mail::MailCarrier;
use crate::webhook_sender::{SystemResolver, WebhookCarrier};
use conference::services::Services;
use conference::services::outbox::{Carrier, Channel, OutboxConfig};
use conference::services::webhooks::WebhookGuard;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long a stop waits for attempts that run.
const LAST_ATTEMPTS: Duration = Duration::from_secs(3);

/// What the configuration says about sending, as the services need it.
pub(crate) fn config(config: &Config) -> OutboxConfig {
    let usual = OutboxConfig::default();
    OutboxConfig {
        mail: config.mail.is_some(),
        mail_lifetime: config.mail.as_ref().map_or(usual.mail_lifetime, |mail| mail.lifetime()),
        ..usual
    }
}

/// Where webhooks may go.
pub(crate) fn guard(config: &Config) -> WebhookGuard {
    WebhookGuard {
        allowed: config.webhooks.allow.iter().filter_map(|text| text.parse().ok()).collect(),
        plain_http: config.webhooks.plain_http,
    }
}

/// The running workers.
pub(crate) struct Outbox {
    workers: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Outbox {
    /// Starts them.
    pub(crate) fn start(config: &Config, services: &Arc<Services>) -> Result<Self, StartError> {
        let (stop, stopping) = watch::channel(false);
        let mut outbox = Self { workers: JoinSet::new(), stop };
        if let Some(mail) = &config.mail {
            let ca = mail.ca.as_ref().map(|ca| config.beside(ca));
            let carrier = MailCarrier::new(mail.clone(), ca.as_deref());
            let carrier = carrier.map_err(|error| StartError::Sending(error.to_string()))?;
            outbox.add(services, Channel::Mail, Arc::new(carrier), &stopping);
        } else {
            tracing::warn!("no mail server is configured: invitations wait until there is a section [mail]");
        }
        let carrier = WebhookCarrier::new(guard(config), Arc::new(SystemResolver));
        let carrier = carrier.map_err(|error| StartError::Sending(error.to_string()))?;
        outbox.add(services, Channel::Webhook, Arc::new(carrier), &stopping);
        Ok(outbox)
    }

    fn add(
        &mut self,
        services: &Arc<Services>,
        channel: Channel,
        carrier: Arc<dyn Carrier>,
        stopping: &watch::Receiver<bool>,
    ) {
        self.workers.spawn(Arc::clone(services).run_outbox(channel, carrier, stopping.clone()));
    }

    /// Stops them; what they were about to send is sent after the next start.
    pub(crate) async fn stop(mut self) {
        let _ = self.stop.send(true);
        let ended = async { while self.workers.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST_ATTEMPTS, ended).await.is_err() {
            tracing::warn!("the outbox did not stop in time");
        }
    }
}
