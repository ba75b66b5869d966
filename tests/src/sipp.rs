//! SIPp as a trunk: a peer that shares not one line with the lab or the product.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::error::{LabError, LabResult};
use crate::g711::Codec;
use crate::gateway::TempFolder;
use crate::rtp_leg::RATE;
use crate::tone::{self, Generator, SPEAKING_DBFS};

/// A running SIPp that serves so many calls; killed when dropped.
pub struct Sipp {
    child: Child,
    folder: TempFolder,
}

impl Sipp {
    /// Starts the scenario `name` of `tests/sipp` on `listen`; `caller` is the number it must see, without `+`.
    ///
    /// # Errors
    /// When the scenario cannot be read or `sipp` is not installed.
    pub async fn serve(name: &str, listen: SocketAddr, caller: &str, status: u16) -> LabResult<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sipp").join(format!("{name}.xml"));
        let scenario =
            fs::read_to_string(&path).map_err(LabError::io(format!("reading {}", path.display())))?;
        Self::play(&scenario.replace("@STATUS@", &status.to_string()), listen, caller, 1).await
    }

    /// Serves so many calls with a scenario that is given as text.
    ///
    /// # Errors
    /// When `sipp` is not installed, or does not like the scenario.
    pub async fn play(scenario: &str, listen: SocketAddr, caller: &str, calls: usize) -> LabResult<Self> {
        let folder = TempFolder::new()?;
        let file = folder.path().join("scenario.xml");
        fs::write(&file, scenario.replace("@CALLER@", caller))
            .map_err(LabError::io("writing the scenario"))?;
        fs::write(folder.path().join("voice.raw"), voice()).map_err(LabError::io("writing sipp's voice"))?;
        let mut command = Command::new("sipp");
        command.current_dir(folder.path()).arg("-sf").arg(&file);
        command.args(["-i", &listen.ip().to_string(), "-p", &listen.port().to_string()]);
        command.args(["-m", &calls.to_string(), "-mi", &listen.ip().to_string()]);
        command.args([
            "-nostdin",
            "-timeout",
            "90s",
            "-timeout_error",
            "-trace_err",
            "-error_file",
            "errors.log",
        ]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().map_err(LabError::io("starting sipp (Debian package sip-tester)"))?;
        let sipp = Self { child, folder };
        sipp.wait_listening(listen).await?;
        Ok(sipp)
    }

    /// SIPp says nothing when it listens: its port is then taken.
    async fn wait_listening(&self, listen: SocketAddr) -> LabResult<()> {
        for _ in 0..100 {
            if std::net::UdpSocket::bind(listen).is_err() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(LabError::Timeout(format!("sipp to listen on {listen}; {}", self.errors())))
    }

    /// Waits for the end of its call.
    ///
    /// # Errors
    /// When the scenario failed, with SIPp's words, or `timeout` passed.
    pub async fn finished(mut self, timeout: Duration) -> LabResult<()> {
        let ended = tokio::time::timeout(timeout, self.child.wait()).await;
        match ended {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(status) => Err(LabError::Other(format!("sipp failed with {status:?}: {}", self.errors()))),
            Err(_) => Err(LabError::Timeout(format!("sipp to finish; {}", self.errors()))),
        }
    }

    fn errors(&self) -> String {
        fs::read_to_string(self.path()).unwrap_or_else(|_| "it wrote no errors".to_owned())
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("errors.log")
    }
}

/// What it says, in PCMU: nothing for three seconds, the key 1 as a tone, and then the outside person's tone.
fn voice() -> Vec<u8> {
    let at_once = |level: f64, tones: &[u32], ms: usize| {
        let mut generators: Vec<Generator> = tones.iter().map(|hz| Generator::new(*hz, level)).collect();
        let mix = move || generators.iter_mut().map(|tone| tone.next_sample(RATE)).sum::<i16>();
        std::iter::repeat_with(mix).take(ms * 8).map(|sample| Codec::Pcmu.encode(sample)).collect::<Vec<u8>>()
    };
    let silence = at_once(SPEAKING_DBFS, &[], 3_000);
    let key = at_once(SPEAKING_DBFS, &[697, 1_209], 200);
    [silence, key, at_once(SPEAKING_DBFS, &[], 300), at_once(SPEAKING_DBFS, &[tone::OUTSIDE], 20_000)]
        .concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phone::{Phone, PhoneConfig};
    use crate::sip::agent::Outgoing;
    use crate::sip::call::{Call, CallState, EndedBy, Script};
    use crate::voice::Voice;
    use std::sync::Arc;

    const CALLER: &str = "12025550100";
    const LONG: Duration = Duration::from_secs(10);

    async fn call(listen: SocketAddr, number: &str) -> Arc<Call> {
        let config = PhoneConfig::new("caller", "none", "acme.test", listen, tone::HANA);
        let phone = Phone::start(config).await.unwrap();
        let identity = format!("\"Hana\" <sip:+{number}@acme.test>");
        let outgoing = Outgoing {
            uri: format!("sip:+12025550177@{listen}"),
            destination: listen,
            from: identity.clone(),
            asserted: Some(identity),
            identity: None,
            credentials: None,
            script: Script::answer(Duration::ZERO, Voice::silent()),
        };
        let call = phone.agent.call(outgoing).await.unwrap();
        // The agent lives as long as the call's task.
        drop(phone);
        call
    }

    fn free() -> SocketAddr {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.local_addr().unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_scenarios_play_with_the_lab() {
        let listen = free();
        let sipp = Sipp::serve("refuse", listen, CALLER, 486).await.unwrap();
        assert_eq!(call(listen, CALLER).await.wait_ended(LONG).await.unwrap(), EndedBy::Refused(486));
        sipp.finished(LONG).await.unwrap();

        let listen = free();
        let sipp = Sipp::serve("never_answers", listen, CALLER, 0).await.unwrap();
        let ringing = call(listen, CALLER).await;
        ringing.wait_until("ringing", LONG, |state| state == CallState::Ringing).await.unwrap();
        ringing.hang_up();
        assert_eq!(ringing.wait_ended(LONG).await.unwrap(), EndedBy::Cancelled);
        sipp.finished(LONG).await.unwrap();

        let listen = free();
        let sipp = Sipp::serve("answers", listen, CALLER, 0).await.unwrap();
        let talking = call(listen, CALLER).await;
        talking.wait_confirmed(LONG).await.unwrap();
        talking.hang_up();
        sipp.finished(LONG).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_wrong_caller_fails_the_scenario() {
        let listen = free();
        let sipp = Sipp::serve("refuse", listen, CALLER, 486).await.unwrap();
        let wrong = call(listen, "12025550999").await;
        assert!(sipp.finished(LONG).await.is_err());
        wrong.hang_up();
    }
}
