//! The rows of each file, page by page as the lists on the screen read them.

use std::future::Future;

use futures::TryStreamExt as _;
use uuid::Uuid;

use super::{Out, What, columns as of, columns::Column};
use crate::{
    Backoffice, Fault,
    audit::{self, access},
    iap,
    orders::{self, Order},
    page::{Cursor, Page},
    payouts, personal_data,
    reconciliation::{self, Class, differences},
    refunds, reports, transactions, webhooks,
};

/// Rows that are read at once.
const PAGE: usize = 1000;
/// Orders of somebody of which everything is read at once.
const ORDERS_OF_A_PERSON: usize = 100;

/// Reads a list to its end, newest first, and writes a row for each.
async fn every<T, F>(
    out: &mut Out<'_>,
    columns: &[Column<T>],
    mut read: impl FnMut(Option<Cursor>) -> F,
) -> Result<(), Fault>
where
    F: Future<Output = Result<Page<T>, Fault>>,
{
    let mut cursor = None;
    loop {
        let page = read(cursor.take()).await?;
        for item in &page.rows {
            out.row(columns, item).await?;
        }
        match page.older {
            Some(older) => cursor = Some(older),
            None => return Ok(()),
        }
    }
}

async fn all<T>(out: &mut Out<'_>, columns: &[Column<T>], rows: Vec<T>) -> Result<(), Fault> {
    for row in &rows {
        out.row(columns, row).await?;
    }
    Ok(())
}

/// Who is in a file that nothing is masked in.
async fn keep_people(backoffice: &Backoffice, export: Uuid, orders: &[Order]) -> Result<(), Fault> {
    let people: Vec<String> = orders
        .iter()
        .filter(|o| {
            o.customer_name.is_some() || o.customer_mobile_phone.is_some() || o.customer_email.is_some()
        })
        .map(|order| order.order_id.clone())
        .collect();
    keep_order_ids(backoffice, export, &people).await
}

async fn keep_order_ids(backoffice: &Backoffice, export: Uuid, orders: &[String]) -> Result<(), Fault> {
    sqlx::query!(
        "insert into export_people (export_id, order_id) select $1, unnest($2::text[]) on conflict do nothing",
        export,
        orders,
    )
    .execute(&backoffice.pool)
    .await?;
    Ok(())
}

pub(super) async fn write(backoffice: &Backoffice, what: &What, out: &mut Out<'_>) -> Result<(), Fault> {
    match what {
        What::Orders(filter) => {
            let in_the_clear = (!out.is_masked).then_some(out.id);
            every(out, of::ORDERS, |at| async move {
                let page = orders::list(backoffice, filter, at.as_ref(), PAGE).await?;
                if let Some(export) = in_the_clear {
                    keep_people(backoffice, export, &page.rows).await?;
                }
                Ok(page)
            })
            .await
        }
        What::Transactions(filter) => {
            every(out, of::TRANSACTIONS, |at| async move {
                transactions::list(backoffice, filter, at.as_ref(), PAGE).await
            })
            .await
        }
        What::Refunds(filter) => {
            every(out, of::REFUNDS, |at| async move {
                refunds::history(backoffice, filter, at.as_ref(), PAGE).await
            })
            .await
        }
        What::Webhooks(filter) => {
            every(out, of::WEBHOOKS, |at| async move {
                webhooks::list(backoffice, filter, at.as_ref(), PAGE).await
            })
            .await
        }
        What::Differences(filter) => {
            every(out, of::DIFFERENCES, |at| async move {
                differences::list(backoffice, filter, at.as_ref(), PAGE).await
            })
            .await
        }
        What::MissingEvents => {
            every(out, of::MISSING_EVENTS, |at| async move {
                webhooks::missing::list(backoffice, at.as_ref(), PAGE).await
            })
            .await
        }
        What::IapOrders(filter) => {
            every(out, of::IAP_ORDERS, |at| async move {
                iap::orders::list(backoffice, filter, at.as_ref(), PAGE).await
            })
            .await
        }
        What::Person(person) => {
            let found = personal_data::orders_of(backoffice, person).await?;
            for orders in found.chunks(ORDERS_OF_A_PERSON) {
                keep_order_ids(backoffice, out.id, orders).await?;
                all(out, of::PERSON, personal_data::copy_of_orders(backoffice, orders).await?).await?;
            }
            for key in personal_data::users_of(backoffice, person, &found).await? {
                all(out, of::PERSON, personal_data::copy_of_user(backoffice, key).await?).await?;
            }
            Ok(())
        }
        What::Audit(filter) => {
            every(out, of::AUDIT, |at| async move {
                audit::list(&backoffice.pool, filter, at.as_ref(), PAGE).await
            })
            .await
        }
        What::AccessRecords(filter) => {
            every(out, of::ACCESS_RECORDS, |at| async move {
                access::list(&backoffice.pool, filter, at.as_ref(), PAGE).await
            })
            .await
        }
        What::Day(day) => {
            for class in Class::ALL {
                let read = |at: Option<Cursor>| async move {
                    let page = reconciliation::list_rows(backoffice, *day, class, at.as_ref(), PAGE).await?;
                    Ok(page.map(|row| (class, row)))
                };
                every(out, of::DAY, read).await?;
            }
            Ok(())
        }
        What::Payout(day) => {
            let mut rows = payouts::settlements(backoffice, *day);
            while let Some(row) = rows.try_next().await? {
                out.row(of::PAYOUT, &row).await?;
            }
            Ok(())
        }
        What::Payouts(span) => {
            all(out, of::PAYOUTS, payouts::list(backoffice, span.from, span.to).await?).await
        }
        What::Sales(span) => all(out, of::SALES, reports::sales(backoffice, span.from, span.to).await?).await,
        What::Fees(span) => all(out, of::FEES, reports::fees(backoffice, span.from, span.to).await?).await,
        What::Vat(span) => all(out, of::VAT, reports::vat(backoffice, span.from, span.to).await?).await,
    }
}
