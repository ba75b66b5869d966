//! A web phone: SIP by WebSocket (RFC 7118), enough to register, to be called, to answer and to refuse.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::error::{LabError, LabResult};
use crate::shared::token;
use crate::sip::digest::{Challenge, Credentials};

/// A browser knows no address of its own (RFC 7118 section 5).
const HOST: &str = "df7jal23ls0d.invalid";
const PATIENCE: Duration = Duration::from_secs(10);

/// A connected web phone.
pub struct WsPhone<S = MaybeTlsStream<TcpStream>> {
    socket: WebSocketStream<S>,
    user: String,
    domain: String,
    call_id: String,
    cseq: u32,
}

impl WsPhone {
    /// Connects with the sub-protocol `protocol`; it ought to be `sip`.
    ///
    /// # Errors
    /// When nobody listens, or the protocol is refused.
    pub async fn connect(server: SocketAddr, protocol: &str, user: &str, domain: &str) -> LabResult<Self> {
        let stream = TcpStream::connect(server).await.map_err(LabError::io("connecting a WebSocket"))?;
        Self::over(MaybeTlsStream::Plain(stream), server, protocol, user, domain).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WsPhone<S> {
    /// The same over a connection that stands, for example one that is encrypted.
    ///
    /// # Errors
    /// When the protocol is refused.
    pub async fn over(
        stream: S,
        server: SocketAddr,
        protocol: &str,
        user: &str,
        domain: &str,
    ) -> LabResult<Self> {
        let what = || "connecting a WebSocket";
        let mut request = format!("ws://{server}/").into_client_request().map_err(LabError::other(what()))?;
        let protocol = HeaderValue::from_str(protocol).map_err(LabError::other(what()))?;
        request.headers_mut().insert("Sec-WebSocket-Protocol", protocol);
        let connected = tokio_tungstenite::client_async(request, stream).await;
        let (socket, _) = connected.map_err(LabError::other(what()))?;
        let (user, domain, call_id) = (user.to_owned(), domain.to_owned(), token());
        Ok(Self { socket, user, domain, call_id, cseq: 0 })
    }

    /// Sends one message, one frame.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn send(&mut self, text: &str) -> LabResult<()> {
        let sent = self.socket.send(Message::Text(text.to_owned().into())).await;
        sent.map_err(LabError::other("sending by WebSocket"))
    }

    /// The next message.
    ///
    /// # Errors
    /// When none comes in time.
    pub async fn receive(&mut self) -> LabResult<String> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            match next {
                Ok(Some(Ok(Message::Text(text)))) => return Ok(text.to_string()),
                Ok(Some(Ok(_))) => {}
                Ok(Some(Err(error))) => return Err(LabError::Other(format!("the WebSocket broke: {error}"))),
                Ok(None) => return Err(LabError::Other("the WebSocket was closed".to_owned())),
                Err(_) => return Err(LabError::Timeout("a message by WebSocket".to_owned())),
            }
        }
    }

    /// Registers with digest, by RFC 5626.
    ///
    /// # Errors
    /// When it is refused; the answer is in the message.
    pub async fn register(&mut self, password: &str) -> LabResult<String> {
        let request = self.request("REGISTER", "");
        self.send(&request).await?;
        let challenge = self.receive().await?;
        let line = header(&challenge, "WWW-Authenticate").unwrap_or_default();
        let challenge = Challenge::parse(line).ok_or_else(|| LabError::Other(challenge.clone()))?;
        let credentials = Credentials::new(&self.user, password);
        let answer = challenge.answer(&credentials, "REGISTER", &format!("sip:{}", self.domain), 1);
        let request = self.request("REGISTER", &format!("Authorization: {answer}\r\n"));
        self.send(&request).await?;
        let answer = self.receive().await?;
        if answer.starts_with("SIP/2.0 200 ") { Ok(answer) } else { Err(LabError::Other(answer)) }
    }

    /// Answers the request `request` with a final refusal and takes its ACK.
    ///
    /// # Errors
    /// When something else comes.
    pub async fn refuse(&mut self, request: &str, status: &str) -> LabResult<()> {
        self.respond(request, status, "", "").await?;
        self.take_ack().await
    }

    /// Answers the INVITE `request` with this session description and takes its ACK.
    ///
    /// # Errors
    /// When something else comes.
    pub async fn answer(&mut self, request: &str, description: &str) -> LabResult<()> {
        let contact = format!("Contact: <sip:{}@{HOST};transport=ws>\r\n", self.user);
        let more = format!("{contact}Content-Type: application/sdp\r\n");
        self.respond(request, "200 OK", &more, description).await?;
        self.take_ack().await
    }

    /// Answers the request `request`, with further header fields and a body.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn respond(&mut self, request: &str, status: &str, more: &str, body: &str) -> LabResult<()> {
        let mut answer = format!("SIP/2.0 {status}\r\n");
        for line in request.lines().take_while(|line| !line.is_empty()) {
            if ["Via: ", "From: ", "Call-ID: ", "CSeq: "].iter().any(|name| line.starts_with(name)) {
                answer += &format!("{line}\r\n");
            } else if line.starts_with("To: ") {
                let tag = if line.contains(";tag=") { "" } else { ";tag=ws" };
                answer += &format!("{line}{tag}\r\n");
            }
        }
        self.send(&format!("{answer}{more}Content-Length: {}\r\n\r\n{body}", body.len())).await
    }

    async fn take_ack(&mut self) -> LabResult<()> {
        let ack = self.receive().await?;
        if ack.starts_with("ACK ") { Ok(()) } else { Err(LabError::Other(format!("no ACK but {ack}"))) }
    }

    fn request(&mut self, method: &str, more: &str) -> String {
        self.cseq += 1;
        let Self { user, domain, call_id, cseq, .. } = self;
        let branch = token();
        format!(
            "{method} sip:{domain} SIP/2.0\r\nVia: SIP/2.0/WS {HOST};branch=z9hG4bK{branch}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{user}@{domain}>;tag=ws\r\nTo: <sip:{user}@{domain}>\r\n\
             Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nSupported: path, outbound\r\n\
             Contact: <sip:{user}@{HOST};transport=ws>;reg-id=1;+sip.instance=\"<urn:uuid:{call_id}>\"\r\n\
             {more}Content-Length: 0\r\n\r\n"
        )
    }
}

/// The value of a header field in a message.
pub fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
