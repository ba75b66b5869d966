//! What an administrator does at the terminal instead of serving: tenants and users.

use crate::config::Config;
use crate::edge::{self, OsEntropy};
use crate::error::StartError;
use crate::start::database_url;
use clap::{Args, Subcommand, ValueEnum};
use conference::store::command::{self, Tools};
use conference::store::secrets::LinkKey;
use conference::store::seed::{TenantSeed, UserSeed};
use conference::store::{Resealed, Store, Vault};
use conference::vocabulary::TenantRole;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// Where the database is.
#[derive(Debug, Args)]
pub struct Place {
    /// The configuration file, for the database it names.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Folder of the database; made if missing.
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
}

/// `partyline rotate-key`: the key first, then everything that older ones have sealed.
pub fn rotate_key(place: &Place, resume: bool) -> ExitCode {
    let file = place.data.join("secrets.key");
    finish(at_database(place, async |tools| {
        if !resume {
            Vault::rotate(&file, &OsEntropy)?;
        }
        let vault = Vault::load_or_create(&file, Arc::new(OsEntropy))?;
        let Resealed { sealed, unreadable } = tools.store.reseal(&vault).await?;
        let rest = match unreadable {
            0 => "no other key is needed any more by what is in the database".to_owned(),
            _ => format!("{unreadable} could not be read, and are as they were: their key is gone"),
        };
        Ok(format!("{}: {sealed} secrets are sealed with the newest key; {rest}", file.display()))
    }))
}

/// `partyline tenant`.
#[derive(Debug, Subcommand)]
pub enum TenantCommand {
    /// Adds a tenant. A running gateway takes calls for its SIP domain from its next start on.
    Add {
        /// Where the database is.
        #[command(flatten)]
        place: Place,
        /// Its name, unique.
        #[arg(long)]
        name: String,
        /// Its SIP domain, unique.
        #[arg(long)]
        domain: String,
        /// ISO 3166 code of the country national numbers belong to.
        #[arg(long, default_value = "US")]
        country: String,
        /// The area code of seven-digit numbers.
        #[arg(long)]
        area_code: Option<String>,
        /// The domain of addresses of the form number@domain.
        #[arg(long)]
        phone_address_domain: Option<String>,
    },
}

/// `partyline user`.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Adds a user who can log in at once. Prints a password, this once, unless one is given on standard input.
    Add {
        /// Where the database is.
        #[command(flatten)]
        place: Place,
        /// Whom to add.
        #[command(flatten)]
        user: Box<NewUser>,
    },
}

/// The user to add.
#[derive(Debug, Args)]
pub struct NewUser {
    /// The tenant's name; may be left out while there is one tenant only.
    #[arg(long)]
    tenant: Option<String>,
    /// What is typed at login, in small letters.
    #[arg(long)]
    login: String,
    /// First name; the login if missing.
    #[arg(long)]
    first: Option<String>,
    /// Last name.
    #[arg(long, default_value = "")]
    last: String,
    /// Rights in the tenant.
    #[arg(long, value_enum, default_value = "tenant_admin")]
    role: RoleWord,
    /// Where invitations go.
    #[arg(long)]
    mail: Option<String>,
    /// 2 to 6 digits.
    #[arg(long)]
    extension: Option<String>,
    /// Reads the password from the first line of standard input instead of making one.
    #[arg(long)]
    password_stdin: bool,
}

/// The four roles.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
enum RoleWord {
    Guest,
    User,
    SessionAdmin,
    TenantAdmin,
}

/// The shortest password taken.
const PASSWORD_MIN: usize = conference::services::users_admin::PASSWORD_MIN;

/// Carries out `partyline tenant`.
pub fn tenant(command: TenantCommand) -> ExitCode {
    let TenantCommand::Add { place, name, domain, country, area_code, phone_address_domain } = command;
    let tenant =
        TenantSeed { name, domain, country, area_code, phone_address_domain, ..TenantSeed::default() };
    let words = format!("tenant {:?} added", tenant.name);
    finish(at_database(&place, async |tools| Ok(command::add_tenant(tools, tenant).await?)).map(|()| words))
}

/// Carries out `partyline user`.
pub fn user(command: UserCommand) -> ExitCode {
    let UserCommand::Add { place, user } = command;
    finish(add_user(&place, *user))
}

fn add_user(place: &Place, user: NewUser) -> Result<String, StartError> {
    let (password, made) = if user.password_stdin {
        (read_password()?, false)
    } else {
        (command::new_password(&OsEntropy), true)
    };
    let first = user.first.unwrap_or_else(|| user.login.clone());
    let words = match made {
        true => format!("user {:?} added\npassword: {password}", user.login),
        false => format!("user {:?} added", user.login),
    };
    let seed = UserSeed {
        login: user.login,
        password,
        first,
        last: user.last,
        extension: user.extension,
        mail: user.mail,
        role: match user.role {
            RoleWord::Guest => TenantRole::Guest,
            RoleWord::User => TenantRole::User,
            RoleWord::SessionAdmin => TenantRole::SessionAdmin,
            RoleWord::TenantAdmin => TenantRole::TenantAdmin,
        },
        caller_id: None,
        phones: Vec::new(),
        area_code: None,
        devices: Vec::new(),
    };
    let tenant = user.tenant;
    at_database(place, async |tools| Ok(command::add_user(tools, tenant.as_deref(), seed).await?))?;
    Ok(words)
}

fn read_password() -> Result<String, StartError> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']).to_owned();
    if password.chars().count() < PASSWORD_MIN {
        let words = format!("the password on standard input is shorter than {PASSWORD_MIN} characters");
        return Err(StartError::Command(words));
    }
    Ok(password)
}

/// Opens the database, whether or not the gateway is running on it.
fn at_database<T>(
    place: &Place,
    act: impl AsyncFnOnce(&Tools<'_>) -> Result<T, StartError>,
) -> Result<T, StartError> {
    let config = Config::load(&place.config).map_err(|mistakes| {
        StartError::Command(mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })?;
    let url = database_url(&config, &place.data)?;
    let links = LinkKey::load_or_create(&place.data.join("links.key"), &OsEntropy)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = Store::open_beside(&url).await?;
        let tools = Tools { store: &store, entropy: &OsEntropy, links: &links, now: edge::wall() };
        let done = act(&tools).await;
        store.close().await;
        done
    })
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the output of a command")]
fn finish(done: Result<String, StartError>) -> ExitCode {
    match done {
        Ok(words) => {
            println!("{words}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("partyline: {error}");
            ExitCode::FAILURE
        }
    }
}
