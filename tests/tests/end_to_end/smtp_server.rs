//! One mail through a mail server that others have written: Exim, with STARTTLS and login.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use partyline_tests::api::PersonToInvite;
use partyline_tests::gateway::TempFolder;
use partyline_tests::mail_sink::Taken;

use crate::mail::invitation;
use crate::support::{LONG, eventually, on_stage_with};

const EXIM: &str = "/usr/sbin/exim4";

/// A running Exim that keeps every mail in its queue.
struct Exim {
    child: Child,
    folder: TempFolder,
    port: u16,
}

impl Exim {
    async fn start() -> Self {
        let folder = TempFolder::new().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let path = folder.path();
        // Exim gives its root rights up for a user of its own.
        for inner in ["", "spool", "log"] {
            let inner = path.join(inner);
            fs::create_dir_all(&inner).unwrap();
            fs::set_permissions(&inner, fs::Permissions::from_mode(0o777)).unwrap();
        }
        let certificate = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        fs::write(path.join("cert.pem"), certificate.cert.pem()).unwrap();
        fs::write(path.join("key.pem"), certificate.signing_key.serialize_pem()).unwrap();
        fs::write(path.join("conf"), configuration(path, port)).unwrap();
        let child = Command::new(EXIM)
            .args(["-C".as_ref(), path.join("conf").as_os_str(), "-bdf".as_ref()])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let exim = Self { child, folder, port };
        eventually("Exim to answer", LONG, async || TcpStream::connect(("127.0.0.1", port)).is_ok()).await;
        exim
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// The mails in the queue, put together again from Exim's two files for each.
    fn taken(&self) -> Vec<Taken> {
        let folder = self.folder.path().join("spool/input");
        let Ok(entries) = fs::read_dir(&folder) else { return Vec::new() };
        let heads = entries.filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            name.strip_suffix("-H").map(str::to_owned)
        });
        heads.filter_map(|id| read(&folder, &id)).collect()
    }
}

impl Drop for Exim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    format!(
        "spool_directory = {folder}/spool\nlog_file_path = {folder}/log/%s.log\npid_file_path = {folder}/pid\n\
         primary_hostname = mail.lab.test\ndaemon_smtp_ports = {port}\nlocal_interfaces = 127.0.0.1\n\
         tls_advertise_hosts = *\ntls_certificate = {folder}/cert.pem\ntls_privatekey = {folder}/key.pem\n\
         auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}\nacl_smtp_rcpt = check\nqueue_only = true\n\
         keep_environment =\nbegin acl\ncheck:\n  deny message = log in first\n       !authenticated = *\n\
         \x20 deny message = no such user here\n       local_parts = gone\n  accept\nbegin routers\nbegin transports\n\
         begin authenticators\nplain:\n  driver = plaintext\n  public_name = PLAIN\n  server_prompts = :\n\
         \x20 server_condition = ${{if and{{{{eq{{$auth2}}{{partyline}}}}{{eq{{$auth3}}{{secret}}}}}}}}\n\
         \x20 server_set_id = $auth2\n"
    )
}

/// The file -H holds the envelope, and each field of the head behind its length and a flag; -D holds the body behind one
/// line with its own name.
fn read(folder: &Path, id: &str) -> Option<Taken> {
    let head = fs::read_to_string(folder.join(format!("{id}-H"))).ok()?;
    let body = fs::read_to_string(folder.join(format!("{id}-D"))).ok()?;
    let (envelope, mut fields) = head.split_once("\n\n")?;
    let mut bytes = String::new();
    while let Some((length, rest)) = fields.split_once(|c: char| !c.is_ascii_digit()) {
        let length: usize = length.parse().ok()?;
        // One flag and one space, the first of which has just been taken off.
        let field = rest.get(1..1 + length)?;
        bytes.push_str(field);
        fields = rest.get(1 + length..)?;
    }
    bytes.push('\n');
    bytes.push_str(body.split_once('\n')?.1);
    Some(Taken {
        from: envelope.lines().nth(2)?.trim_matches(['<', '>']).to_owned(),
        to: envelope.lines().last().map(str::to_owned).into_iter().collect(),
        user: envelope.lines().find_map(|line| line.strip_prefix("--auth_id ").map(str::to_owned)),
        bytes: bytes.replace('\n', "\r\n").into_bytes(),
        at: std::time::Instant::now(),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a08_i21_a_real_mail_server_takes_mail_over_starttls_with_login() {
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    if !root {
        eprintln!("not run: Exim's daemon starts for root alone");
        return;
    }
    let exim = Exim::start().await;
    let (port, ca) = (exim.port, exim.certificate());
    let with_exim = move |mut config: partyline_tests::stage::StageConfig| {
        config.configuration.push_str(&format!(
            "\n[mail]\nserver = \"127.0.0.1\"\nport = {port}\nca = \"{}\"\nuser = \"partyline\"\npassword = \"secret\"\n\
             from = \"meetings@acme.test\"\n",
            ca.display()
        ));
        Ok(config)
    };
    on_stage_with(with_exim, async |stage| {
        let (hana, _) = stage.login("hana").await?;
        let to = |address: &str| PersonToInvite {
            email: Some(address.to_owned()),
            role: "attendee".to_owned(),
            access: "collaborate".to_owned(),
            ..PersonToInvite::default()
        };
        let people = [to("guest@else.test"), to("gone@else.test")];
        let meeting = hana.create_meeting("Über alles", "conference", &people).await?;
        eventually("the mail in Exim's queue", Duration::from_secs(20), async || !exim.taken().is_empty())
            .await;
        let taken = exim.taken().remove(0);
        assert_eq!(taken.user.as_deref(), Some("partyline"));
        assert_eq!((taken.from.as_str(), taken.to[0].as_str()), ("meetings@acme.test", "guest@else.test"));
        let mail = taken.read()?;
        assert_eq!(mail.subject, "Invitation: Über alles");
        assert!(mail.text.contains("/join/") && mail.html.contains("/join/"), "{mail:?}");
        eventually("both rows", LONG, async || {
            invitation(&hana, &meeting.id, "guest").await["status"] == "sent"
                && invitation(&hana, &meeting.id, "gone").await["status"] == "failed"
        })
        .await;
        Ok(())
    })
    .await;
}
