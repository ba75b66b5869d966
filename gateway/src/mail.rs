//! Sending mail by SMTP (RFC 5321): one connection per mail, and what each answer of the server means for it.

use crate::config::{Mail, MailTls};
use async_trait::async_trait;
use conference::services::outbox::{Carrier, Correspondent, Letter, Outcome, Parcel};
use lettre::address::Envelope;
use lettre::message::header::{ContentDisposition, ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, TlsParameters, TlsParametersBuilder,
};
use lettre::transport::smtp::commands::{Data, Mail as MailCommand, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// How long the server may take over one answer (RFC 5321 section 4.5.3.2 allows minutes; those who take them are tried
/// again).
const ANSWER: Duration = Duration::from_secs(30);
/// How long a whole mail may take.
const WHOLE: Duration = Duration::from_secs(55);

/// Hands mails to the configured server.
pub(crate) struct MailCarrier {
    config: Mail,
    from: lettre::Address,
    reply_to: Option<lettre::Address>,
    tls: Option<TlsParameters>,
    hello: ClientId,
}

/// Why the carrier cannot be built.
pub(crate) type SetupError = Box<dyn std::error::Error + Send + Sync>;

impl MailCarrier {
    /// A carrier; `ca` is the file of a further certificate to trust.
    pub(crate) fn new(config: Mail, ca: Option<&Path>) -> Result<Self, SetupError> {
        let tls = match config.tls {
            MailTls::None => None,
            MailTls::Starttls | MailTls::Tls => Some(tls(&config.server, ca)?),
        };
        Ok(Self {
            from: config.from.parse()?,
            reply_to: config.reply_to.as_deref().map(str::parse).transpose()?,
            tls,
            // Our own name: the part of the sender's address behind the @ is what the world knows us by.
            hello: ClientId::Domain(config.from.rsplit('@').next().unwrap_or("localhost").to_owned()),
            config,
        })
    }

    async fn send(&self, letter: &Letter) -> Result<(), Outcome> {
        let (envelope, bytes) = self.written(letter)?;
        let mut connection = self.connect().await?;
        let sent = self.transact(&mut connection, &envelope, &bytes).await;
        match &sent {
            // It has been taken; whether the goodbye arrives does not matter.
            Ok(()) => drop(connection.quit().await),
            Err(_) => connection.abort().await,
        }
        sent
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Outcome> {
        let wrapped = self.tls.clone().filter(|_| self.config.tls == MailTls::Tls);
        let server = (self.config.server.as_str(), self.config.port());
        let connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(ANSWER), &self.hello, wrapped, None);
        let mut connection = connection.await.map_err(|error| unreachable("connect", &error))?;
        if let (MailTls::Starttls, Some(tls)) = (self.config.tls, &self.tls) {
            let secured = connection.starttls(tls.clone(), &self.hello).await;
            secured.map_err(|error| unreachable("STARTTLS", &error))?;
        }
        if let (Some(user), Some(password)) = (&self.config.user, &self.config.password) {
            let credentials = Credentials::new(user.clone(), password.clone());
            let known = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await;
            // A wrong password is the installation's fault, and none of the mail's.
            known.map_err(|error| unreachable("log in", &error))?;
        }
        Ok(connection)
    }

    async fn transact(
        &self,
        connection: &mut AsyncSmtpConnection,
        envelope: &Envelope,
        bytes: &[u8],
    ) -> Result<(), Outcome> {
        let mut parameters = Vec::new();
        let ascii = |address: &lettre::Address| AsRef::<str>::as_ref(address).is_ascii();
        if !envelope.from().is_none_or(ascii) || !envelope.to().iter().all(ascii) {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                let words = "The mail server takes no address with such letters".to_owned();
                return Err(Outcome::Refused { code: None, words });
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !bytes.is_ascii() {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let from = MailCommand::new(envelope.from().cloned(), parameters);
        connection.command(from).await.map_err(|error| later("the sender", &error))?;
        for to in envelope.to() {
            let known = connection.command(Rcpt::new(to.clone(), Vec::new())).await;
            known.map_err(|error| answered("the recipient", &error))?;
        }
        connection.command(Data).await.map_err(|error| answered("the mail", &error))?;
        connection.message(bytes).await.map_err(|error| answered("the mail", &error))?;
        Ok(())
    }

    /// The mail as bytes. The envelope is made from checked addresses, never from the headers.
    fn written(&self, letter: &Letter) -> Result<(Envelope, Vec<u8>), Outcome> {
        let unfit = |words: String| Outcome::Refused { code: None, words };
        let to: lettre::Address =
            letter.to.address.parse().map_err(|_| unfit("This is not an address".to_owned()))?;
        let envelope = Envelope::new(Some(self.from.clone()), vec![to.clone()])
            .map_err(|error| unfit(format!("The mail cannot be addressed: {error}")))?;
        let message = self
            .message(letter, to)
            .map_err(|error| unfit(format!("The mail cannot be written: {error}")))?;
        Ok((envelope, message.formatted()))
    }

    fn message(&self, letter: &Letter, to: lettre::Address) -> Result<Message, SetupError> {
        let from =
            Mailbox::new(Some(format!("{} via Partyline", plain(&letter.from_name))), self.from.clone());
        let mut builder = Message::builder()
            .message_id(Some(letter.message_id.clone()))
            .date(UNIX_EPOCH + Duration::from_millis(letter.date.0))
            .from(from)
            .to(Mailbox::new(Some(plain(&letter.to.name)), to))
            .subject(plain(&letter.subject))
            // RFC 3834: no answer from a machine is wanted.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        if let Some(reply_to) = self.reply_to(letter.reply_to.as_ref()) {
            builder = builder.reply_to(reply_to);
        }
        let texts = MultiPart::alternative()
            .singlepart(SinglePart::plain(letter.text.clone()))
            .singlepart(SinglePart::html(letter.html.clone()));
        let Some(calendar) = &letter.calendar else { return Ok(builder.multipart(texts)?) };
        // Calendar programs look at the alternative, people at the file (RFC 6047 section 2.4).
        let method = calendar.method.as_str();
        let kind =
            |more: &str| ContentType::parse(&format!("text/calendar; charset=utf-8; method={method}{more}"));
        let inline = SinglePart::builder().header(kind("")?).body(calendar.text.clone());
        let file = SinglePart::builder()
            .header(kind("; name=\"invite.ics\"")?)
            .header(ContentDisposition::attachment("invite.ics"))
            .body(calendar.text.clone());
        Ok(builder.multipart(MultiPart::mixed().multipart(texts.singlepart(inline)).singlepart(file))?)
    }

    fn reply_to(&self, inviter: Option<&Correspondent>) -> Option<Mailbox> {
        let own = inviter.and_then(|inviter| {
            Some(Mailbox::new(Some(plain(&inviter.name)), inviter.address.parse().ok()?))
        });
        own.or_else(|| Some(Mailbox::new(None, self.reply_to.clone()?)))
    }
}

/// Names and titles are checked when they come in; a header gets one line of them even so.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c })
        .collect()
}

fn tls(server: &str, ca: Option<&Path>) -> Result<TlsParameters, SetupError> {
    let mut parameters = TlsParametersBuilder::new(server.to_owned());
    if let Some(ca) = ca {
        let pem = std::fs::read(ca).map_err(|error| format!("mail.ca: {}: {error}", ca.display()))?;
        parameters = parameters.add_root_certificate(Certificate::from_pem(&pem)?);
    }
    Ok(parameters.build_rustls()?)
}

fn words(error: &SmtpError) -> String {
    let mut words = error.to_string();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(inner) = cause {
        let inner_words = inner.to_string();
        if !words.contains(&inner_words) {
            words = format!("{words}: {inner_words}");
        }
        cause = inner.source();
    }
    words
}

fn code(error: &SmtpError) -> Option<u16> {
    error.status().map(u16::from)
}

/// Nothing came of the connection: no other mail would fare better now.
fn unreachable(what: &str, error: &SmtpError) -> Outcome {
    Outcome::Unreachable { words: format!("The mail server: cannot {what}: {}", words(error)) }
}

/// Whatever the server says, it is not the recipient's fault.
fn later(what: &str, error: &SmtpError) -> Outcome {
    Outcome::Later {
        code: code(error),
        words: format!("The mail server does not take {what}: {}", words(error)),
    }
}

/// 5yz is final, everything else is not (RFC 5321 section 4.2.1). A connection that breaks after the text may have
/// delivered it: it is sent again, with the same Message-ID.
fn answered(what: &str, error: &SmtpError) -> Outcome {
    if error.is_permanent() {
        return Outcome::Refused {
            code: code(error),
            words: format!("The mail server refuses {what}: {}", words(error)),
        };
    }
    later(what, error)
}

#[async_trait]
impl Carrier for MailCarrier {
    async fn deliver(&self, parcel: Parcel) -> Outcome {
        let Parcel::Mail(letter) = parcel else {
            return Outcome::Refused { code: None, words: "This is no mail".to_owned() };
        };
        match tokio::time::timeout(WHOLE, self.send(&letter)).await {
            Ok(Ok(())) => Outcome::Delivered,
            Ok(Err(outcome)) => outcome,
            Err(_) => Outcome::Later { code: None, words: "The mail server took too long".to_owned() },
        }
    }
}

#[cfg(test)]
#[path = "mail_tests.rs"]
mod tests;
