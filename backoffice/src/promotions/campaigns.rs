//! Campaigns: what is given, to whom at most how much, until when, out of which budget.

use serde_json::json;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::{GrantError, Refused};
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    clock::day_start,
    page::{Cursor, Page, push_keyset},
    staff,
};

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Campaign {
    pub promotion_code: String,
    pub name: String,
    pub amount: i64,
    pub user_cap: i64,
    pub budget: i64,
    /// Granted, or about to be.
    pub promised: i64,
    pub starts_at: OffsetDateTime,
    pub ends_at: OffsetDateTime,
    pub approval_above: Option<i64>,
    pub stopped_at: Option<OffsetDateTime>,
    pub tested_at: Option<OffsetDateTime>,
    pub created_by: Option<Uuid>,
    pub created_by_name: String,
    pub created_at: OffsetDateTime,
    /// It gives points on one person's word.
    pub needs_second: bool,
    pub approved_by: Option<Uuid>,
    pub approved_by_name: Option<String>,
}

impl Campaign {
    pub fn left(&self) -> i64 {
        self.budget - self.promised
    }

    /// A second administrator has not seen yet that it gives points on one person's word.
    pub fn waits(&self) -> bool {
        self.needs_second && self.approved_by_name.is_none()
    }
}

/// A campaign as it was typed.
#[derive(Debug, Clone, Default)]
pub struct NewCampaign {
    pub promotion_code: String,
    pub name: String,
    pub amount: String,
    pub user_cap: String,
    pub budget: String,
    pub starts_on: String,
    /// The last day.
    pub ends_on: String,
    /// Empty: no second person.
    pub approval_above: String,
}

/// What is wrong with it, by field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CampaignError {
    Code,
    Taken,
    Name,
    Amount,
    UserCap,
    Budget,
    StartsOn,
    EndsOn,
    ApprovalAbove,
}

/// Points of one day in Seoul.
#[derive(Debug, Clone, Copy)]
pub struct SpendDay {
    pub day: Date,
    pub amount: i64,
}

/// Whole points as people write them.
pub(super) fn points(text: &str) -> Option<i64> {
    let digits: String =
        text.trim().trim_end_matches(['P', 'p', '원']).trim().chars().filter(|c| *c != ',').collect();
    if digits.is_empty() || digits.len() > 12 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|n| *n > 0)
}

impl NewCampaign {
    fn parse(&self) -> Result<Campaign, CampaignError> {
        let code = self.promotion_code.trim();
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
        if code.is_empty() || code.len() > 100 || code.starts_with("TEST_") || !code.bytes().all(plain) {
            return Err(CampaignError::Code);
        }
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
            return Err(CampaignError::Name);
        }
        let amount = points(&self.amount).ok_or(CampaignError::Amount)?;
        let user_cap = points(&self.user_cap).filter(|n| *n >= amount).ok_or(CampaignError::UserCap)?;
        let budget = points(&self.budget).filter(|n| *n >= amount).ok_or(CampaignError::Budget)?;
        let day = |text: &str| {
            toss::timestamp::parse_date(text.trim()).filter(|d| (2020..2200).contains(&d.year()))
        };
        let starts = day(&self.starts_on).ok_or(CampaignError::StartsOn)?;
        let ends = day(&self.ends_on).filter(|d| *d >= starts).and_then(Date::next_day);
        let approval_above = match self.approval_above.trim() {
            "" => None,
            "0" => Some(0),
            text => Some(points(text).ok_or(CampaignError::ApprovalAbove)?),
        };
        Ok(Campaign {
            promotion_code: code.to_owned(),
            name: name.to_owned(),
            amount,
            user_cap,
            budget,
            promised: 0,
            starts_at: day_start(starts),
            ends_at: day_start(ends.ok_or(CampaignError::EndsOn)?),
            approval_above,
            stopped_at: None,
            tested_at: None,
            created_by: None,
            created_by_name: String::new(),
            created_at: OffsetDateTime::UNIX_EPOCH,
            // A threshold that no single grant reaches is none for them.
            needs_second: approval_above.is_none_or(|above| above >= amount),
            approved_by: None,
            approved_by_name: None,
        })
    }
}

pub async fn add(
    backoffice: &Backoffice,
    actor: &Actor,
    new: &NewCampaign,
) -> Result<Result<String, CampaignError>, Fault> {
    let campaign = match new.parse() {
        Ok(campaign) => campaign,
        Err(wrong) => return Ok(Err(wrong)),
    };
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    let added = sqlx::query!(
        "insert into campaigns (promotion_code, name, amount, user_cap, budget, starts_at, ends_at, approval_above,
                                created_by_name, created_at, created_by, needs_second)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) on conflict (promotion_code) do nothing",
        campaign.promotion_code,
        campaign.name,
        campaign.amount,
        campaign.user_cap,
        campaign.budget,
        campaign.starts_at,
        campaign.ends_at,
        campaign.approval_above,
        actor.name(),
        now,
        actor.staff_id(),
        // Whoever has the machine has the database as well: the command line asks nobody.
        campaign.needs_second && actor.staff_id().is_some(),
    )
    .execute(&mut *tx)
    .await?;
    if added.rows_affected() == 0 {
        return Ok(Err(CampaignError::Taken));
    }
    let detail = json!({ "name": campaign.name, "amount": campaign.amount, "userCap": campaign.user_cap,
                         "budget": campaign.budget, "approvalAbove": campaign.approval_above });
    let act =
        Act { action: "campaign.added", subject_kind: "campaign", subject: &campaign.promotion_code, detail };
    audit::record(&mut tx, now, actor, act).await?;
    tx.commit().await?;
    Ok(Ok(campaign.promotion_code))
}

/// A second administrator has seen that it gives points on one person's word.
pub async fn approve(backoffice: &Backoffice, actor: &Actor, code: &str) -> Result<(), GrantError> {
    let mut tx = backoffice.pool.begin().await?;
    let campaign = sqlx::query_as!(
        Campaign,
        "select * from campaigns where promotion_code = $1 for update",
        code.replace('\0', ""),
    )
    .fetch_optional(&mut *tx)
    .await?
    .filter(Campaign::waits)
    .ok_or(Refused::NoSuchCampaign)?;
    let second = staff::second_person(backoffice, &mut tx, actor, campaign.created_by).await?;
    sqlx::query!(
        "update campaigns set approved_by = $2, approved_by_name = $3 where promotion_code = $1",
        campaign.promotion_code,
        second.map_err(Refused::NotSecond)?,
        actor.name(),
    )
    .execute(&mut *tx)
    .await?;
    let act = Act {
        action: "campaign.approved",
        subject_kind: "campaign",
        subject: &campaign.promotion_code,
        detail: json!({ "budget": campaign.budget, "approvalAbove": campaign.approval_above }),
    };
    audit::record(&mut tx, backoffice.clock.now(), actor, act).await?;
    tx.commit().await?;
    Ok(())
}

/// No more grants begin, or they may again. What is under way ends as it ends.
pub async fn stop(backoffice: &Backoffice, actor: &Actor, code: &str, stop: bool) -> Result<bool, Fault> {
    if code.contains('\0') {
        return Ok(false);
    }
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    let turned = sqlx::query!(
        "update campaigns set stopped_at = case when $2 then $3::timestamptz end
         where promotion_code = $1 and (stopped_at is null) = $2",
        code,
        stop,
        now,
    )
    .execute(&mut *tx)
    .await?;
    if turned.rows_affected() == 0 {
        return Ok(false);
    }
    let action = if stop { "campaign.stopped" } else { "campaign.resumed" };
    let act = Act { action, subject_kind: "campaign", subject: code, detail: json!({}) };
    audit::record(&mut tx, now, actor, act).await?;
    tx.commit().await?;
    Ok(true)
}

pub async fn get(backoffice: &Backoffice, code: &str) -> Result<Option<Campaign>, Fault> {
    if code.contains('\0') {
        return Ok(None);
    }
    let found = sqlx::query_as!(Campaign, "select * from campaigns where promotion_code = $1", code);
    Ok(found.fetch_optional(&backoffice.pool).await?)
}

pub async fn list(
    backoffice: &Backoffice,
    cursor: Option<&Cursor>,
    size: usize,
) -> Result<Page<Campaign>, Fault> {
    let mut query = sqlx::QueryBuilder::<sqlx::Postgres>::new("select * from campaigns where true");
    push_keyset(&mut query, cursor, "created_at", "promotion_code", size);
    let rows: Vec<Campaign> = query.build_query_as().fetch_all(&backoffice.pool).await?;
    Ok(Page::new(rows, size, cursor, |c| (c.created_at, c.promotion_code.clone())))
}

/// What was paid out, day by day.
pub async fn spend(backoffice: &Backoffice, code: &str) -> Result<Vec<SpendDay>, Fault> {
    let rows = sqlx::query_as!(
        SpendDay,
        r#"select (settled_at at time zone 'Asia/Seoul')::date as "day!", sum(amount)::bigint as "amount!"
           from grants where promotion_code = $1 and state = 'succeeded' and not is_test and settled_at is not null
           group by 1 order by 1"#,
        code
    )
    .fetch_all(&backoffice.pool)
    .await?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_campaign_that_could_not_be_kept_is_refused_by_field() {
        let good = NewCampaign {
            promotion_code: "WELCOME-2026".into(),
            name: "첫 구매".into(),
            amount: "1,000".into(),
            user_cap: "3000P".into(),
            budget: "1,000,000".into(),
            starts_on: "2026-11-01".into(),
            ends_on: "2026-11-30".into(),
            approval_above: String::new(),
        };
        assert_eq!(good.parse().map(|c| (c.amount, c.user_cap, c.left())), Ok((1000, 3000, 1_000_000)));
        for (change, wrong) in [
            ((|c| c.promotion_code = "TEST_X".into()) as fn(&mut NewCampaign), CampaignError::Code),
            (|c| c.promotion_code = "a b".into(), CampaignError::Code),
            (|c| c.name = " ".into(), CampaignError::Name),
            (|c| c.amount = "0".into(), CampaignError::Amount),
            (|c| c.amount = "12.5".into(), CampaignError::Amount),
            (|c| c.user_cap = "999".into(), CampaignError::UserCap),
            (|c| c.budget = "".into(), CampaignError::Budget),
            (|c| c.starts_on = "soon".into(), CampaignError::StartsOn),
            (|c| c.ends_on = "2026-10-31".into(), CampaignError::EndsOn),
            (|c| c.approval_above = "-1".into(), CampaignError::ApprovalAbove),
        ] {
            let mut bad = good.clone();
            change(&mut bad);
            assert_eq!(bad.parse().map(|_| ()), Err(wrong), "{bad:?}");
        }
    }
}
