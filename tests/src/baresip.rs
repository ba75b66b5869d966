//! baresip (the Debian package) as a desk phone: registers, answers by itself, plays a tone and records what it hears.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::ear::Ear;
use crate::error::{LabError, LabResult};
use crate::gateway::{TempFolder, free_address};
use crate::rtp_leg::RATE;
use crate::shared::lock;
use crate::tone::{Generator, SPEAKING_DBFS};

/// What it plays: its own sine generator speaks at 48 kHz only.
const TONE_FILE: &str = "tone.wav";
/// Longer than any test.
const TONE_SECONDS: u32 = 120;
/// How long it may take to answer an order.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who baresip is.
#[derive(Debug, Clone)]
pub struct BaresipConfig {
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
    /// How it speaks SIP: `udp`, `tcp` or `tls`.
    pub transport: String,
    /// With `tls`: PEM file of the authority it believes.
    pub authority: Option<PathBuf>,
    /// What it speaks.
    pub codec: BaresipCodec,
    /// Its encryption as it writes it: `srtp` (where the other side can), `srtp-mand` (always), `dtls_srtp`; none.
    pub encryption: Option<&'static str>,
    /// Whether it checks its media path by ICE.
    pub ice: bool,
    /// Whom it calls at its registrar as soon as it runs.
    pub calls: Option<String>,
}

impl BaresipConfig {
    /// A device of the demonstration: G.711 over UDP, in the clear.
    pub fn new(user: &str, registrar: SocketAddr, tone: u32) -> Self {
        Self {
            user: user.to_owned(),
            password: format!("{user}-secret-demo"),
            domain: "acme.test".to_owned(),
            registrar,
            tone,
            transport: "udp".to_owned(),
            authority: None,
            codec: BaresipCodec::Pcmu,
            encryption: None,
            ice: false,
            calls: None,
        }
    }
}

/// A codec of baresip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaresipCodec {
    /// G.711 mu-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722.
    G722,
    /// Opus, in stereo as it comes.
    Opus,
}

impl BaresipCodec {
    /// As the account says it.
    const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU/8000/1",
            Self::Pcma => "PCMA/8000/1",
            Self::G722 => "G722/16000/1",
            Self::Opus => "opus/48000/2",
        }
    }

    /// Samples in a second and channels of what it plays and records.
    const fn format(self) -> (u32, u16) {
        match self {
            Self::Pcmu | Self::Pcma => (RATE, 1),
            Self::G722 => (16_000, 1),
            Self::Opus => (48_000, 2),
        }
    }
}

/// A running baresip; killed when dropped.
pub struct Baresip {
    child: Child,
    folder: TempFolder,
    words: Arc<Mutex<Vec<String>>>,
    /// Where it takes orders.
    orders: SocketAddr,
}

impl Baresip {
    /// Starts it in a folder of its own.
    ///
    /// # Errors
    /// When its files cannot be written or `baresip` is not installed.
    pub async fn start(config: &BaresipConfig) -> LabResult<Self> {
        let folder = TempFolder::new()?;
        let write = |name: &str, text: String| {
            fs::write(folder.path().join(name), text)
                .map_err(LabError::io(format!("writing baresip's {name}")))
        };
        let orders = free_address()?;
        write("config", configuration(folder.path(), config, orders))?;
        write("accounts", account(config))?;
        write("contacts", String::new())?;
        let tone = tone_file(config.tone, config.codec.format());
        fs::write(folder.path().join(TONE_FILE), tone).map_err(LabError::io("writing baresip's tone"))?;
        let mut command = Command::new("baresip");
        command.current_dir(folder.path()).arg("-f").arg(folder.path());
        if let Some(number) = &config.calls {
            command.arg("-e").arg(format!("/dial sip:{number}@{}", config.domain));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(LabError::io("starting baresip (Debian package baresip)"))?;
        let words = Arc::new(Mutex::new(Vec::new()));
        if let Some(output) = child.stdout.take() {
            tokio::spawn(collect(output, Arc::clone(&words)));
        }
        if let Some(output) = child.stderr.take() {
            tokio::spawn(collect(output, Arc::clone(&words)));
        }
        Ok(Self { child, folder, words, orders })
    }

    /// Everything it said so far.
    pub fn words(&self) -> Vec<String> {
        lock(&self.words).clone()
    }

    /// Gives it an order as its menu knows them: `hold`, `resume`, `sndcode` with a key, `transfer` with an address.
    ///
    /// # Errors
    /// When it does not take orders, or cannot do this one; its answer is in the message.
    pub async fn order(&self, command: &str, params: &str) -> LabResult<()> {
        let what = format!("ordering baresip to {command} {params}");
        let order = format!("{{\"command\":\"{command}\",\"params\":\"{params}\",\"token\":\"lab\"}}");
        let exchange = async {
            let mut stream = TcpStream::connect(self.orders).await?;
            stream.write_all(format!("{}:{order},", order.len()).as_bytes()).await?;
            let mut heard = String::new();
            let mut buffer = [0; 4_096];
            // Events come by the same way; the answer bears the token.
            while !heard.split("},").any(|message| message.contains("\"token\":\"lab\"")) {
                let length = stream.read(&mut buffer).await?;
                if length == 0 {
                    break;
                }
                heard += &String::from_utf8_lossy(&buffer[..length]);
            }
            Ok(heard)
        };
        let heard = tokio::time::timeout(PATIENCE, exchange)
            .await
            .map_err(|_| LabError::Timeout(format!("the end of {what}")))?
            .map_err(LabError::io(what.clone()))?;
        if heard.contains("\"ok\":true") { Ok(()) } else { Err(LabError::Other(format!("{what}: {heard}"))) }
    }

    /// Waits until it said something that contains `text`.
    ///
    /// # Errors
    /// When `timeout` passes first.
    pub async fn wait_word(&self, text: &str, timeout: Duration) -> LabResult<String> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(line) = self.words().into_iter().find(|line| line.contains(text)) {
                return Ok(line);
            }
            if Instant::now() >= deadline {
                let words = self.words().join("\n");
                return Err(LabError::Timeout(format!("baresip to say {text:?}; it said:\n{words}")));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What it decoded so far, heard by an ear of the lab from now on in the past: times are relative only.
    ///
    /// # Errors
    /// When it recorded nothing readable.
    pub fn recording(&self) -> LabResult<Ear> {
        let files = fs::read_dir(self.folder.path()).map_err(LabError::io("listing baresip's folder"))?;
        let mut recordings: Vec<PathBuf> = files
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.to_string_lossy().ends_with("-dec.wav"))
            .collect();
        recordings.sort();
        let path = recordings.last().ok_or_else(|| LabError::Other("baresip recorded nothing".to_owned()))?;
        hear_file(path)
    }

    /// Asks it to end (it hangs up and unregisters), so that its recording is complete.
    ///
    /// # Errors
    /// When it does not end within five seconds (it is killed when dropped).
    pub async fn quit(&mut self) -> LabResult<()> {
        if let Some(pid) = self.child.id() {
            let asked = Command::new("sh").arg("-c").arg(format!("kill -INT {pid}")).status().await;
            asked.map_err(LabError::io("sending SIGINT to baresip"))?;
        }
        let ended = tokio::time::timeout(Duration::from_secs(5), self.child.wait()).await;
        ended.map(|_| ()).map_err(|_| LabError::Timeout("baresip to quit".to_owned()))
    }
}

fn configuration(folder: &Path, config: &BaresipConfig, orders: SocketAddr) -> String {
    let modules = module_folder();
    let names = [
        "g711.so",
        "g722.so",
        "opus.so",
        "srtp.so",
        "dtls_srtp.so",
        "ice.so",
        "aufile.so",
        "aubridge.so",
        "sndfile.so",
        "account.so",
        "menu.so",
        "ctrl_tcp.so",
    ];
    let (rate, channels) = config.codec.format();
    let mut lines = vec![
        "poll_method epoll".to_owned(),
        "sip_listen 127.0.0.1:0".to_owned(),
        "call_max_calls 4".to_owned(),
        format!("audio_srate {rate}-{rate}"),
        format!("audio_channels {channels}-{channels}"),
        format!("audio_source aufile,{}", folder.join(TONE_FILE).display()),
        "audio_player aubridge,ear".to_owned(),
        "audio_alert aubridge,alert".to_owned(),
        "audio_telev_pt 101".to_owned(),
        "rtcp_mux yes".to_owned(),
        "rtp_ports 33000-33999".to_owned(),
        "net_interface 127.0.0.1".to_owned(),
        format!("snd_path {}", folder.display()),
        format!("module_path {}", modules.display()),
        format!("ctrl_tcp_listen {orders}"),
    ];
    if let Some(authority) = &config.authority {
        lines.push(format!("sip_cafile {}", authority.display()));
        lines.push("sip_verify_server yes".to_owned());
    }
    lines.extend(names.iter().map(|name| {
        let kind =
            if ["account.so", "menu.so", "ctrl_tcp.so"].contains(name) { "module_app" } else { "module" };
        format!("{kind} {name}")
    }));
    lines.join("\n") + "\n"
}

fn module_folder() -> PathBuf {
    let usual = ["/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules"];
    usual.iter().map(PathBuf::from).find(|path| path.is_dir()).unwrap_or_else(|| PathBuf::from(usual[0]))
}

fn account(config: &BaresipConfig) -> String {
    let BaresipConfig { user, password, domain, registrar, transport, .. } = config;
    let codec = config.codec.name();
    let encryption = config.encryption.map_or_else(String::new, |kind| format!(";mediaenc={kind}"));
    let ice = if config.ice { ";medianat=ice" } else { "" };
    format!(
        "\"Desk phone {user}\" <sip:{user}@{domain}>;auth_user={user};auth_pass={password};\
         outbound=\"sip:{registrar};transport={transport}\";regint=60;answermode=auto;audio_codecs={codec}{encryption}{ice}\n"
    )
}

/// A RIFF file of 16-bit sound with one tone in it, the same in all channels.
pub(crate) fn tone_file(hz: u32, (rate, channels): (u32, u16)) -> Vec<u8> {
    let frame = channels * 2;
    let data = rate * TONE_SECONDS * u32::from(frame);
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + data).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16u32.to_le_bytes());
    // PCM.
    bytes.extend([1, 0]);
    bytes.extend(channels.to_le_bytes());
    bytes.extend(rate.to_le_bytes());
    bytes.extend((rate * u32::from(frame)).to_le_bytes());
    bytes.extend(frame.to_le_bytes());
    // Sixteen bits a sample.
    bytes.extend([16, 0]);
    bytes.extend(b"data");
    bytes.extend(data.to_le_bytes());
    let mut generator = Generator::new(hz, SPEAKING_DBFS);
    for _ in 0..rate * TONE_SECONDS {
        let sample = generator.next_sample(rate).to_le_bytes();
        (0..channels).for_each(|_| bytes.extend(sample));
    }
    bytes
}

/// What a peer has recorded, heard by an ear of the lab from now on in the past: times are relative only.
pub(crate) fn hear_file(path: &Path) -> LabResult<Ear> {
    let bytes = fs::read(path).map_err(LabError::io(format!("reading {}", path.display())))?;
    let (rate, samples) = read_wav(&bytes)
        .ok_or_else(|| LabError::Other(format!("{} is no 16-bit WAV file", path.display())))?;
    let ear = Ear::new(rate);
    let length = Duration::from_micros(samples.len() as u64 * 1_000_000 / u64::from(rate));
    let now = Instant::now();
    ear.hear(now.checked_sub(length).unwrap_or(now), &samples);
    Ok(ear)
}

/// Rate and samples of the first channel of a RIFF file of 16-bit sound; tolerates a data chunk that is still being written.
fn read_wav(bytes: &[u8]) -> Option<(u32, Vec<i16>)> {
    if bytes.get(..4)? != b"RIFF" || bytes.get(8..12)? != b"WAVE" {
        return None;
    }
    let mut at = 12;
    let mut format = None;
    loop {
        let name = bytes.get(at..at + 4)?;
        let length = u32::from_le_bytes(bytes.get(at + 4..at + 8)?.try_into().ok()?) as usize;
        let body = bytes.get(at + 8..)?;
        match name {
            b"fmt " => {
                let channels = usize::from(u16::from_le_bytes(body.get(2..4)?.try_into().ok()?));
                let bits = u16::from_le_bytes(body.get(14..16)?.try_into().ok()?);
                if channels == 0 || bits != 16 {
                    return None;
                }
                format = Some((u32::from_le_bytes(body.get(4..8)?.try_into().ok()?), channels));
            }
            b"data" => {
                let data = if length == 0 { body } else { &body[..length.min(body.len())] };
                let (rate, channels) = format?;
                let frames = data.chunks_exact(2 * channels);
                return Some((rate, frames.map(|frame| i16::from_le_bytes([frame[0], frame[1]])).collect()));
            }
            _ => {}
        }
        at += 8 + length + length % 2;
    }
}

pub(crate) async fn collect(output: impl AsyncRead + Unpin + Send, words: Arc<Mutex<Vec<String>>>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        lock(&words).push(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carrier::{Carrier, CarrierConfig};
    use crate::sip::agent::Outgoing;
    use crate::sip::call::Script;
    use crate::sip::digest::Credentials;
    use crate::tone;
    use crate::voice::Voice;

    #[test]
    fn a_wav_file_is_read() {
        for format in [(RATE, 1), (48_000, 2)] {
            let (rate, samples) = read_wav(&tone_file(tone::UMA, format)).unwrap();
            assert_eq!((rate, samples.len()), (format.0, (rate * TONE_SECONDS) as usize));
            let window = &samples[..rate as usize / 50];
            assert!((tone::level_dbfs(window, rate, tone::UMA) - SPEAKING_DBFS).abs() < 0.1);
        }
        assert_eq!(read_wav(b"nonsense"), None);
    }

    /// The lab's carrier in the product's place.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn baresip_registers_answers_and_is_heard() {
        let account = Credentials::new("103a", "secret");
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let carrier =
            Carrier::start(CarrierConfig { listen, challenge: None, accounts: vec![account] }).await.unwrap();
        let mut baresip = Baresip::start(&BaresipConfig {
            password: "secret".to_owned(),
            ..BaresipConfig::new("103a", carrier.local(), tone::UMA)
        })
        .await
        .unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        let binding = loop {
            if let Some(binding) = carrier.agent.bindings().get("103a").cloned() {
                break binding;
            }
            assert!(Instant::now() < deadline, "baresip did not register:\n{}", baresip.words().join("\n"));
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        let start = Instant::now();
        let call = carrier
            .agent
            .call(Outgoing {
                uri: binding.contact.clone(),
                destination: binding.source,
                from: "\"Hana\" <sip:+12025550100@acme.test>".to_owned(),
                asserted: None,
                identity: None,
                credentials: None,
                script: Script::answer(Duration::ZERO, Voice::steady(tone::HANA)),
            })
            .await
            .unwrap();
        call.wait_confirmed(Duration::from_secs(10))
            .await
            .unwrap_or_else(|error| panic!("{error}:\n{}", baresip.words().join("\n")));
        assert!(call.ear().wait_for(tone::UMA, start, Duration::from_secs(5)).await.is_some());
        tokio::time::sleep(Duration::from_secs(2)).await;
        call.hang_up();
        call.wait_ended(Duration::from_secs(5)).await.unwrap();
        baresip.quit().await.unwrap();
        let ear = baresip.recording().unwrap();
        let long_ago = start.checked_sub(Duration::from_secs(60)).unwrap();
        let heard = ear.tones_since(long_ago, Duration::from_millis(500));
        assert_eq!(heard, [tone::HANA]);
    }
}
