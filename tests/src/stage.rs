//! A whole house to test in: the gateway on free ports with the demonstration's people, and the lab's carrier as its
//! trunk.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::api::{Api, Me, Meeting};
use crate::carrier::{Carrier, CarrierConfig};
use crate::error::{LabError, LabResult};
use crate::gateway::{self, Gateway, Ports, TempFolder};
use crate::participant::Participant;
use crate::phone::{Phone, PhoneConfig};
use crate::voice::Voice;

/// Domain of the demonstration's tenant.
pub const DOMAIN: &str = "acme.test";
/// Hana's number as the world sees it.
pub const HANA_NUMBER: &str = "+12025550100";

/// What to start.
#[derive(Debug, Clone)]
pub struct StageConfig {
    /// The program under test.
    pub binary: PathBuf,
    /// Its configuration, already with `ports` in it.
    pub configuration: String,
    /// Where everything listens.
    pub ports: Ports,
    /// Leaves the trunk's address to somebody else (SIPp); the lab's carrier then listens elsewhere.
    pub foreign_trunk: bool,
    /// Environment variables of the program.
    pub environment: Vec<(String, String)>,
}

impl StageConfig {
    /// The demonstration's configuration on free ports, the binary from the target folder.
    ///
    /// # Errors
    /// When one of them is missing.
    pub fn demo_on_free_ports() -> LabResult<Self> {
        let ports = Ports::free()?;
        let configuration = ports.apply(&gateway::demo_configuration()?);
        let config = Self::new(gateway::find_binary()?, configuration, ports);
        // Further media threads would take further ports.
        config.set("threads", "1")
    }

    /// The demonstration as it is described: its own ports, and `configuration` in place of `configs/demo.toml`.
    ///
    /// # Errors
    /// When the configuration cannot be read.
    pub fn demo(binary: PathBuf, configuration: Option<&Path>) -> LabResult<Self> {
        let configuration = match configuration {
            Some(path) => {
                fs::read_to_string(path).map_err(LabError::io(format!("reading {}", path.display())))?
            }
            None => gateway::demo_configuration()?,
        };
        Ok(Self::new(binary, configuration, Ports::demo()))
    }

    const fn new(binary: PathBuf, configuration: String, ports: Ports) -> Self {
        Self { binary, configuration, ports, foreign_trunk: false, environment: Vec::new() }
    }

    /// Sets a key that the demonstration shows as a comment with its default.
    ///
    /// # Errors
    /// When the demonstration does not show that key.
    pub fn set(mut self, key: &str, value: &str) -> LabResult<Self> {
        let shown = format!("# {key} = ");
        let Some(at) = self.configuration.find(&shown) else {
            return Err(LabError::Other(format!("configs/demo.toml shows no key {key}")));
        };
        let end = self.configuration[at..].find('\n').map_or(self.configuration.len(), |length| at + length);
        self.configuration.replace_range(at..end, &format!("{key} = {value}"));
        Ok(self)
    }
}

/// A running house.
pub struct Stage {
    /// A client without a token.
    pub api: Api,
    /// The trunk's peer.
    pub carrier: Carrier,
    /// Where everything listens.
    pub ports: Ports,
    gateway: Option<Gateway>,
    config: StageConfig,
    folder: TempFolder,
}

/// A meeting with its Host in it.
pub struct Room {
    /// The Host's client.
    pub api: Api,
    /// The meeting.
    pub meeting: Meeting,
    /// The Host in the meeting.
    pub host: Participant,
}

impl Stage {
    /// Starts the demonstration's house on free ports.
    ///
    /// # Errors
    /// When anything does not start.
    pub async fn demo() -> LabResult<Self> {
        Self::start(StageConfig::demo_on_free_ports()?).await
    }

    /// Starts carrier and gateway.
    ///
    /// # Errors
    /// When anything does not start.
    pub async fn start(config: StageConfig) -> LabResult<Self> {
        let folder = TempFolder::new()?;
        let port = if config.foreign_trunk { 0 } else { config.ports.carrier };
        let listen = SocketAddr::from(([127, 0, 0, 1], port));
        let carrier = Carrier::start(CarrierConfig::new(listen)).await?;
        let path = folder.path().join("partyline.toml");
        fs::write(&path, &config.configuration).map_err(LabError::io("writing the configuration"))?;
        let mut stage =
            Self { api: Api::new(""), carrier, ports: config.ports, gateway: None, config, folder };
        stage.start_gateway().await?;
        Ok(stage)
    }

    async fn start_gateway(&mut self) -> LabResult<()> {
        let data = self.data();
        fs::create_dir_all(&data).map_err(LabError::io("creating the data folder"))?;
        let path = self.folder.path().join("partyline.toml");
        let StageConfig { binary, environment, .. } = &self.config;
        let gateway = Gateway::start_in(binary, &path, &data, environment).await?;
        self.api = Api::new(&gateway.ready.api);
        self.gateway = Some(gateway);
        Ok(())
    }

    /// The gateway.
    ///
    /// # Errors
    /// When it is not running.
    pub fn gateway(&self) -> LabResult<&Gateway> {
        self.gateway.as_ref().ok_or_else(|| LabError::Other("the gateway is not running".to_owned()))
    }

    /// The gateway's SIP address.
    ///
    /// # Errors
    /// When it is not running.
    pub fn sip(&self) -> LabResult<SocketAddr> {
        Ok(self.gateway()?.ready.sip)
    }

    /// The gateway's data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// kill -9, then a new gateway on the same data.
    ///
    /// # Errors
    /// When it does not come back.
    pub async fn crash_and_restart(&mut self) -> LabResult<()> {
        if let Some(gateway) = self.gateway.take() {
            gateway.crash().await?;
        }
        self.start_gateway().await
    }

    /// A new gateway on the same data, after [`Stage::stop`].
    ///
    /// # Errors
    /// When it does not start; its last words are in the message.
    pub async fn restart(&mut self) -> LabResult<()> {
        self.start_gateway().await
    }

    /// SIGTERM; returns the exit code.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn stop(&mut self) -> LabResult<Option<i32>> {
        match self.gateway.take() {
            Some(gateway) => gateway.stop().await,
            None => Ok(None),
        }
    }

    /// Waits until the gateway ends by itself; its exit code.
    ///
    /// # Errors
    /// When it is still there when the time is up.
    pub async fn wait_end(&mut self, timeout: Duration) -> LabResult<Option<i32>> {
        match self.gateway.take() {
            Some(gateway) => gateway.wait(timeout).await,
            None => Ok(None),
        }
    }

    /// Logs a demonstration user in; the password is the login with `-demo`.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn login(&self, login: &str) -> LabResult<(Api, Me)> {
        self.api.login(login, &format!("{login}-demo")).await
    }

    /// A phone for `device`, not registered yet.
    ///
    /// # Errors
    /// When it cannot bind.
    pub async fn phone(&self, device: &str, tone: u32) -> LabResult<Phone> {
        let password = format!("{device}-secret-demo");
        Phone::start(PhoneConfig::new(device, &password, DOMAIN, self.sip()?, tone)).await
    }

    /// A registered phone for `device`.
    ///
    /// # Errors
    /// When it cannot register.
    pub async fn registered_phone(&self, device: &str, tone: u32) -> LabResult<Phone> {
        let phone = self.phone(device, tone).await?;
        phone.register(300).await?;
        Ok(phone)
    }

    /// A new meeting of `kind` that `login` has created and joined, speaking with `voice`.
    ///
    /// # Errors
    /// When the gateway refuses any of it.
    pub async fn room(&self, login: &str, kind: &str, voice: Voice) -> LabResult<Room> {
        let (api, _) = self.login(login).await?;
        let meeting = api.create_meeting("Lab meeting", kind, &[]).await?;
        api.start_meeting(&meeting.id).await?;
        let host = Participant::join(&api, &meeting.id, voice).await?;
        Ok(Room { api, meeting, host })
    }

    /// Waits until nothing is left of any call at the carrier.
    ///
    /// # Errors
    /// When calls are still open after `timeout`.
    pub async fn wait_quiet(&self, timeout: Duration) -> LabResult<()> {
        let deadline = tokio::time::Instant::now() + timeout;
        while self.carrier.open_calls() > 0 {
            if tokio::time::Instant::now() >= deadline {
                let open: Vec<String> = self
                    .carrier
                    .calls()
                    .iter()
                    .filter(|call| !call.is_over())
                    .map(|call| format!("{} {:?}", call.facts.request_user, call.state()))
                    .collect();
                return Err(LabError::Timeout(format!("the carrier's calls to end: {}", open.join(", "))));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commented_key_is_set() {
        let configuration =
            "[dialling]\n# ring_timeout_s = 45      # no answer after this\n# other = 1\n".to_owned();
        let ports = Ports::demo();
        let config = StageConfig::new(PathBuf::new(), configuration, ports);
        let config = config.set("ring_timeout_s", "3").unwrap();
        assert_eq!(config.configuration, "[dialling]\nring_timeout_s = 3\n# other = 1\n");
        assert!(config.set("nonsense", "3").is_err());
    }
}
