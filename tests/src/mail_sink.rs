//! A mail server in a box: speaks SMTP with EHLO, AUTH PLAIN and DATA, keeps what it takes, and fails on demand.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use mail_parser::{MessageParser, MimeHeaders as _, PartType};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use crate::error::{LabError, LabResult};
use crate::shared::lock;

/// The longest command or text line taken, RFC 5321 section 4.5.3.1.
const LINE_MAX: u64 = 4096;
/// The largest mail taken.
const MAIL_MAX: usize = 4 << 20;

/// What goes wrong with one mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// This answer to MAIL FROM.
    Sender(u16),
    /// This answer to RCPT TO.
    Recipient(u16),
    /// This answer to DATA.
    Data(u16),
    /// This answer to the finished text.
    Text(u16),
    /// The text is kept, and the connection cut before the answer.
    CutAfterKeeping,
    /// The connection is cut in the middle of the text.
    CutWithinText,
}

/// A mail that was taken.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// Who had logged in.
    pub user: Option<String>,
    /// Head and body, dots unstuffed.
    pub bytes: Vec<u8>,
    /// When.
    pub at: Instant,
}

/// A mail as a mail program reads it.
#[derive(Debug, Clone, Default)]
pub struct Mail {
    /// Message-ID without angle brackets.
    pub message_id: String,
    /// Subject, decoded.
    pub subject: String,
    /// Names and addresses of From, To and Reply-To.
    pub from: Vec<(String, String)>,
    /// See above.
    pub to: Vec<(String, String)>,
    /// See above.
    pub reply_to: Vec<(String, String)>,
    /// The plain text.
    pub text: String,
    /// The HTML.
    pub html: String,
    /// Calendar parts: the METHOD of the media type, and the object.
    pub calendars: Vec<(String, String)>,
    /// The names of all fields of the head, in order, in small letters.
    pub fields: Vec<String>,
}

impl Taken {
    /// Reads it as a mail program does.
    ///
    /// # Errors
    /// When it is no mail.
    pub fn read(&self) -> LabResult<Mail> {
        let parsed = MessageParser::default().parse(&self.bytes);
        let parsed = parsed.ok_or_else(|| LabError::Other("this is no mail".to_owned()))?;
        let people = |list: Option<&mail_parser::Address<'_>>| {
            let one = |address: &mail_parser::Addr<'_>| {
                (
                    address.name().unwrap_or_default().to_owned(),
                    address.address().unwrap_or_default().to_owned(),
                )
            };
            list.map(|list| list.iter().map(one).collect()).unwrap_or_default()
        };
        let mut mail = Mail {
            message_id: parsed.message_id().unwrap_or_default().to_owned(),
            subject: parsed.subject().unwrap_or_default().to_owned(),
            from: people(parsed.from()),
            to: people(parsed.to()),
            reply_to: people(parsed.reply_to()),
            text: parsed.body_text(0).unwrap_or_default().into_owned(),
            html: parsed.body_html(0).unwrap_or_default().into_owned(),
            calendars: Vec::new(),
            fields: parsed.headers_raw().map(|(name, _)| name.to_ascii_lowercase()).collect(),
        };
        for part in &parsed.parts {
            let kind = part.content_type();
            if kind.is_some_and(|kind| kind.c_subtype.as_deref() == Some("calendar")) {
                let method = kind.and_then(|kind| kind.attribute("method")).unwrap_or_default().to_owned();
                let text = match &part.body {
                    PartType::Text(text) | PartType::Html(text) => text.to_string(),
                    PartType::Binary(bytes) | PartType::InlineBinary(bytes) => {
                        String::from_utf8_lossy(bytes).into_owned()
                    }
                    _ => String::new(),
                };
                mail.calendars.push((method, text));
            }
        }
        Ok(mail)
    }
}

#[derive(Debug, Default)]
struct State {
    taken: Vec<Taken>,
    faults: VecDeque<Fault>,
    /// Recipients that are always answered like this.
    recipients: BTreeMap<String, (u16, String)>,
    connections: usize,
}

/// The running server; it stops when dropped.
#[derive(Debug)]
pub struct MailSink {
    address: SocketAddr,
    credentials: Option<(String, String)>,
    state: Arc<Mutex<State>>,
    server: Option<JoinHandle<()>>,
}

impl MailSink {
    /// Starts a server on a free port of loopback; with `credentials`, whoever sends must log in.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(credentials: Option<(&str, &str)>) -> LabResult<Self> {
        let credentials = credentials.map(|(user, password)| (user.to_owned(), password.to_owned()));
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut sink = Self { address, credentials, state: Arc::default(), server: None };
        sink.up().await?;
        Ok(sink)
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Nobody answers any more, and open connections are cut.
    pub async fn down(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
            // Only then is the port free.
            let _ = server.await;
        }
    }

    /// Answers (again), on the same port.
    ///
    /// # Errors
    /// When somebody else has taken it meanwhile.
    pub async fn up(&mut self) -> LabResult<()> {
        self.down().await;
        let what = || LabError::io("opening the mail sink");
        let socket = TcpSocket::new_v4().map_err(what())?;
        socket.set_reuseaddr(true).map_err(what())?;
        socket.bind(self.address).map_err(what())?;
        let listener = socket.listen(64).map_err(what())?;
        self.address = listener.local_addr().map_err(what())?;
        let (state, credentials) = (Arc::clone(&self.state), self.credentials.clone());
        self.server = Some(tokio::spawn(async move {
            // Dropped with the task, and all sessions with it.
            let mut sessions = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                lock(&state).connections += 1;
                let session = Session::new(stream, Arc::clone(&state), credentials.clone());
                sessions.spawn(session.run());
                while sessions.try_join_next().is_some() {}
            }
        }));
        Ok(())
    }

    /// What goes wrong with the next mails, one fault each.
    pub fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        lock(&self.state).faults.extend(faults);
    }

    /// This recipient is always answered like this; 0 for as usual again.
    pub fn answer(&self, recipient: &str, code: u16, words: &str) {
        let mut state = lock(&self.state);
        if code == 0 {
            state.recipients.remove(recipient);
        } else {
            state.recipients.insert(recipient.to_owned(), (code, words.to_owned()));
        }
    }

    /// Every mail taken so far, in order.
    pub fn taken(&self) -> Vec<Taken> {
        lock(&self.state).taken.clone()
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        lock(&self.state).connections
    }

    /// Every mail to `recipient` so far, read.
    ///
    /// # Errors
    /// When one of them is no mail.
    pub fn mails_to(&self, recipient: &str) -> LabResult<Vec<Mail>> {
        let taken = self.taken();
        let wanted = taken.iter().filter(|taken| taken.to.iter().any(|to| to == recipient));
        wanted.map(Taken::read).collect()
    }

    /// Waits until there are at least `count` mails to `recipient`.
    ///
    /// # Errors
    /// When they do not come in time.
    pub async fn wait_for(&self, recipient: &str, count: usize, timeout: Duration) -> LabResult<Vec<Mail>> {
        let deadline = Instant::now() + timeout;
        loop {
            let mails = self.mails_to(recipient)?;
            if mails.len() >= count {
                return Ok(mails);
            }
            if Instant::now() > deadline {
                return Err(LabError::Timeout(format!(
                    "{count} mails to {recipient}; there are {}",
                    mails.len()
                )));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for MailSink {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

struct Session {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    state: Arc<Mutex<State>>,
    credentials: Option<(String, String)>,
    user: Option<String>,
    from: Option<String>,
    to: Vec<String>,
    fault: Option<Fault>,
}

impl Session {
    fn new(stream: TcpStream, state: Arc<Mutex<State>>, credentials: Option<(String, String)>) -> Self {
        let (reader, writer) = stream.into_split();
        Self {
            reader: BufReader::new(reader),
            writer,
            state,
            credentials,
            user: None,
            from: None,
            to: Vec::new(),
            fault: None,
        }
    }

    async fn run(mut self) {
        if self.say("220 sink.lab.test ESMTP").await.is_none() {
            return;
        }
        while let Some(line) = self.line().await {
            if self.command(line.trim_end()).await.is_none() {
                return;
            }
        }
    }

    async fn say(&mut self, text: &str) -> Option<()> {
        self.writer.write_all(format!("{text}\r\n").as_bytes()).await.ok()
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let read = (&mut self.reader).take(LINE_MAX).read_until(b'\n', &mut line).await.ok()?;
        (read > 0 && line.ends_with(b"\n")).then(|| String::from_utf8_lossy(&line).into_owned())
    }

    async fn command(&mut self, line: &str) -> Option<()> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" if self.credentials.is_some() => {
                self.say("250-sink.lab.test\r\n250-8BITMIME\r\n250 AUTH PLAIN").await
            }
            "EHLO" => self.say("250-sink.lab.test\r\n250 8BITMIME").await,
            "HELO" | "NOOP" => self.say("250 well").await,
            "AUTH" => self.log_in(rest).await,
            "MAIL" => self.sender(rest).await,
            "RCPT" => self.recipient(rest).await,
            "DATA" => self.data().await,
            "RSET" => {
                (self.from, self.to) = (None, Vec::new());
                self.say("250 well").await
            }
            "QUIT" => {
                self.say("221 goodbye").await;
                None
            }
            _ => self.say("502 what?").await,
        }
    }

    async fn log_in(&mut self, rest: &str) -> Option<()> {
        let text = rest.strip_prefix("PLAIN ").unwrap_or_default();
        let decoded = base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default();
        let parts: Vec<String> =
            decoded.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
        let given = parts.get(1).cloned().zip(parts.get(2).cloned());
        if given.is_some() && given == self.credentials {
            self.user = given.map(|(user, _)| user);
            return self.say("235 welcome").await;
        }
        self.say("535 5.7.8 wrong user or password").await
    }

    async fn sender(&mut self, rest: &str) -> Option<()> {
        if self.credentials.is_some() && self.user.is_none() {
            return self.say("530 5.7.0 log in first").await;
        }
        self.fault = lock(&self.state).faults.pop_front();
        if let Some(Fault::Sender(code)) = self.fault {
            return self.say(&format!("{code} not from you")).await;
        }
        self.from = path(rest);
        self.to.clear();
        self.say("250 well").await
    }

    async fn recipient(&mut self, rest: &str) -> Option<()> {
        if let Some(Fault::Recipient(code)) = self.fault {
            return self.say(&format!("{code} not to them")).await;
        }
        let to = path(rest).unwrap_or_default();
        let answer = lock(&self.state).recipients.get(&to).cloned();
        if let Some((code, words)) = answer {
            return self.say(&format!("{code} {words}")).await;
        }
        self.to.push(to);
        self.say("250 well").await
    }

    async fn data(&mut self) -> Option<()> {
        if let Some(Fault::Data(code)) = self.fault {
            return self.say(&format!("{code} no text now")).await;
        }
        let Some(from) = self.from.clone().filter(|_| !self.to.is_empty()) else {
            return self.say("503 who, and to whom?").await;
        };
        self.say("354 go on").await?;
        if self.fault == Some(Fault::CutWithinText) {
            self.line().await;
            return None;
        }
        let bytes = self.text().await?;
        if let Some(Fault::Text(code)) = self.fault {
            return self.say(&format!("{code} not this text")).await;
        }
        let taken = Taken { from, to: self.to.clone(), user: self.user.clone(), bytes, at: Instant::now() };
        lock(&self.state).taken.push(taken);
        if self.fault == Some(Fault::CutAfterKeeping) {
            return None;
        }
        self.say("250 kept").await
    }

    /// Everything up to the line with a single dot (RFC 5321 section 4.5.2).
    async fn text(&mut self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        loop {
            let mut line = Vec::new();
            (&mut self.reader)
                .take(LINE_MAX)
                .read_until(b'\n', &mut line)
                .await
                .ok()
                .filter(|read| *read > 0)?;
            if line == b".\r\n" {
                return Some(bytes);
            }
            bytes.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            if bytes.len() > MAIL_MAX {
                return None;
            }
        }
    }
}

/// `FROM:<a@b> ...` without the rest.
fn path(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('<')?;
    rest.split_once('>').map(|(path, _)| path.to_owned())
}
