//! Money that came in on the merchant's own bank account, from the bank's statement.

mod file;

use std::collections::HashMap;

use rust_decimal::Decimal;
use serde_json::json;
use time::Date;
use uuid::Uuid;

use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    masking::mask_name,
};

pub use file::{FileError, Line, MAX_BYTES, MAX_LINES, Statement, read};

/// What a statement brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uploaded {
    pub lines: usize,
    /// Of them, those that no earlier statement had.
    pub new: u64,
    /// Lines of the file that are no deposits.
    pub skipped: usize,
    pub from: Date,
    pub to: Date,
}

/// Who pays in is nobody's business but Toss's: of other deposits only enough of the words is kept to tell them apart.
fn kept(memo: &str) -> String {
    if is_toss(memo) { memo.to_owned() } else { mask_name(memo) }
}

/// As banks write who Toss Payments is.
fn is_toss(memo: &str) -> bool {
    let memo = memo.to_lowercase();
    ["토스", "toss", "비바리퍼블리카"].iter().any(|name| memo.contains(name))
}

/// Takes the deposits of a statement. Statements may overlap: a line is counted once.
pub async fn upload(
    backoffice: &Backoffice,
    actor: &Actor,
    file_name: &str,
    bytes: &[u8],
) -> Result<Result<Uploaded, FileError>, Fault> {
    let statement = match read(bytes) {
        Ok(statement) => statement,
        Err(error) => return Ok(Err(error)),
    };
    let days = statement.lines.iter().map(|line| line.day);
    let (Some(from), Some(to)) = (days.clone().min(), days.max()) else {
        return Ok(Err(FileError::NothingIn));
    };
    // Two equal lines of one statement are two deposits; the same two in the next statement are the same.
    let mut times: HashMap<(Date, Decimal, &str, Option<Decimal>), i16> = HashMap::new();
    let occurrence: Vec<i16> = statement
        .lines
        .iter()
        .map(|line| {
            let times = times.entry((line.day, line.deposit, &line.memo, line.balance)).or_default();
            *times = times.saturating_add(1);
            *times
        })
        .collect();
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    let id = Uuid::now_v7();
    sqlx::query!(
        "insert into bank_statements (id, file_name, first_day, last_day, uploaded_at, uploaded_by)
         values ($1, $2, $3, $4, $5, $6)",
        id,
        file_name.replace('\0', ""),
        from,
        to,
        now,
        actor.staff_id(),
    )
    .execute(&mut *tx)
    .await?;
    let new = sqlx::query!(
        "insert into bank_lines (id, statement_id, day, deposit, memo, is_toss, balance, occurrence)
         select gen_random_uuid(), $7, day, deposit, memo, is_toss, balance, occurrence
         from unnest($1::date[], $2::numeric[], $3::text[], $4::boolean[], $5::numeric[], $6::smallint[])
              as l (day, deposit, memo, is_toss, balance, occurrence)
         on conflict do nothing",
        &statement.lines.iter().map(|line| line.day).collect::<Vec<_>>(),
        &statement.lines.iter().map(|line| line.deposit).collect::<Vec<_>>(),
        &statement.lines.iter().map(|line| kept(&line.memo)).collect::<Vec<_>>(),
        &statement.lines.iter().map(|line| is_toss(&line.memo)).collect::<Vec<_>>(),
        &statement.lines.iter().map(|line| line.balance).collect::<Vec<_>>() as &[Option<Decimal>],
        &occurrence,
        id,
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    let uploaded = Uploaded { lines: statement.lines.len(), new, skipped: statement.skipped, from, to };
    let subject = id.to_string();
    let detail = json!({ "file": file_name, "lines": uploaded.lines, "new": new, "from": from.to_string(),
                         "to": to.to_string() });
    let act = Act { action: "bank_statement.uploaded", subject_kind: "statement", subject: &subject, detail };
    audit::record(&mut tx, now, actor, act).await?;
    tx.commit().await?;
    Ok(Ok(uploaded))
}
