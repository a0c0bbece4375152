//! The review of a month: what each person saw of others, what of it is unusual, and who has looked through it. The law asks for
//! it every month; nobody signs for themselves.

use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{Postgres, QueryBuilder};
use time::{Date, Month, OffsetDateTime};
use uuid::Uuid;

use super::list::{RECORDS, Record};
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    clock::day_start,
    queue::{Attempt, Job},
};

/// Fewer in a month are nobody's habit.
const FEW: i64 = 20;
/// So many times the usual is unusual.
const TIMES: f64 = 3.0;
/// Records of each kind that are shown.
const SHOWN: i64 = 200;
pub const LONGEST_NOTE: usize = 500;

/// One person's month.
#[derive(Debug, Clone)]
pub struct Person {
    pub staff_id: Uuid,
    pub name: String,
    pub viewed: i64,
    pub revealed: i64,
    pub searched: i64,
    pub exported: i64,
    /// People in the files that were taken.
    pub people: i64,
    /// Records a month in the three months before; nothing where there were none.
    pub usual: Option<f64>,
    /// The same of everybody in this month.
    pub of_all: f64,
    pub reviewed_by_name: Option<String>,
    pub reviewed_at: Option<OffsetDateTime>,
    pub note: Option<String>,
}

impl Person {
    pub fn records(&self) -> i64 {
        self.viewed + self.revealed + self.searched + self.exported
    }

    /// Three times what they did before, or what everybody does where there is no before.
    pub fn is_unusual(&self) -> bool {
        let records = self.records();
        #[expect(clippy::cast_precision_loss, reason = "a count of rows of one person in a month")]
        let much = records as f64 > TIMES * self.usual.unwrap_or(self.of_all);
        records >= FEW && much
    }
}

/// A month of it.
#[derive(Debug, Clone)]
pub struct Review {
    pub people: Vec<Person>,
    /// Files in the clear, newest first.
    pub files: Vec<Record>,
    /// What somebody had shown in the clear without doing anything about it within a day.
    pub idle: Vec<Record>,
}

/// The month before, the one that is looked through now.
pub fn month_before(today: Date) -> Date {
    let first = first_of(today);
    first_of(first.previous_day().unwrap_or(first))
}

pub fn first_of(day: Date) -> Date {
    day.replace_day(1).unwrap_or(day)
}

fn next(month: Date) -> Date {
    let year = if month.month() == Month::December { month.year() + 1 } else { month.year() };
    Date::from_calendar_date(year, month.month().next(), 1).unwrap_or(month)
}

/// Where what somebody usually sees begins: whole months of Seoul, or else two days of a month count as one.
fn usual_from(month: Date) -> Date {
    (0..3).fold(month, |month, _| month_before(month))
}

/// The moments between which a month lies, in Seoul.
fn span(month: Date) -> (OffsetDateTime, OffsetDateTime) {
    (day_start(month), day_start(next(month)))
}

pub async fn get(backoffice: &Backoffice, month: Date) -> Result<Review, Fault> {
    let month = first_of(month);
    let (from, to) = span(month);
    let people = sqlx::query_as!(
        Person,
        r#"with counted as (
               select staff_id, count(*) filter (where kind = 'viewed') as viewed,
                      count(*) filter (where kind = 'revealed') as revealed,
                      count(*) filter (where kind = 'searched') as searched,
                      count(*) filter (where kind = 'exported') as exported,
                      coalesce(sum(people), 0)::bigint as people, count(*) as records
               from access_records where at >= $2 and at < $3 group by staff_id
           ), before as (
               select staff_id, count(*)::float8 / count(distinct date_trunc('month', at at time zone 'Asia/Seoul')) as usual
               from access_records where at >= $4 and at < $2 group by staff_id
           )
           select c.staff_id as "staff_id!", coalesce(s.name, '') as "name!", c.viewed as "viewed!",
                  c.revealed as "revealed!", c.searched as "searched!", c.exported as "exported!", c.people as "people!",
                  b.usual as "usual?",
                  (select percentile_cont(0.5) within group (order by records) from counted) as "of_all!",
                  r.reviewed_by_name as "reviewed_by_name?", r.reviewed_at as "reviewed_at?", r.note as "note?"
           from counted c
           left join before b on b.staff_id = c.staff_id
           left join staff s on s.id = c.staff_id
           left join access_reviews r on r.month = $1 and r.staff_id = c.staff_id
           order by c.records desc, c.staff_id"#,
        month,
        from,
        to,
        day_start(usual_from(month)),
    )
    .fetch_all(&backoffice.pool)
    .await?;
    let mut files = QueryBuilder::<Postgres>::new(RECORDS);
    files.push(" and r.kind = 'exported'");
    let mut idle = QueryBuilder::<Postgres>::new(RECORDS);
    idle.push(
        " and r.kind = 'revealed' and not exists (
              select from audit w
              where w.subject_kind = r.subject_kind and w.subject = r.subject and w.actor = 'staff:' || r.staff_id
                and w.action not like 'personal.%'
                and w.at > r.at - interval '1 day' and w.at < r.at + interval '1 day')
          and not exists (
              select from orders o
              join audit w on w.subject_kind = 'order' and w.subject = o.order_id and w.actor = 'staff:' || r.staff_id
                and w.action not like 'personal.%'
                and w.at > r.at - interval '1 day' and w.at < r.at + interval '1 day'
              where r.subject_kind = 'user' and o.user_key = r.subject)",
    );
    let of_month = async |mut query: QueryBuilder<Postgres>| -> Result<Vec<Record>, Fault> {
        query.push(" and r.at >= ").push_bind(from).push(" and r.at < ").push_bind(to);
        query.push(" order by r.seq desc limit ").push_bind(SHOWN);
        Ok(query.build_query_as().fetch_all(&backoffice.pool).await?)
    };
    let (files, idle) = (of_month(files).await?, of_month(idle).await?);
    Ok(Review { people, files, idle })
}

/// Opens the reviews of the month before: a task for each person who saw something, until somebody else has signed.
pub async fn open(backoffice: &Backoffice) -> Result<(), Fault> {
    let month = month_before(backoffice.clock.today());
    let (from, to) = span(month);
    sqlx::query!(
        "insert into access_reviews (month, staff_id, records)
         select $1, staff_id, count(*) from access_records where at >= $2 and at < $3 group by staff_id
         on conflict (month, staff_id) do nothing",
        month,
        from,
        to,
    )
    .execute(&backoffice.pool)
    .await?;
    Ok(())
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    #[error("nobody signs for themselves")]
    Oneself,
    #[error("the month is not over")]
    NotOver,
    #[error("what is unusual takes a note")]
    Note,
    #[error("the note is longer than {LONGEST_NOTE} characters")]
    TooLong,
    #[error("it is signed already, or there is nothing to sign")]
    Nothing,
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<sqlx::Error> for ReviewError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

/// Somebody has looked through what a person saw in a month.
pub async fn sign(
    backoffice: &Backoffice,
    actor: &Actor,
    month: Date,
    person: Uuid,
    note: &str,
) -> Result<(), ReviewError> {
    let month = first_of(month);
    let note = note.trim().replace('\0', "");
    if note.chars().count() > LONGEST_NOTE {
        return Err(ReviewError::TooLong);
    }
    if actor.staff_id().is_none_or(|reviewer| reviewer == person) {
        return Err(ReviewError::Oneself);
    }
    if next(month) > backoffice.clock.today() {
        return Err(ReviewError::NotOver);
    }
    let review = get(backoffice, month).await?;
    let found = review.people.iter().find(|one| one.staff_id == person).ok_or(ReviewError::Nothing)?;
    let is_idle = review.idle.iter().any(|record| record.staff_id == person);
    if note.is_empty() && (found.is_unusual() || is_idle) {
        return Err(ReviewError::Note);
    }
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    let signed = sqlx::query!(
        "insert into access_reviews (month, staff_id, records, reviewed_by, reviewed_by_name, reviewed_at, note)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (month, staff_id) do update set records = excluded.records, reviewed_by = excluded.reviewed_by,
             reviewed_by_name = excluded.reviewed_by_name, reviewed_at = excluded.reviewed_at, note = excluded.note
         where access_reviews.reviewed_at is null",
        month,
        person,
        found.records(),
        actor.staff_id(),
        actor.name(),
        now,
        note,
    )
    .execute(&mut *tx)
    .await?;
    if signed.rows_affected() == 0 {
        return Err(ReviewError::Nothing);
    }
    let subject = person.to_string();
    let detail = json!({ "month": month.to_string().get(..7), "records": found.records(),
                         "unusual": found.is_unusual(), "note": note });
    let act = Act { action: "access_review.signed", subject_kind: "staff", subject: &subject, detail };
    audit::record(&mut tx, now, actor, act).await?;
    tx.commit().await?;
    Ok(())
}

/// Opens the reviews once a month is over.
#[derive(Serialize, Deserialize)]
pub(crate) struct OpenReviews {}

impl Job for OpenReviews {
    const NAME: &'static str = "open_access_reviews";

    fn key(&self) -> String {
        Self::NAME.to_owned()
    }

    async fn run(self, backoffice: &Backoffice, _: Attempt) -> Result<(), Fault> {
        open(backoffice).await
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn what_is_usual_is_of_three_whole_months() {
        for (month, from) in [
            (date!(2026 - 03 - 01), date!(2025 - 12 - 01)),
            (date!(2026 - 05 - 01), date!(2026 - 02 - 01)),
            (date!(2026 - 12 - 01), date!(2026 - 09 - 01)),
        ] {
            assert_eq!(usual_from(month), from);
        }
    }
}
