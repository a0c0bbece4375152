//! Toss Pay has no list of transactions: the status of every payment that may have moved on a day is its list.

use time::{Date, OffsetDateTime};
use toss::apps_in_toss::PayToken;

use super::ListSync;
use crate::{
    Backoffice, Fault,
    clock::day_start,
    orders,
    payments::{FetchedPayment, SourceRow},
    rail::Rail,
};

/// Days that are read again: a refund in Toss's own console comes days after the payment.
const WEEK: i64 = 7;

/// Toss Pay has no list of transactions: the status of every payment that may have moved on a day is its list. What is
/// read is noted as Toss's word; our own books stay as they are. How many rows there were.
pub async fn sync(backoffice: &Backoffice, day: Date) -> Result<u64, Fault> {
    if backoffice.apps_in_toss.is_none() {
        return Ok(0);
    }
    let (from, to) = (day_start(day), day_start(day.next_day().unwrap_or(day)));
    // A refund in Toss's own console comes days after the payment, and nobody tells of it.
    let orders = sqlx::query_scalar!(
        r#"select order_id as "order_id!" from orders where rail = 'toss_pay' and payment_key is not null
            and paid_at >= $1::timestamptz - interval '7 days' and paid_at < $2
         union
         select order_id from transactions where rail = 'toss_pay' and transaction_at >= $1 and transaction_at < $2"#,
        from,
        to,
    )
    .fetch_all(&backoffice.pool)
    .await?;
    let mut list = ListSync::of(Rail::TossPay, "toss_pay", backoffice.clock.now());
    let mut read = 0;
    for order_id in orders {
        let Some(order) = orders::get(backoffice, &order_id).await? else { continue };
        let token = order.payment_key.clone().map(PayToken);
        let told =
            backoffice.apps_in_toss()?.payment_status(order.user()?, token.as_ref(), Some(&order_id)).await;
        let told = match told {
            Ok(answer) => FetchedPayment::by_toss_pay(answer)?,
            Err(error) if error.is_not_found() => continue,
            Err(error) => return Err(error.into()),
        };
        let rows: Vec<SourceRow> =
            told.steps().into_iter().filter(|row| (from..to).contains(&row.at)).collect();
        read += rows.len() as u64;
        list.upsert_page(&backoffice.pool, &rows).await?;
    }
    let mut tx = backoffice.pool.begin().await?;
    list.finish(&mut tx, from, to).await?;
    tx.commit().await?;
    Ok(read)
}

/// Reads the days of the last week that were not read since `since`.
pub(crate) async fn sync_due(backoffice: &Backoffice, since: OffsetDateTime) -> Result<(), Fault> {
    if backoffice.apps_in_toss.is_none() {
        return Ok(());
    }
    for back in (1..=WEEK).rev() {
        let day = backoffice.clock.today() - time::Duration::days(back);
        let read = sqlx::query_scalar!(
            "select read_at from sync_windows where source = 'toss_pay' and starts_at = $1",
            day_start(day)
        )
        .fetch_optional(&backoffice.pool)
        .await?;
        if read.is_none_or(|at| at < since) {
            sync(backoffice, day).await?;
        }
    }
    Ok(())
}
