//! From Toss to the buyer: what the bank does with the refund of a deposited virtual account is asked for until the money has
//! arrived, and a person tells what they did about money that came back.

use serde_json::json;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use toss::{calendar::add_business_days, payments::RefundStatus, timestamp::SEOUL};
use uuid::Uuid;

use super::{
    Arrival, Refund, RefundError, Refused, Stage,
    arrival::{AtBank, BANK_DAYS, next_look, next_stage},
    note_of,
};
use crate::{Backoffice, Fault, audit::Actor, payments, refunds, returns};

const JOB: Actor = Actor::Job("bank");

/// After a look-up that got no answer.
const AGAIN_AFTER: Duration = Duration::minutes(10);

/// Payments looked at in one turn.
const AT_MOST: i64 = 100;

/// What a person did about money that came back. Toss's API offers no way (toss-api.md A5.3): it is done in Toss's admin, or
/// with the merchant's own money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WayOut {
    /// The account was corrected in Toss's admin, and the money sent again.
    SentAgain,
    /// The buyer was paid in another way.
    PaidOtherwise,
}

impl WayOut {
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "sent_again" => Some(Self::SentAgain),
            "paid_otherwise" => Some(Self::PaidOtherwise),
            _ => None,
        }
    }
}

/// Toss has just taken it: what is known of the way from here.
pub(super) async fn begin(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    id: Uuid,
    arrival: Arrival,
    to_account: bool,
) -> Result<Option<Stage>, Fault> {
    // An account was needed: whatever was promised when it was asked for, a bank pays it out.
    let arrival = if to_account { Arrival::TwoBusinessDays } else { arrival };
    let stage = arrival.first_stage();
    let today = now.to_offset(SEOUL).date();
    let bank_due_on = stage.filter(|stage| stage.is_followed()).map(|_| add_business_days(today, BANK_DAYS));
    sqlx::query!(
        "update refunds set stage = $2, stage_at = $3, expected_on = $4, bank_due_on = $5, look_at = $6,
                arrival = $7, stage_seq = nextval('fetch_seq') where id = $1",
        id,
        stage.map(Stage::as_str),
        stage.map(|_| now),
        arrival.expected_on(today),
        bank_due_on,
        bank_due_on.map(|due| next_look(now, due, now)),
        arrival.as_str(),
    )
    .execute(tx)
    .await?;
    Ok(stage)
}

/// Money has reached the buyer, or is on a way that Toss tells nothing more of: the clock of a return stops.
pub(super) async fn stop_clock(
    tx: &mut PgConnection,
    now: OffsetDateTime,
    actor: &Actor,
    order_id: &str,
    for_return: bool,
) -> Result<(), Fault> {
    let under_way = sqlx::query_scalar!(
        r#"select exists(select 1 from refunds where order_id = $1 and stage in ('at_the_bank', 'partly_arrived', 'returned')) as "x!""#,
        order_id,
    )
    .fetch_one(&mut *tx)
    .await?;
    returns::close_refunded(tx, now, actor, order_id, for_return, !under_way).await
}

struct Followed {
    id: Uuid,
    order_id: String,
    amount: rust_decimal::Decimal,
    currency: String,
    stage: Stage,
    stage_at: OffsetDateTime,
    stage_by_name: Option<String>,
    bank_due_on: Option<time::Date>,
    for_return: bool,
}

impl Followed {
    async fn write(
        &self,
        tx: &mut PgConnection,
        now: OffsetDateTime,
        stage: Stage,
        by: Option<(&str, &str)>,
    ) -> Result<(), Fault> {
        let today = now.to_offset(SEOUL).date();
        let bank_due_on = match (stage, self.bank_due_on) {
            (Stage::AtTheBank, _) | (_, None) => add_business_days(today, BANK_DAYS),
            (_, Some(due)) => due,
        };
        sqlx::query!(
            "update refunds set stage = $2, stage_at = $3, stage_by_name = $4, stage_note = $5, bank_due_on = $6, look_at = $7,
                    expected_on = case when $2 = 'at_the_bank' then $8 else expected_on end
             where id = $1",
            self.id,
            stage.as_str(),
            now,
            by.map(|(name, _)| name),
            by.map(|(_, note)| note),
            bank_due_on,
            stage.is_followed().then(|| next_look(now, bank_due_on, now)),
            Arrival::TwoBusinessDays.expected_on(today),
        )
        .execute(tx)
        .await?;
        Ok(())
    }

    fn detail(&self, note: Option<&str>) -> serde_json::Value {
        json!({ "amount": self.amount, "currency": self.currency, "note": note })
    }
}

/// Takes over what Toss said last of the bank.
pub async fn follow(backoffice: &Backoffice, payment_key: &str) -> Result<(), Fault> {
    take_over(backoffice, payment_key, false).await
}

/// `asked` says that the look that was due has been made.
async fn take_over(backoffice: &Backoffice, payment_key: &str, asked: bool) -> Result<(), Fault> {
    let now = backoffice.clock.now();
    let today = now.to_offset(SEOUL).date();
    let mut tx = backoffice.pool.begin().await?;
    // Rows are locked in one order everywhere: order, payment, refund.
    sqlx::query!(
        "select 1 as one from orders o join payments p on p.order_id = o.order_id where p.payment_key = $1 for update of o",
        payment_key,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let payment = sqlx::query!(
        "update payments set bank_news = false where payment_key = $1 returning order_id, refund_status, fetch_seq",
        payment_key,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(payment) = payment else { return Ok(()) };
    let told = RefundStatus::from(payment.refund_status.as_deref().unwrap_or("NONE"));
    let refunds = sqlx::query_as!(
        Followed,
        r#"select id, order_id, amount, currency, stage as "stage!: Stage", stage_at as "stage_at!", stage_by_name,
                  bank_due_on, for_return
           from refunds
           where order_id = $2 and payment_key = $1 and stage is not null and arrival = 'two_business_days'
             -- Of a question that was asked before Toss took it, the answer is about another one.
             and stage_seq < $3
           order by settled_at, id for update"#,
        payment_key,
        payment.order_id,
        payment.fetch_seq,
    )
    .fetch_all(&mut *tx)
    .await?;
    let nothing_at_the_bank = refunds.iter().all(|refund| !refund.stage.is_followed());
    for (index, refund) in refunds.iter().enumerate() {
        let is_newest = index + 1 == refunds.len();
        let at_bank = AtBank {
            stage: refund.stage,
            is_the_only_one_meant: is_newest && nothing_at_the_bank,
            declared_on: refund.stage_by_name.as_ref().map(|_| refund.stage_at.to_offset(SEOUL).date()),
        };
        let next = next_stage(at_bank, &told, today);
        if next != refund.stage {
            refund.write(&mut tx, now, next, None).await?;
            note_stage(backoffice, &mut tx, &JOB, refund, next, None).await?;
        } else if next.is_followed() {
            let due = refund.bank_due_on.unwrap_or(today);
            // A bank that has it is what a person was waiting for.
            sqlx::query!(
                "update refunds set look_at = coalesce($2, look_at), bank_due_on = coalesce(bank_due_on, $4),
                        stage_by_name = case when $3 then null else stage_by_name end
                 where id = $1",
                refund.id,
                asked.then(|| next_look(refund.stage_at, due, now)),
                told == RefundStatus::Pending,
                due,
            )
            .execute(&mut *tx)
            .await?;
        }
    }
    tx.commit().await?;
    Ok(())
}

/// The audit row of a stage, and what it means for the legal clock.
async fn note_stage(
    backoffice: &Backoffice,
    tx: &mut PgConnection,
    actor: &Actor,
    refund: &Followed,
    stage: Stage,
    note: Option<&str>,
) -> Result<(), Fault> {
    let now = backoffice.clock.now();
    let action = match stage {
        Stage::Accepted | Stage::AtTheBank => "refund.at_the_bank",
        Stage::Arrived => "refund.arrived",
        Stage::PartlyArrived => "refund.partly_arrived",
        Stage::Returned => "refund.returned",
    };
    super::note(&mut *tx, now, actor, &refund.order_id, refund.id, action, refund.detail(note)).await?;
    if stage == Stage::Arrived {
        stop_clock(&mut *tx, now, actor, &refund.order_id, refund.for_return).await?;
    } else if refund.stage == Stage::Arrived {
        returns::reopen_refunded(&mut *tx, now, actor, &refund.order_id).await?;
    }
    metrics::counter!("jangbu_refund_stages_total", "stage" => stage.as_str()).increment(1);
    Ok(())
}

/// Asks Toss about all money at banks that it is time for. What the job does every minute.
pub async fn follow_due(backoffice: &Backoffice) -> Result<(), Fault> {
    let news = sqlx::query_scalar!("select payment_key from payments where bank_news limit $1", AT_MOST)
        .fetch_all(&backoffice.pool)
        .await?;
    for payment_key in news {
        follow(backoffice, &payment_key).await?;
    }
    let now = backoffice.clock.now();
    let due = sqlx::query!(
        r#"select payment_key, min(order_id) as "order_id!" from refunds where look_at <= $1
           group by payment_key order by min(look_at) limit $2"#,
        now,
        AT_MOST,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    for payment in due {
        let looked =
            payments::look_up_on_rail(backoffice, &JOB, &payment.order_id, Some(&payment.payment_key)).await;
        match looked {
            Ok(_) => take_over(backoffice, &payment.payment_key, true).await?,
            Err(fault) => {
                tracing::warn!(%fault, order = %payment.order_id, "a refund at the bank could not be asked about");
            }
        }
        // Whatever Toss said, the same question is not asked at once again.
        sqlx::query!(
            "update refunds set look_at = $2 where payment_key = $1 and look_at <= $3",
            payment.payment_key,
            now + AGAIN_AFTER,
            now,
        )
        .execute(&backoffice.pool)
        .await?;
    }
    Ok(())
}

/// A person writes down what they did about money that came back, or that a bank has had for too long.
pub async fn record_way_out(
    backoffice: &Backoffice,
    actor: &Actor,
    id: Uuid,
    way_out: WayOut,
    note: &str,
) -> Result<Refund, RefundError> {
    let note = note_of(note)?;
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    sqlx::query!(
        "select 1 as one from orders o join refunds r on r.order_id = o.order_id where r.id = $1 for update of o",
        id,
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Refused::NoSuchRefund)?;
    let refund = sqlx::query_as!(
        Followed,
        r#"select id, order_id, amount, currency, stage as "stage!: Stage", stage_at as "stage_at!", stage_by_name,
                  bank_due_on, for_return
           from refunds where id = $1 and stage is not null for update"#,
        id,
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Refused::NotReturned)?;
    let late = refund.stage == Stage::AtTheBank
        && refund.bank_due_on.is_some_and(|due| now.to_offset(SEOUL).date() > due);
    if !refund.stage.needs_person() && !late {
        return Err(Refused::NotReturned.into());
    }
    let (stage, action) = match way_out {
        WayOut::SentAgain => (Stage::AtTheBank, "refund.sent_again"),
        WayOut::PaidOtherwise => (Stage::Arrived, "refund.paid_otherwise"),
    };
    refund.write(&mut tx, now, stage, Some((actor.name(), &note))).await?;
    super::note(&mut tx, now, actor, &refund.order_id, refund.id, action, refund.detail(Some(&note))).await?;
    if stage == Stage::Arrived {
        stop_clock(&mut tx, now, actor, &refund.order_id, refund.for_return).await?;
    }
    tx.commit().await?;
    refunds::get_known(backoffice, id).await
}
