//! Adding many users by a CSV file (I81).
//!
//! Every row stands alone: one that cannot be taken is named by its line, the others go in. Cells are text, whatever they
//! begin with; where a spreadsheet program has put an apostrophe before a formula sign so that it stays text, the apostrophe
//! is taken away again (W8).

use super::views::{UploadReport, UploadRow, UploadStatus};
use super::{NewUser, Services};
use crate::services::actor::{Actor, UserActor};
use crate::services::error::ServiceError;
use crate::store::{StoreError, TenantRow};
use crate::vocabulary::TenantRole;
use csv::ByteRecord;

/// The file an administrator fills in.
pub const TEMPLATE: &str = "First name,Last name,E-mail,Role,ID,Extension\r\n";
/// The most rows of one file.
const ROWS_MAX: usize = 10_000;
/// The most bytes of one cell.
const CELL_MAX: usize = 500;
/// Users written in one transaction. Calls and meetings wait for none of them longer than that takes.
const BATCH: usize = 100;

/// Which cell of a row is what.
struct Columns {
    first: usize,
    last: usize,
    mail: usize,
    role: usize,
    id: Option<usize>,
    extension: Option<usize>,
}

/// A row that could be read, or what is wrong with it.
struct Row {
    line: u64,
    mail: Option<String>,
    user: Result<NewUser, ServiceError>,
}

impl Services {
    /// Adds the users of a file in the form of [`TEMPLATE`].
    ///
    /// # Errors
    /// Invalid if the file as a whole is not of that form; forbidden for all but tenant admins. What is wrong with single
    /// rows is in the report.
    pub async fn upload_users(&self, actor: &Actor, file: &[u8]) -> Result<UploadReport, ServiceError> {
        let admin = actor.user()?.tenant_admin()?;
        let tenant = self.own_tenant(admin).await?;
        let rows = read(file)?;
        let mut report = UploadReport { created: 0, failed: 0, rows: Vec::with_capacity(rows.len()) };
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let batch: Vec<Row> = rows.by_ref().take(BATCH).collect();
            self.upload_batch(admin, &tenant, batch, &mut report).await?;
        }
        Ok(report)
    }

    async fn upload_batch(
        &self,
        admin: &UserActor,
        tenant: &TenantRow,
        batch: Vec<Row>,
        report: &mut UploadReport,
    ) -> Result<(), ServiceError> {
        let mut transaction = self.store.begin().await?;
        for Row { line, mail, user } in batch {
            let checked = user.and_then(|user| self.new_user_row(tenant, user));
            let written = match checked {
                // Everything that could refuse it is asked before anything is written, so that a refusal leaves
                // the transaction whole.
                Ok(row) => {
                    let id = row.0.id.clone();
                    self.write_user(&mut transaction, admin, row, "csv").await.map(|token| (id, token))
                }
                Err(error) => Err(error),
            };
            let mut row = UploadRow {
                line,
                status: UploadStatus::Created,
                email: mail,
                user: None,
                enrol: None,
                field: None,
                detail: None,
                mend: None,
            };
            match written {
                Ok((id, token)) => {
                    report.created += 1;
                    row.user = Some(id);
                    row.enrol = Some(self.enrol_link(&token));
                }
                Err(error) if error.internal.is_some() => return Err(error),
                Err(error) => {
                    report.failed += 1;
                    row.status = UploadStatus::Failed;
                    row.field = error.field;
                    row.detail = Some(error.detail);
                    row.mend = Some(error.mend).filter(|mend| !mend.is_empty());
                }
            }
            report.rows.push(row);
        }
        transaction.commit().await.map_err(StoreError::from)?;
        Ok(())
    }
}

fn wrong(detail: impl Into<String>, mend: impl Into<String>) -> ServiceError {
    ServiceError::invalid("file", detail).mend(mend)
}

/// The rows of the file, each read or refused by itself.
fn read(file: &[u8]) -> Result<Vec<Row>, ServiceError> {
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let first_line = file.split(|byte| *byte == b'\n').next().unwrap_or_default();
    // Spreadsheet programs write semicolons where the comma is the decimal sign.
    let delimiter = if first_line.contains(&b';') && !first_line.contains(&b',') { b';' } else { b',' };
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(file);
    let mut record = ByteRecord::new();
    let failed =
        |error: csv::Error| wrong(format!("The file cannot be read: {error}"), "Save it as CSV in UTF-8");
    if !reader.read_byte_record(&mut record).map_err(failed)? {
        return Err(wrong("The file is empty", "Fill in the template"));
    }
    let columns = Columns::of(&record)?;
    let (mut rows, mut lines) = (Vec::new(), Lines { file, at: 0, line: 1 });
    while reader.read_byte_record(&mut record).map_err(failed)? {
        let line = lines.of(record.position().map_or(0, csv::Position::byte));
        if record.iter().all(|cell| cell.iter().all(u8::is_ascii_whitespace)) {
            continue;
        }
        if rows.len() == ROWS_MAX {
            return Err(wrong(
                format!("Line {line}: the file has more than {ROWS_MAX} users"),
                "Split it into several files; nobody of this one has been added",
            ));
        }
        let mail = cell(&record, columns.mail, "email").ok().filter(|mail| !mail.is_empty());
        rows.push(Row { line, mail, user: columns.user(&record) });
    }
    Ok(rows)
}

/// Counts the lines of the file. The reader takes the second sign of a line's end for the beginning of the next record.
struct Lines<'a> {
    file: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of the record that begins at `byte`; to be asked in order.
    fn of(&mut self, byte: u64) -> u64 {
        let rest = |at: usize| self.file.get(at..).unwrap_or_default();
        let byte = usize::try_from(byte).unwrap_or(usize::MAX);
        let begin = byte + rest(byte).iter().take_while(|sign| matches!(sign, b'\r' | b'\n')).count();
        let passed = self.file.get(self.at..begin).unwrap_or_default();
        let ends = passed.iter().filter(|sign| **sign == b'\n').count();
        self.line += u64::try_from(ends).unwrap_or(0);
        self.at = begin;
        self.line
    }
}

impl Columns {
    fn of(header: &ByteRecord) -> Result<Self, ServiceError> {
        let names: Vec<String> = header
            .iter()
            .map(|name| {
                String::from_utf8_lossy(name).chars().filter(|c| c.is_alphanumeric()).collect::<String>()
            })
            .map(|name| name.to_lowercase())
            .collect();
        let find = |wanted: &[&str]| names.iter().position(|name| wanted.contains(&name.as_str()));
        let need = |wanted: &[&str], title: &str| {
            find(wanted).ok_or_else(|| {
                wrong(
                    format!("Line 1: the column {title:?} is missing"),
                    "Begin with the template's first line",
                )
            })
        };
        Ok(Self {
            first: need(&["firstname", "first"], "First name")?,
            last: need(&["lastname", "last"], "Last name")?,
            mail: need(&["email", "emailaddress", "mail"], "E-mail")?,
            role: need(&["role"], "Role")?,
            id: find(&["id", "genericid"]),
            extension: find(&["extension", "ext"]),
        })
    }

    fn user(&self, record: &ByteRecord) -> Result<NewUser, ServiceError> {
        let optional = |column: Option<usize>, field: &str| {
            let text = column.map(|column| cell(record, column, field)).transpose()?;
            Ok::<_, ServiceError>(text.filter(|text| !text.is_empty()))
        };
        let mail = cell(record, self.mail, "email")?;
        if mail.is_empty() {
            return Err(ServiceError::invalid("email", "The e-mail address is missing").mend("Write one"));
        }
        Ok(NewUser {
            first: cell(record, self.first, "first")?,
            last: cell(record, self.last, "last")?,
            mail: Some(mail),
            login: None,
            phone: None,
            role: role(&cell(record, self.role, "role")?)?,
            extension: optional(self.extension, "extension")?,
            area_code: None,
            generic_id: optional(self.id, "id")?,
        })
    }
}

/// The text of a cell; a missing one is empty.
fn cell(record: &ByteRecord, column: usize, field: &str) -> Result<String, ServiceError> {
    let bytes = record.get(column).unwrap_or_default();
    if bytes.len() > CELL_MAX {
        return Err(ServiceError::invalid(field, "This is too long")
            .mend(format!("Write at most {CELL_MAX} bytes; check that quotes are closed")));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| {
        ServiceError::invalid(field, "This is not UTF-8").mend("Save the file as CSV in UTF-8")
    })?;
    if text.contains('\0') {
        return Err(ServiceError::invalid(field, "This holds a NUL character").mend("Remove it"));
    }
    let text = text.trim();
    let formula = text.strip_prefix('\'').filter(|rest| rest.starts_with(['=', '+', '-', '@', '\t', '\r']));
    Ok(formula.unwrap_or(text).to_owned())
}

/// The roles as the template writes them: without spaces.
fn role(text: &str) -> Result<TenantRole, ServiceError> {
    match text.to_ascii_lowercase().as_str() {
        "tenantadmin" => Ok(TenantRole::TenantAdmin),
        "sessionadmin" => Ok(TenantRole::SessionAdmin),
        "user" => Ok(TenantRole::User),
        "guest" => Ok(TenantRole::Guest),
        _ => {
            let shown: String = text.chars().take(40).collect();
            Err(ServiceError::invalid("role", format!("{shown:?} is not a role"))
                .mend("Write TenantAdmin, SessionAdmin, User or Guest"))
        }
    }
}
