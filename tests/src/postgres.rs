//! A private PostgreSQL: its own folder, its own socket, no network, gone with its handle.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::error::{LabError, LabResult};
use crate::gateway::TempFolder;

/// The user inside the cluster.
const USER: &str = "partyline";

/// A running cluster; killed when dropped.
#[derive(Debug)]
pub struct Cluster {
    folder: TempFolder,
    programs: PathBuf,
    /// Whom the server runs as: it refuses to be root.
    owner: Option<(u32, u32)>,
    server: Option<Child>,
}

impl Cluster {
    /// Makes a cluster in a temporary folder and starts it.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start.
    pub async fn start() -> LabResult<Self> {
        let (folder, programs) = (TempFolder::new()?, find_programs()?);
        let owner = unprivileged(folder.path())?;
        let mut cluster = Self { folder, programs, owner, server: None };
        let data = cluster.data();
        let mut make = cluster.command("initdb");
        make.args(["--no-sync", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-U", USER, "-D"]).arg(data);
        run(make, "making a PostgreSQL cluster").await?;
        cluster.resume().await?;
        Ok(cluster)
    }

    /// Makes an empty database and returns its URL.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn database(&self, name: &str) -> LabResult<String> {
        self.sql("postgres", &format!("CREATE DATABASE {name}")).await?;
        Ok(format!("postgres://{USER}@localhost/{name}?host={}", self.folder.path().display()))
    }

    /// The socket it listens on.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join(".s.PGSQL.5432")
    }

    /// Runs a statement in a database and returns what it answers, cells apart by `|`.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn sql(&self, database: &str, statement: &str) -> LabResult<String> {
        let mut psql = self.command("psql");
        psql.arg("-h").arg(self.folder.path()).args([
            "-U",
            USER,
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
        ]);
        psql.args(["-c", statement, database]);
        run(psql, statement).await
    }

    /// Stops the server at once, as a crash of its machine does.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn stop(&mut self) -> LabResult<()> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        signal("-QUIT", server.id().into_iter()).await?;
        let ended = tokio::time::timeout(Duration::from_secs(10), server.wait()).await;
        ended
            .map_err(|_| LabError::Timeout("PostgreSQL to end".to_owned()))?
            .map(drop)
            .map_err(LabError::io("waiting"))
    }

    /// Starts the server, again or for the first time, and waits until it answers.
    ///
    /// # Errors
    /// When it does not within ten seconds.
    pub async fn resume(&mut self) -> LabResult<()> {
        let mut server = self.command("postgres");
        server.arg("-D").arg(self.data()).arg("-k").arg(self.folder.path());
        server
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200"])
            .kill_on_drop(true);
        self.server = Some(server.spawn().map_err(LabError::io("starting PostgreSQL"))?);
        for _ in 0..100 {
            if self.sql("postgres", "SELECT 1").await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(LabError::Timeout("PostgreSQL to answer".to_owned()))
    }

    /// Halts every process of the server without ending it: connections stay, nothing answers.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn freeze(&self) -> LabResult<()> {
        signal("-STOP", self.processes()).await
    }

    /// Lets a halted server go on.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn thaw(&self) -> LabResult<()> {
        signal("-CONT", self.processes()).await
    }

    /// The server and its children.
    fn processes(&self) -> impl Iterator<Item = u32> {
        let server = self.server.as_ref().and_then(Child::id);
        let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let children = ids.filter(move |id| server.is_some() && parent(*id) == server);
        server.into_iter().chain(children.collect::<Vec<_>>())
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .current_dir(self.folder.path());
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }
}

/// The folder with the newest server's programs.
fn find_programs() -> LabResult<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> =
        versions.map(|entry| entry.path().join("bin")).filter(|bin| bin.join("postgres").is_file()).collect();
    found.sort();
    found.pop().ok_or_else(|| {
        LabError::Other("no PostgreSQL server: install the Debian package `postgresql`".to_owned())
    })
}

/// Gives the folder to an unprivileged user if we are root; nothing to do otherwise.
fn unprivileged(folder: &Path) -> LabResult<Option<(u32, u32)>> {
    use std::os::unix::fs::MetadataExt;
    let own = std::fs::metadata(folder).map_err(LabError::io("reading the folder"))?.uid();
    if own != 0 {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").map_err(LabError::io("reading /etc/passwd"))?;
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    let owner: Option<(u32, u32)> = ids("postgres").or_else(|| ids("nobody"));
    let owner = owner.ok_or_else(|| LabError::Other("neither a user postgres nor nobody".to_owned()))?;
    chown(folder, Some(owner.0), Some(owner.1)).map_err(LabError::io("giving the folder away"))?;
    Ok(Some(owner))
}

fn parent(id: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

async fn signal(name: &str, processes: impl Iterator<Item = u32>) -> LabResult<()> {
    for process in processes {
        let sent = Command::new("kill").arg(name).arg(process.to_string()).status().await;
        sent.map_err(LabError::io("sending a signal"))?;
    }
    Ok(())
}

async fn run(mut command: Command, what: &str) -> LabResult<String> {
    let output = command.output().await.map_err(LabError::io(what))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
    }
    Err(LabError::Other(format!("{what}: {}", String::from_utf8_lossy(&output.stderr).trim())))
}
