//! Taking an intent down: the intent, its key, its audit row and the job that finishes it are committed before
//! anybody calls Toss.

use std::time::Duration;

use serde_json::json;
use toss::{
    apps_in_toss::{Invalid, RefundReason},
    payments::{RefundAccount, institutions},
};
use tracing::Instrument;
use uuid::Uuid;

use super::{
    AccountCheck, Form, REASONS, Refund, RefundError, Refused, State, TaxSplit, WhyNot,
    account::{self, Buyer, Kept},
    eligibility,
    job::ExecuteRefund,
    limits,
};
use crate::{
    Backoffice, Fault,
    audit::Actor,
    kernel::seal,
    money, orders,
    payments::{self, ProviderPayment},
    queue,
    rail::Rail,
    refunds,
};

/// A job looks after an intent whose process has died. The process itself tries at once.
pub(super) const JOB_AFTER: Duration = Duration::from_secs(90);

/// A line of a file: what it was previewed on, and who has approved the file.
pub(super) struct Origin<'a> {
    pub balance: Option<rust_decimal::Decimal>,
    /// What the preview said of its account, and the second person saw.
    pub account_check: Option<AccountCheck>,
    pub approval: Option<&'a Approval>,
}

/// The second person of a whole file, who has seen its preview.
pub(super) struct Approval {
    pub because: String,
    pub by: Uuid,
    pub by_name: String,
}

/// The parts of a form that need no look at the books.
pub(super) struct Parsed {
    id: Uuid,
    reason: String,
}

pub(super) fn parse(form: &Form) -> Result<Parsed, Refused> {
    let id = Uuid::parse_str(&form.intent).map_err(|_| Refused::Form)?;
    if form.order_id.contains('\0') {
        return Err(Refused::NoSuchOrder);
    }
    if !REASONS.contains(&form.reason_code.as_str()) {
        return Err(Refused::ReasonCode);
    }
    let reason = form.reason.trim().to_owned();
    if reason.is_empty() {
        return Err(Refused::ReasonTooShort);
    }
    if reason.chars().count() > 200 || reason.contains('\0') {
        return Err(Refused::ReasonTooLong);
    }
    Ok(Parsed { id, reason })
}

pub(super) fn parse_account(
    bank: &str,
    account_number: &str,
    holder_name: &str,
) -> Result<RefundAccount, Refused> {
    let bank = institutions::bank_code(bank).ok_or(Refused::Bank)?;
    let number: String = account_number.chars().filter(|c| !matches!(c, '-' | ' ')).collect();
    if !(6..=20).contains(&number.len()) || !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Refused::AccountNumber);
    }
    let holder = holder_name.trim();
    if holder.is_empty() || holder.chars().count() > 60 || holder.chars().any(char::is_control) {
        return Err(Refused::HolderName);
    }
    Ok(RefundAccount { bank: bank.to_owned(), account_number: number, holder_name: holder.to_owned() })
}

/// What may go back of `payment`, held against an amount that somebody asks for.
pub(super) fn check_amount(
    may: &eligibility::Eligibility,
    amount: rust_decimal::Decimal,
    currency: &str,
) -> Result<(), Refused> {
    if let Some(why_not) = may.why_not {
        return Err(Refused::NotPossible(why_not));
    }
    if amount > may.left {
        return Err(Refused::OverBalance { left: may.left, currency: currency.to_owned() });
    }
    if amount < may.left {
        if !may.part {
            return Err(Refused::WholeOnly);
        }
        if let Some(least) = may.least.filter(|least| amount < *least) {
            return Err(Refused::BelowLeast { least, currency: currency.to_owned() });
        }
    }
    Ok(())
}

/// What of the refund bears no VAT: as the form says, or in proportion.
pub(super) fn tax_split(
    may: &eligibility::Eligibility,
    form: &Form,
    amount: rust_decimal::Decimal,
    currency: &str,
) -> Result<Option<TaxSplit>, Refused> {
    let typed = match form.tax_free_amount.trim() {
        "" => None,
        // Nothing of it is an answer, too.
        "0" => Some(rust_decimal::Decimal::ZERO),
        text => Some(money::parse(text, currency).map_err(Refused::TaxFreeAmount)?),
    };
    may.tax.split(amount, typed, money::places(currency))
}

/// Toss Pay takes shorter reasons, of fewer characters (toss-api.md B5.3). Nothing is left out unsaid.
pub(super) fn check_reason(rail: Rail, reason: &str) -> Result<(), Refused> {
    if rail != Rail::TossPay {
        return Ok(());
    }
    match RefundReason::parse(reason) {
        Ok(reason) if reason.stripped.is_empty() => Ok(()),
        Ok(reason) => Err(Refused::ReasonCharacters {
            not_taken: reason.stripped.into_iter().collect(),
            sent: reason.sent,
        }),
        Err(Invalid::ReasonTooLong) => Err(Refused::ReasonTooLongFor { most: RefundReason::LONGEST }),
        Err(_) => Err(Refused::ReasonTooShort),
    }
}

/// Takes the intent down and tries it at once. What comes back is how it stands, which may be `unknown`, or
/// `waiting_for_approval`.
pub async fn request(backoffice: &Backoffice, actor: &Actor, form: &Form) -> Result<Refund, RefundError> {
    let id = create_intent(backoffice, actor, form).await?;
    execute_detached(backoffice, id).await
}

/// Takes the intent down and sends nothing: [`super::execute::execute`] carries it out, here or elsewhere.
pub async fn create_intent(backoffice: &Backoffice, actor: &Actor, form: &Form) -> Result<Uuid, RefundError> {
    create_intent_from(
        backoffice,
        actor,
        form,
        &Origin { balance: None, account_check: None, approval: None },
    )
    .await
}

pub(super) async fn create_intent_from(
    backoffice: &Backoffice,
    actor: &Actor,
    form: &Form,
    origin: &Origin<'_>,
) -> Result<Uuid, RefundError> {
    let parsed = parse(form)?;
    // Decide on Toss's truth of this moment. When Toss cannot be asked, our copy decides, and
    // `refundableAmount` makes Toss refuse should it be stale.
    if let Some(order) = orders::get(backoffice, &form.order_id).await?
        && order.payment_key.is_some()
        && let Err(fault) = payments::look_up_on_rail(backoffice, actor, &order.order_id, None).await
    {
        tracing::warn!(%fault, "no look-up before a refund");
    }
    insert_intent(backoffice, actor, form, parsed, origin).await
}

/// Drives an intent on a task of its own: a browser that goes away must not leave a lease behind that nobody
/// works on.
pub(super) async fn execute_detached(backoffice: &Backoffice, id: Uuid) -> Result<Refund, RefundError> {
    let own = backoffice.clone();
    tokio::spawn(async move { refunds::execute(&own, id).await }.in_current_span())
        .await
        .map_err(Fault::from)??;
    refunds::get_known(backoffice, id).await
}

/// The account that the form means, as it is kept.
fn account_of(backoffice: &Backoffice, form: &Form, buyer: &Buyer) -> Result<Kept, RefundError> {
    let typed = [&form.bank, &form.account_number, &form.holder_name].map(Clone::clone);
    let account = buyer.account(&typed)?;
    Ok(account::keep(&backoffice.keys, seal::REFUND_ACCOUNT, &account, buyer.check(&account))?)
}

/// Why a second person is asked, and who it was, as far as that is known without looking at limits.
fn second_person_for<'a>(
    check: Option<AccountCheck>,
    origin: &Origin<'a>,
) -> (Option<String>, Option<&'a Approval>) {
    let elsewhere = check.is_some_and(AccountCheck::needs_second_person);
    // Who approved the file has seen this account, or has not approved it.
    let approval = origin.approval.filter(|_| !elsewhere || check == origin.account_check);
    let because = match approval {
        _ if elsewhere => Some(limits::ApprovalReason::Account.as_str().to_owned()),
        Some(approval) => Some(approval.because.clone()),
        None => None,
    };
    (because, approval)
}

async fn insert_intent(
    backoffice: &Backoffice,
    actor: &Actor,
    form: &Form,
    parsed: Parsed,
    origin: &Origin<'_>,
) -> Result<Uuid, RefundError> {
    let now = backoffice.clock.now();
    let Parsed { id, reason } = parsed;
    let mut tx = backoffice.pool.begin().await?;
    // Rows are locked in one order everywhere: staff, order, payment, refund.
    let limit = crate::limits::of(&mut tx, actor).await?;
    let order = sqlx::query!(
        "select payment_key, customer_name from orders where order_id = $1 for update",
        form.order_id
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Refused::NoSuchOrder)?;
    // The same form again is the same intent; a form that was changed meanwhile is not.
    let known = sqlx::query!(
        "select order_id, amount, refundable_amount, currency, reason, reason_code, tax_free_amount, account_hash from refunds where id = $1",
        id
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(known) = known {
        let account = account::hash_of_typed(&backoffice.keys, form);
        let tax_free = form.tax_free_amount.trim();
        let is_amount = if form.whole {
            known.amount == known.refundable_amount
        } else {
            money::parse(&form.amount, &known.currency) == Ok(known.amount)
        };
        let same = known.order_id == form.order_id
            && known.reason == reason
            && known.reason_code == form.reason_code
            && is_amount
            && (tax_free.is_empty()
                || known.tax_free_amount.is_none()
                || tax_free.parse().ok() == known.tax_free_amount)
            && (account.is_none() || known.account_hash.is_none() || account == known.account_hash);
        return if same { Ok(id) } else { Err(Refused::Form.into()) };
    }
    let key = order.payment_key.ok_or(Refused::NotPossible(WhyNot::NotPaid))?;
    let record = sqlx::query!(
        r#"select rail as "rail: Rail", raw, balance_amount, currency, refund_receive_account from payments where payment_key = $1 and order_id = $2 for update"#,
        key,
        form.order_id
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Refused::NotPossible(WhyNot::NotPaid))?;
    let payment = ProviderPayment::open(&backoffice.keys, record.rail, record.raw)?;
    // What waited for a balance that has gone is in nobody's way.
    super::approval::lapse(&mut tx, now, Some(&key)).await?;
    let open = sqlx::query!(
        "select requested_by_name, amount from refunds where payment_key = $1
         and state in ('requested', 'waiting_for_approval', 'approved', 'sending', 'unknown')",
        key
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(open) = open {
        return Err(Refused::AlreadyOpen {
            by: open.requested_by_name,
            amount: open.amount,
            currency: record.currency,
        }
        .into());
    }
    let left = record.balance_amount;
    if origin.balance.is_some_and(|previewed| previewed != left) {
        return Err(Refused::Lapsed.into());
    }
    let may = eligibility(&payment, now);
    if let Some(why_not) = may.why_not {
        return Err(Refused::NotPossible(why_not).into());
    }
    let amount = if form.whole {
        left
    } else {
        money::parse(&form.amount, &record.currency).map_err(Refused::Amount)?
    };
    check_amount(&may, amount, &record.currency)?;
    check_reason(payment.rail(), &reason)?;
    let tax = tax_split(&may, form, amount, &record.currency)?;
    let account = if may.needs_account {
        let kept = record.refund_receive_account.as_deref();
        let buyer = Buyer::new(&backoffice.keys, kept, order.customer_name, &payment)?;
        Some(account_of(backoffice, form, &buyer)?)
    } else {
        None
    };
    let check = account.as_ref().map(|account| account.check);
    let (because, approval) = match second_person_for(check, origin) {
        (None, None) => {
            let because = limits::exceeded(&mut tx, limit.as_ref(), amount, &record.currency, now).await?;
            (because.map(|because| because.as_str().to_owned()), None)
        }
        known => known,
    };
    let state = match (&because, approval) {
        (None, _) => State::Requested,
        (Some(_), None) => State::WaitingForApproval,
        (Some(_), Some(_)) => State::Approved,
    };
    let known_cancels: Vec<String> =
        payment.cancellations().into_iter().filter_map(|c| c.transaction_key).collect();
    let inserted = sqlx::query!(
        "insert into refunds (id, order_id, payment_key, amount, currency, refundable_amount, reason_code, reason,
                              refund_account, state, idempotency_key, requested_by, requested_by_name, requested_at,
                              known_cancels, approval_reason, approved_by, approved_by_name, approved_at, for_return, arrival,
                              account_masked, account_hash, account_check, tax_free_amount, tax_exemption_amount,
                              requested_by_key)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
                 $23, $24, $25, $26, $27)
         on conflict (id) do nothing",
        id,
        form.order_id,
        key,
        amount,
        record.currency,
        left,
        form.reason_code,
        reason,
        account.as_ref().map(|account| account.sealed.as_str()),
        state.as_str(),
        format!("refund-{id}"),
        actor.staff_id(),
        actor.name(),
        now,
        &known_cancels,
        because,
        approval.map(|a| a.by),
        approval.map(|a| a.by_name.clone()),
        approval.map(|_| now),
        form.for_return,
        may.arrival_of(amount).as_str(),
        account.as_ref().map(|account| account.masked.as_str()),
        account.as_ref().map(|account| account.hash.as_str()),
        check.map(AccountCheck::as_str),
        tax.map(|tax| tax.free),
        tax.map(|tax| tax.exempt),
        actor.api_key(),
    )
    .execute(&mut *tx)
    .await?;
    // Under another order's lock somebody has just used this id for something else.
    if inserted.rows_affected() == 0 {
        return Err(Refused::Form.into());
    }
    if state.is_under_way() {
        queue::plan(&mut tx, &ExecuteRefund { id }, JOB_AFTER).await?;
    }
    let detail = json!({ "amount": amount, "currency": record.currency, "reasonCode": form.reason_code,
                         "reason": reason, "refundableAmount": left, "approvalReason": because,
                         "approvedBy": approval.map(|a| a.by_name.as_str()),
                         "taxFreeAmount": tax.map(|tax| tax.free),
                         "taxExemptionAmount": tax.map(|tax| tax.exempt),
                         "refundReceiveAccount": account::audited(account.as_ref()) });
    super::note(&mut tx, now, actor, &form.order_id, id, "refund.requested", detail).await?;
    tx.commit().await?;
    Ok(id)
}
