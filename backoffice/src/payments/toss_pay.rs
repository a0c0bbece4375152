//! Toss Pay in a mini-app: the merchant's server begins a payment here, the buyer authenticates in the Toss app, the
//! merchant's server has it executed. Every step is written down before it is sent, and a lost answer is asked for.

use std::time::Duration;

use serde_json::json;
use toss::apps_in_toss::{
    Error as TossError, ExecutePayment, Invalid, MakePayment, NotDone, PayStatus, PayToken, Refusal, UserKey,
};

use super::job::LookUp;
use crate::{
    Backoffice, Fault,
    audit::{self, Act, Actor},
    orders::{self, Order},
    payments::{self, ProviderPayment},
    queue,
    rail::Rail,
};

/// Asked about at once by one run of the job.
const AT_ONCE: i64 = 100;

#[derive(Debug, thiserror::Error)]
pub enum TossPayError {
    #[error("{0}")]
    Invalid(#[from] Invalid),
    #[error("no such order")]
    NotFound,
    /// Another order has this number, or the same order with other content.
    #[error("the order number is taken")]
    Conflict,
    /// The token is not that of this order's payment.
    #[error("the payToken belongs to another payment")]
    OtherToken,
    /// The buyer has not authenticated it, or it has ended.
    #[error("the payment cannot be executed: it is {0}")]
    NotExecutable(String),
    #[error("Toss refused: {0}")]
    Refused(Refusal),
    /// Nothing was sent.
    #[error("Toss was not reached: {0}")]
    NotSent(String),
    /// Neither yes nor no; the next call, or a job, finds out.
    #[error("the outcome is not known yet")]
    Unknown,
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<sqlx::Error> for TossPayError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<TossError> for TossPayError {
    fn from(error: TossError) -> Self {
        match error {
            TossError::NotDone(NotDone::Refused(refusal)) => Self::Refused(refusal),
            TossError::NotDone(other) => Self::NotSent(other.to_string()),
            TossError::MaybeDone(_) => Self::Unknown,
        }
    }
}

/// Begins a payment and gives the token for the mini-app. The same request again gives the same token.
pub async fn make(
    backoffice: &Backoffice,
    actor: &Actor,
    user: UserKey,
    request: &MakePayment,
) -> Result<PayToken, TossPayError> {
    request.check()?;
    let client = backoffice.apps_in_toss()?.clone();
    if note_making(backoffice, actor, user, request).await? {
        // It was asked for before: Toss says whether it came to anything.
        if let Some(token) = token_of(backoffice, actor, &request.order_no).await? {
            return Ok(token);
        }
    }
    match client.make_payment(user, request).await {
        Ok(answer) => {
            keep_token(backoffice, &request.order_no, &answer.value).await?;
            if let Err(fault) = payments::look_up_on_rail(backoffice, actor, &request.order_no, None).await {
                tracing::warn!(%fault, order_no = request.order_no, "no look-up after make-payment");
            }
            Ok(answer.value)
        }
        Err(error) => {
            tracing::warn!(%error, order_no = request.order_no, "make-payment");
            // It may be there all the same: also "it exists already" is the answer to a request that was lost.
            match token_of(backoffice, actor, &request.order_no).await {
                Ok(Some(token)) => Ok(token),
                Err(conflict @ TossPayError::Conflict) => Err(conflict),
                _ => Err(error.into()),
            }
        }
    }
}

/// The order and what is asked for it, before it is sent. True when it was there already.
async fn note_making(
    backoffice: &Backoffice,
    actor: &Actor,
    user: UserKey,
    request: &MakePayment,
) -> Result<bool, TossPayError> {
    let now = backoffice.clock.now();
    let asked = json!({ "userKey": user, "payment": request });
    let mut tx = backoffice.pool.begin().await?;
    let inserted = sqlx::query!(
        "insert into orders (order_id, rail, origin, order_name, amount, currency, user_key, status, created_at, updated_at)
         values ($1, 'toss_pay', 'merchant', $2, $3, 'KRW', $4, 'READY', $5, $5) on conflict (order_id) do nothing",
        request.order_no,
        request.product_desc,
        rust_decimal::Decimal::from(request.amount),
        user.to_string(),
        now,
    )
    .execute(&mut *tx)
    .await?;
    if inserted.rows_affected() == 1 {
        sqlx::query!(
            "insert into toss_pay_requests (order_id, request, made_at) values ($1, $2, $3)",
            request.order_no,
            asked,
            now,
        )
        .execute(&mut *tx)
        .await?;
        let detail = json!({ "amount": request.amount, "currency": "KRW", "userKey": user });
        let act =
            Act { action: "order.registered", subject_kind: "order", subject: &request.order_no, detail };
        audit::record(&mut tx, now, actor, act).await?;
        tx.commit().await?;
        return Ok(false);
    }
    let known =
        sqlx::query_scalar!("select request from toss_pay_requests where order_id = $1", request.order_no)
            .fetch_optional(&mut *tx)
            .await?;
    match known {
        Some(known) if known == asked => Ok(true),
        _ => Err(TossPayError::Conflict),
    }
}

/// The token that we know, or that Toss knows.
async fn token_of(
    backoffice: &Backoffice,
    actor: &Actor,
    order_no: &str,
) -> Result<Option<PayToken>, TossPayError> {
    let order = orders::get(backoffice, order_no).await?.ok_or(TossPayError::NotFound)?;
    if let Some(token) = order.payment_key {
        return Ok(Some(PayToken(token)));
    }
    match payments::look_up_on_rail(backoffice, actor, order_no, None).await {
        // A payment of this number that was begun elsewhere, for other money.
        Ok((held, _)) if held.total() != order.amount => Err(TossPayError::Conflict),
        Ok((held, _)) => Ok(Some(PayToken(held.key().to_owned()))),
        Err(Fault::AppsInToss(error)) if error.is_not_found() => Ok(None),
        Err(Fault::AppsInToss(error)) => Err(error.into()),
        Err(fault) => Err(fault.into()),
    }
}

async fn keep_token(backoffice: &Backoffice, order_no: &str, token: &PayToken) -> Result<(), Fault> {
    sqlx::query!(
        "update orders set payment_key = $2, status = 'PAY_STANDBY', updated_at = $3
         where order_id = $1 and status = 'READY'",
        order_no,
        token.as_str(),
        backoffice.clock.now(),
    )
    .execute(&backoffice.pool)
    .await?;
    Ok(())
}

/// Takes the money of a payment that the buyer has authenticated, or answers like the first time.
pub async fn execute(
    backoffice: &Backoffice,
    actor: &Actor,
    order_no: &str,
    token: &PayToken,
) -> Result<Order, TossPayError> {
    if order_no.contains('\0') {
        return Err(TossPayError::NotFound);
    }
    let order = orders::get(backoffice, order_no).await?.ok_or(TossPayError::NotFound)?;
    if order.rail != Rail::TossPay {
        return Err(TossPayError::NotFound);
    }
    if order.payment_key.as_deref().is_some_and(|known| known != token.as_str()) {
        return Err(TossPayError::OtherToken);
    }
    // Read first: what was executed already is not executed twice.
    let held = read(backoffice, actor, order_no).await?;
    if held.key() != token.as_str() {
        return Err(TossPayError::OtherToken);
    }
    if held.total() != order.amount {
        return Err(TossPayError::Conflict);
    }
    match PayStatus::from(held.status()) {
        PayStatus::Approved => {}
        status if status.is_paid() => {
            return orders::get(backoffice, order_no).await?.ok_or(TossPayError::NotFound);
        }
        PayStatus::Progress => return Err(TossPayError::Unknown),
        status => return Err(TossPayError::NotExecutable(status.as_str().to_owned())),
    }
    note_executing(backoffice, actor, order_no, token).await?;
    let payment = ExecutePayment { pay_token: token.clone(), order_no: Some(order_no.to_owned()) };
    let sent = backoffice.apps_in_toss()?.execute_payment(order.user()?, &payment).await;
    if let Err(error) = &sent {
        tracing::warn!(%error, order_no, "execute-payment");
    }
    // The status decides, whatever was answered: a success may carry a payment that failed. From here on nothing may be
    // said but yes, no, or unknown.
    let held = match read(backoffice, actor, order_no).await {
        Ok(held) => held,
        Err(fault @ TossPayError::Fault(_)) => return Err(fault),
        Err(error) => {
            tracing::warn!(%error, order_no, "no look-up after execute-payment");
            return Err(TossPayError::Unknown);
        }
    };
    let status = PayStatus::from(held.status());
    if status.is_paid() {
        return orders::get(backoffice, order_no).await?.ok_or(TossPayError::NotFound);
    }
    match sent {
        Err(error @ TossError::NotDone(_)) => Err(error.into()),
        _ if status == PayStatus::Cancel => Err(TossPayError::NotExecutable(status.as_str().to_owned())),
        _ => Err(TossPayError::Unknown),
    }
}

async fn read(
    backoffice: &Backoffice,
    actor: &Actor,
    order_no: &str,
) -> Result<ProviderPayment, TossPayError> {
    match payments::look_up_on_rail(backoffice, actor, order_no, None).await {
        Ok((held, _)) => Ok(held),
        Err(Fault::AppsInToss(error)) if error.is_not_found() => Err(TossPayError::NotFound),
        Err(Fault::AppsInToss(error @ TossError::NotDone(_))) => Err(error.into()),
        Err(Fault::AppsInToss(_)) => Err(TossPayError::Unknown),
        Err(fault) => Err(fault.into()),
    }
}

/// With the job that looks after it should this process die.
async fn note_executing(
    backoffice: &Backoffice,
    actor: &Actor,
    order_no: &str,
    token: &PayToken,
) -> Result<(), TossPayError> {
    let now = backoffice.clock.now();
    let mut tx = backoffice.pool.begin().await?;
    let act = Act {
        action: "order.confirm_sent",
        subject_kind: "order",
        subject: order_no,
        detail: json!({ "paymentKey": token }),
    };
    audit::record(&mut tx, now, actor, act).await?;
    queue::plan(&mut tx, &LookUp::of_order(order_no), Duration::from_secs(90)).await?;
    tx.commit().await?;
    Ok(())
}

/// Asks about payments that Toss changes without telling anybody. How many were asked about.
pub async fn poll(backoffice: &Backoffice) -> Result<usize, Fault> {
    if backoffice.apps_in_toss.is_none() {
        return Ok(0);
    }
    // Those that nobody paid within a day will not be paid any more; a refund under way always ends.
    let since = backoffice.clock.now() - time::Duration::DAY;
    let moving = sqlx::query_scalar!(
        "select order_id from orders
         where rail = 'toss_pay' and status in ('READY', 'PAY_STANDBY', 'PAY_APPROVED', 'PAY_PROGRESS', 'REFUND_PROGRESS')
           and (created_at > $1 or status in ('PAY_PROGRESS', 'REFUND_PROGRESS'))
         order by updated_at limit $2",
        since,
        AT_ONCE,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    for order_no in &moving {
        match payments::look_up_on_rail(backoffice, &Actor::Job("toss_pay"), order_no, None).await {
            Ok(_) => {}
            Err(Fault::AppsInToss(error)) if error.is_silence() => {
                tracing::warn!(%error, "Toss Pay does not answer");
                break;
            }
            Err(fault @ Fault::Database(_)) => return Err(fault),
            Err(fault) => {
                tracing::info!(%fault, order_no, "a Toss Pay look-up");
                // The next run begins with others.
                sqlx::query!(
                    "update orders set updated_at = $2 where order_id = $1",
                    order_no,
                    backoffice.clock.now()
                )
                .execute(&backoffice.pool)
                .await?;
            }
        }
    }
    Ok(moving.len())
}
