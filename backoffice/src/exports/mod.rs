//! What leaves the house as a file: lists and reports for people's spreadsheets. Somebody says why, a job writes the file,
//! who asked takes it, and after a day it is gone. Personal data is masked unless whoever asks may see it. [`columns`] says
//! what stands in each file, [`sheet`] writes it.

mod columns;
pub(crate) mod job;
mod rows;
pub mod sheet;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
};

use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use self::{
    columns::Column,
    job::RunExport,
    sheet::{Cell, Format, Sheet},
};
use crate::{
    Backoffice, Fault,
    audit::{
        self, Act, Actor,
        access::{self, Access, NoReason, Whose},
    },
    iap,
    kernel::{
        periods::Class,
        permission::Permission,
        seal::{EXPORT_PART, EXPORT_WORDS},
    },
    orders,
    personal_data::Person,
    queue, reconciliation, refunds, transactions, webhooks,
};

/// Bytes of a file that are kept in one row.
const PART: usize = 1 << 20;
/// Rows between two signs of life.
const TELL_EVERY: i64 = 2000;

/// What is asked for, with its filter.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "list", content = "filter", rename_all = "snake_case")]
pub enum What {
    Orders(orders::Filter),
    Transactions(transactions::Filter),
    Refunds(refunds::Filter),
    Webhooks(webhooks::Filter),
    Differences(reconciliation::differences::Filter),
    MissingEvents,
    IapOrders(iap::Filter),
    Audit(audit::Filter),
    AccessRecords(access::Filter),
    /// A copy of all that is kept of somebody.
    Person(Person),
    /// Every row of a day of the books.
    Day(Date),
    /// Settlement rows of a payout.
    Payout(Date),
    Payouts(Span),
    Sales(Span),
    Fees(Span),
    Vat(Span),
}

/// `[from, to)`
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Span {
    pub from: Date,
    pub to: Date,
}

impl What {
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Orders(_) => "orders",
            Self::Transactions(_) => "transactions",
            Self::Refunds(_) => "refunds",
            Self::Webhooks(_) => "webhooks",
            Self::Differences(_) => "differences",
            Self::MissingEvents => "missing_events",
            Self::IapOrders(_) => "iap_orders",
            Self::Audit(_) => "audit",
            Self::AccessRecords(_) => "access_records",
            Self::Person(_) => "person",
            Self::Day(_) => "day",
            Self::Payout(_) => "payout",
            Self::Payouts(_) => "payouts",
            Self::Sales(_) => "sales",
            Self::Fees(_) => "fees",
            Self::Vat(_) => "vat",
        }
    }

    /// What whoever takes it may see on a page as well.
    pub fn needs(&self) -> Permission {
        match self {
            Self::Orders(_)
            | Self::Refunds(_)
            | Self::Webhooks(_)
            | Self::MissingEvents
            | Self::IapOrders(_) => Permission::ViewTrade,
            Self::Audit(_) | Self::AccessRecords(_) => Permission::ViewAudit,
            Self::Person(_) => Permission::ManagePersonalData,
            Self::Transactions(_)
            | Self::Differences(_)
            | Self::Day(_)
            | Self::Payout(_)
            | Self::Payouts(_)
            | Self::Sales(_)
            | Self::Fees(_)
            | Self::Vat(_) => Permission::ViewFinance,
        }
    }

    /// Its columns, in Toss's and our own names; whoever asks brings the words for them.
    pub fn columns(&self) -> Vec<&'static str> {
        columns::names(self)
    }
}

/// A file as somebody asks for it.
#[derive(Debug, Clone)]
pub struct Request {
    pub what: What,
    pub format: Format,
    pub reason: String,
    pub is_masked: bool,
    /// Of the file and its sheet.
    pub title: String,
    /// One for each column.
    pub headers: Vec<String>,
    /// For values like `missing_here`; what is not in it is written as it is.
    pub words: BTreeMap<String, String>,
}

text_enum! {
    State {
        Waiting = "waiting",
        Running = "running",
        Done = "done",
        Failed = "failed",
        /// It was there for a day.
        Gone = "gone",
    }
}

impl State {
    pub fn is_under_way(self) -> bool {
        matches!(self, Self::Waiting | Self::Running)
    }
}

#[derive(Debug, Clone)]
pub struct Export {
    pub id: Uuid,
    pub title: String,
    pub format: Format,
    pub reason: String,
    pub is_masked: bool,
    pub requested_by: Option<Uuid>,
    pub requested_at: OffsetDateTime,
    pub state: State,
    pub rows: i64,
    pub bytes: i64,
}

impl Export {
    pub fn file_name(&self) -> String {
        let day = self.requested_at.to_offset(crate::clock::SEOUL).date();
        format!("{}-{day}.{}", self.title.replace(['/', '\\', '"', ' '], "-"), self.format.extension())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Reason(#[from] NoReason),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<sqlx::Error> for ExportError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

/// Notes who wants what and why, and has a job write it.
pub async fn request(backoffice: &Backoffice, actor: &Actor, request: &Request) -> Result<Uuid, ExportError> {
    let reason = access::reason(&request.reason)?;
    let mut what = json!(request.what);
    let sealed = backoffice.keys.seal(EXPORT_WORDS, &what.to_string())?;
    // The log is for good: it keeps no words that somebody was looked for by, and not whose copy was asked for.
    if matches!(request.what, What::Person(_)) {
        what = json!({ "list": request.what.as_str() });
    }
    for typed in ["/filter/q", "/filter/subject"] {
        if let Some(words) = what.pointer_mut(typed)
            && let Some(text) = words.as_str()
        {
            *words = json!(format!("#{}", backoffice.keys.index("exports.words", text)));
        }
    }
    let id = Uuid::now_v7();
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    sqlx::query!(
        "insert into exports (id, what, title, headers, words, format, reason, is_masked, requested_by, requested_by_name, requested_at, state)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'waiting')",
        id,
        sealed,
        request.title,
        json!(request.headers),
        json!(request.words),
        request.format.as_str(),
        reason,
        request.is_masked,
        actor.staff_id(),
        actor.name(),
        now,
    )
    .execute(&mut *tx)
    .await?;
    if let What::Orders(orders::Filter { q: Some(q), .. }) = &request.what {
        orders::note_search_in(&mut tx, backoffice, actor, q, &[]).await?;
    }
    queue::plan(&mut tx, &RunExport { id }, std::time::Duration::ZERO).await?;
    let subject = id.to_string();
    let detail = json!({ "what": what, "format": request.format.as_str(), "reason": reason,
                         "masked": request.is_masked });
    let act = Act { action: "export.asked", subject_kind: "export", subject: &subject, detail };
    audit::record(&mut tx, now, actor, act).await?;
    tx.commit().await?;
    Ok(id)
}

pub async fn get(backoffice: &Backoffice, id: Uuid) -> Result<Option<Export>, Fault> {
    let export = sqlx::query_as!(
        Export,
        r#"select id, title, format as "format: Format", reason, is_masked, requested_by, requested_at,
                  state as "state: State", rows, bytes from exports where id = $1"#,
        id
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    Ok(export)
}

/// What somebody asked for of late, newest first.
pub async fn of_staff(backoffice: &Backoffice, staff: Uuid) -> Result<Vec<Export>, Fault> {
    let exports = sqlx::query_as!(
        Export,
        r#"select id, title, format as "format: Format", reason, is_masked, requested_by, requested_at,
                  state as "state: State", rows, bytes from exports
         where requested_by = $1 order by requested_at desc limit 50"#,
        staff
    )
    .fetch_all(&backoffice.pool)
    .await?;
    Ok(exports)
}

/// Notes that a file is taken. Only who asked for it takes it.
pub async fn take(backoffice: &Backoffice, actor: &Actor, id: Uuid) -> Result<Option<Export>, Fault> {
    let Some(export) = get(backoffice, id).await? else { return Ok(None) };
    if export.state != State::Done || export.requested_by.is_none() || export.requested_by != actor.staff_id()
    {
        return Ok(None);
    }
    let mut tx = backoffice.pool.begin().await?;
    let subject = id.to_string();
    let detail = json!({ "rows": export.rows, "bytes": export.bytes });
    let act = Act { action: "export.taken", subject_kind: "export", subject: &subject, detail };
    let now = backoffice.clock.now();
    audit::record(&mut tx, now, actor, act).await?;
    if !export.is_masked {
        note_people(&mut tx, now, actor, &export).await?;
    }
    tx.commit().await?;
    Ok(Some(export))
}

/// Keeps who is in a file that is taken in the clear.
async fn note_people(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    actor: &Actor,
    export: &Export,
) -> Result<(), Fault> {
    let people = sqlx::query_scalar!(
        "select order_id from export_people where export_id = $1 order by order_id collate \"C\"",
        export.id
    )
    .fetch_all(&mut *tx)
    .await?;
    let hash = access::people_hash(people.iter().map(String::as_str));
    let seen = Access {
        kind: access::Kind::Exported,
        whose: Whose::Export {
            id: export.id,
            people: i64::try_from(people.len()).unwrap_or(i64::MAX),
            people_hash: &hash,
        },
        what: &["name", "phone", "email"],
        is_masked: false,
        reason: Some(&export.reason),
    };
    access::record(tx, now, actor, seen).await
}

/// A piece of the file, from the first (0) on; nothing after the last.
pub async fn part(backoffice: &Backoffice, id: Uuid, part: i32) -> Result<Option<Vec<u8>>, Fault> {
    let part =
        sqlx::query_scalar!("select bytes from export_parts where export_id = $1 and part = $2", id, part)
            .fetch_optional(&backoffice.pool)
            .await?;
    part.map(|sealed| backoffice.keys.open_bytes(EXPORT_PART, &sealed)).transpose()
}

/// Writes the file. A second run begins anew.
pub(crate) async fn run(backoffice: &Backoffice, id: Uuid) -> Result<(), Fault> {
    let asked = sqlx::query!(
        r#"update exports set state = 'running', rows = 0 where id = $1 and state in ('waiting', 'running')
         returning what, title, headers, words, format as "format: Format", is_masked"#,
        id
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    let Some(asked) = asked else { return Ok(()) };
    let broken = Fault::unreadable("the filter of an export");
    let what: What =
        serde_json::from_str(&backoffice.keys.open(EXPORT_WORDS, &asked.what)?).map_err(&broken)?;
    let headers: Vec<String> = serde_json::from_value(asked.headers).map_err(&broken)?;
    let words: BTreeMap<String, String> = serde_json::from_value(asked.words).map_err(broken)?;
    let file = tempfile::tempfile()?;
    let unwritten = |error: sheet::SheetError| Fault::Inconsistent(format!("export {id}: {error}"));
    let sheet = Sheet::new(asked.format, &asked.title, headers, file.try_clone()?).map_err(unwritten)?;
    sqlx::query!("delete from export_people where export_id = $1", id).execute(&backoffice.pool).await?;
    let mut out = Out { backoffice, id, sheet, words, is_masked: asked.is_masked, rows: 0 };
    rows::write(backoffice, &what, &mut out).await?;
    let Out { sheet, rows, .. } = out;
    // A workbook is put together, and compressed, at its end.
    tokio::task::spawn_blocking(move || sheet.finish()).await?.map_err(unwritten)?;
    keep_file(backoffice, id, file, rows).await
}

async fn keep_file(backoffice: &Backoffice, id: Uuid, mut file: File, rows: i64) -> Result<(), Fault> {
    file.seek(SeekFrom::Start(0))?;
    let mut tx = backoffice.pool.begin().await?;
    sqlx::query!("delete from export_parts where export_id = $1", id).execute(&mut *tx).await?;
    let mut bytes = 0i64;
    for part in 0.. {
        let mut piece = Vec::with_capacity(PART);
        (&mut file).take(PART as u64).read_to_end(&mut piece)?;
        if piece.is_empty() {
            break;
        }
        bytes += i64::try_from(piece.len()).unwrap_or_default();
        sqlx::query!(
            "insert into export_parts (export_id, part, bytes) values ($1, $2, $3)",
            id,
            part,
            backoffice.keys.seal_bytes(EXPORT_PART, &piece)?,
        )
        .execute(&mut *tx)
        .await?;
    }
    sqlx::query!(
        "update exports set state = 'done', rows = $2, bytes = $3, ended_at = $4 where id = $1",
        id,
        rows,
        bytes,
        backoffice.clock.now()
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// Ends what cannot be written.
pub(crate) async fn fail(backoffice: &Backoffice, id: Uuid) -> Result<(), Fault> {
    sqlx::query!(
        "update exports set state = 'failed', ended_at = $2 where id = $1 and state in ('waiting', 'running')",
        id,
        backoffice.clock.now()
    )
    .execute(&backoffice.pool)
    .await?;
    Ok(())
}

/// Files are gone when their time is up; that they were is kept.
pub async fn forget_old(backoffice: &Backoffice) -> Result<(), Fault> {
    let mut tx = backoffice.pool.begin().await?;
    let over = sqlx::query_scalar!(
        "update exports set state = 'gone' where state in ('done', 'failed') and ended_at < $1 returning id",
        backoffice.retention.of(Class::Files).before(backoffice.clock.now())
    )
    .fetch_all(&mut *tx)
    .await?;
    sqlx::query!("delete from export_parts where export_id = any($1)", &over).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(())
}

/// A file that is being written.
pub(super) struct Out<'a> {
    backoffice: &'a Backoffice,
    id: Uuid,
    sheet: Sheet,
    words: BTreeMap<String, String>,
    is_masked: bool,
    rows: i64,
}

impl Out<'_> {
    async fn row<T>(&mut self, columns: &[Column<T>], row: &T) -> Result<(), Fault> {
        let cells: Vec<Cell> = columns.iter().map(|(_, cell)| cell(self, row)).collect();
        self.sheet
            .row(&cells)
            .map_err(|error| Fault::Inconsistent(format!("export {}: {error}", self.id)))?;
        self.rows += 1;
        if self.rows % TELL_EVERY == 0 {
            sqlx::query!("update exports set rows = $2 where id = $1", self.id, self.rows)
                .execute(&self.backoffice.pool)
                .await?;
        }
        Ok(())
    }

    /// The word of a value, in the language of whoever asked.
    fn word(&self, value: &str) -> Cell {
        Cell::Text(self.words.get(value).cloned().unwrap_or_else(|| value.to_owned()))
    }

    fn words<'v>(&self, values: impl Iterator<Item = &'v str>) -> Cell {
        let words: Vec<&str> =
            values.map(|value| self.words.get(value).map_or(value, String::as_str)).collect();
        Cell::Text(words.join(" · "))
    }

    /// Personal data, as much of it as whoever asked may see.
    fn personal(&self, value: Option<&str>, mask: fn(&str) -> String) -> Cell {
        match value {
            None => Cell::Empty,
            Some(value) if self.is_masked => Cell::Text(mask(value)),
            Some(value) => Cell::Text(value.to_owned()),
        }
    }
}
