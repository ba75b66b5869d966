//! linphone (the console of the Debian package linphone-cli) as a phone: registers, answers by itself or calls, plays a
//! tone and records what it hears.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};

use crate::baresip::{collect, hear_file, tone_file};
use crate::ear::Ear;
use crate::error::{LabError, LabResult};
use crate::gateway::TempFolder;
use crate::shared::lock;

/// Who linphone is.
#[derive(Debug, Clone)]
pub struct LinphoneConfig {
    /// Device name and digest user.
    pub user: String,
    /// Digest password.
    pub password: String,
    /// Domain of the address of record.
    pub domain: String,
    /// Where it registers.
    pub registrar: SocketAddr,
    /// The tone it plays.
    pub tone: u32,
    /// `none`, `srtp` (keys in SDP) or `dtls`.
    pub encryption: &'static str,
    /// How it speaks SIP: `udp`, `tcp` or `tls`.
    pub transport: &'static str,
    /// With `tls`: PEM file of the authority it believes.
    pub authority: Option<PathBuf>,
    /// Whether it sends keys by INFO instead of RFC 4733.
    pub keys_by_info: bool,
}

impl LinphoneConfig {
    /// A device of the demonstration.
    pub fn new(user: &str, registrar: SocketAddr, tone: u32, encryption: &'static str) -> Self {
        Self {
            user: user.to_owned(),
            password: format!("{user}-secret-demo"),
            domain: "acme.test".to_owned(),
            registrar,
            tone,
            encryption,
            transport: "udp",
            authority: None,
            keys_by_info: false,
        }
    }
}

/// A running linphone; killed when dropped.
pub struct Linphone {
    child: Child,
    commands: ChildStdin,
    folder: TempFolder,
    words: Arc<Mutex<Vec<String>>>,
    registrar: SocketAddr,
}

impl Linphone {
    /// Starts it in a folder of its own and lets it register.
    ///
    /// # Errors
    /// When its files cannot be written or `linphonec` is not installed.
    pub async fn start(config: &LinphoneConfig) -> LabResult<Self> {
        let folder = TempFolder::new()?;
        let home = folder.path();
        let write = |name: &str, bytes: Vec<u8>| {
            fs::write(home.join(name), bytes).map_err(LabError::io(format!("writing linphone's {name}")))
        };
        write("rc", configuration(config).into_bytes())?;
        write("tone.wav", tone_file(config.tone, (16_000, 1)))?;
        let data = home.join(".local/share/linphone");
        fs::create_dir_all(data).map_err(LabError::io("making linphone's folder"))?;
        let mut command = Command::new("linphonec");
        command.current_dir(home).env("HOME", home).args(["-a", "-c", "rc"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let started = command.spawn();
        let mut child = started.map_err(LabError::io("starting linphonec (Debian package linphone-cli)"))?;
        let words = Arc::new(Mutex::new(Vec::new()));
        if let Some(output) = child.stdout.take() {
            tokio::spawn(collect(output, Arc::clone(&words)));
        }
        if let Some(output) = child.stderr.take() {
            tokio::spawn(collect(output, Arc::clone(&words)));
        }
        let commands =
            child.stdin.take().ok_or_else(|| LabError::Other("linphone takes no commands".to_owned()))?;
        let mut phone = Self { child, commands, folder, words, registrar: config.registrar };
        phone.tell("soundcard use files").await?;
        phone.tell(&format!("play {}", phone.path("tone.wav"))).await?;
        phone.tell(&format!("record {}", phone.path("heard.wav"))).await?;
        let LinphoneConfig { user, domain, registrar, password, transport, .. } = config;
        let register =
            format!("register sip:{user}@{domain} sip:{registrar};transport={transport} {password}");
        phone.tell(&register).await?;
        Ok(phone)
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Types a command.
    ///
    /// # Errors
    /// When it has ended.
    pub async fn tell(&mut self, command: &str) -> LabResult<()> {
        let line = format!("{command}\n");
        let written = self.commands.write_all(line.as_bytes()).await;
        written.map_err(LabError::io(format!("telling linphone to {command:?}")))
    }

    /// Calls `user` at its registrar: the domain of the tests has no address.
    ///
    /// # Errors
    /// When it has ended.
    pub async fn call(&mut self, user: &str) -> LabResult<()> {
        let command = format!("call sip:{user}@{}", self.registrar);
        self.tell(&command).await
    }

    /// Everything it said so far.
    pub fn words(&self) -> Vec<String> {
        lock(&self.words).clone()
    }

    /// Waits until it said something that contains `text`.
    ///
    /// # Errors
    /// When `timeout` passes first.
    pub async fn wait_word(&self, text: &str, timeout: Duration) -> LabResult<()> {
        let said = async {
            while !self.words().iter().any(|line| line.contains(text)) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(timeout, said).await.map_err(|_| {
            LabError::Timeout(format!("linphone to say {text:?}; it said:\n{}", self.words().join("\n")))
        })
    }

    /// Lets it hang up and end, and gives what it recorded, heard by an ear of the lab in the past.
    ///
    /// # Errors
    /// When it does not end within five seconds, or recorded nothing readable.
    pub async fn finish(&mut self) -> LabResult<Ear> {
        self.tell("terminate all").await?;
        self.tell("quit").await?;
        let ended = tokio::time::timeout(Duration::from_secs(5), self.child.wait()).await;
        ended
            .map_err(|_| LabError::Timeout("linphone to quit".to_owned()))?
            .map_err(LabError::io("linphone"))?;
        hear_file(&self.folder.path().join("heard.wav"))
    }
}

fn configuration(config: &LinphoneConfig) -> String {
    let mandatory = u8::from(config.encryption != "none");
    let info = u8::from(config.keys_by_info);
    // The certificate is checked for its authority; its name is an address, which not every build can compare.
    let believed = config.authority.as_ref();
    let authority = believed.map_or_else(String::new, |path| format!("root_ca={}\n", path.display()));
    // -1 is any port, 0 none.
    let port = |transport| if config.transport == transport { -1 } else { 0 };
    format!(
        "[sip]\n{authority}verify_server_cn=0\nuse_info={info}\nuse_rfc2833={}\n\
         sip_port={}\nsip_tcp_port={}\nsip_tls_port={}\nguess_hostname=0\nuse_ipv6=0\n\
         register_only_when_network_is_up=0\nmedia_encryption={}\nmedia_encryption_mandatory={mandatory}\n\
         [rtp]\naudio_rtp_port=34000-35999\n[sound]\nechocancellation=0\necholimiter=0\nagc=0\n\
         [video]\nenabled=0\ncapture=0\ndisplay=0\n",
        1 - info,
        port("udp"),
        port("tcp"),
        port("tls"),
        config.encryption
    )
}
