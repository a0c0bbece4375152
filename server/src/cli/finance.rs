//! Reading Toss's lists and holding the books against them.

use std::time::Duration;

use anyhow::{Context, bail};
use app::context::Mode;
use backoffice::{
    Actor, Backoffice,
    clock::day_start,
    reconciliation::{Reconciled, contract::NewRate, window},
    transactions::Compared,
};
use indicatif::{ProgressBar, ProgressStyle};
use time::Date;

use super::{Contract, Sync, Window, say};
use crate::Jangbu;

/// One call after the other, so that a minute holds less than the 100 that Toss takes in its test environment.
const PACE: Duration = Duration::from_millis(610);

fn day(name: &str, text: &str) -> anyhow::Result<Date> {
    toss::timestamp::parse_date(text).with_context(|| format!("--{name}: a day like 2026-11-21"))
}

fn days(backoffice: &Backoffice, asked: &Window) -> anyhow::Result<(Date, Date)> {
    let today = backoffice.clock.today();
    let tomorrow = today.next_day().context("the calendar ends")?;
    match (&asked.from, &asked.to, asked.last) {
        (Some(from), Some(to), _) => Ok(window(day("from", from)?, day("to", to)?, today)?),
        (_, _, Some(last)) => {
            let first = tomorrow.checked_sub(time::Duration::days(last)).context("--last: too many days")?;
            Ok(window(first, tomorrow, today)?)
        }
        _ => bail!("--from and --to, or --last"),
    }
}

fn bar(days: i64) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} ({eta})")?;
    Ok(ProgressBar::new(u64::try_from(days).unwrap_or_default()).with_style(style))
}

/// A client that keeps to the pace of the environment.
fn paced(jangbu: &Jangbu) -> Backoffice {
    let mut backoffice = jangbu.backoffice.clone();
    if jangbu.settings.mode == Mode::Test {
        backoffice.toss = backoffice.toss.paced(PACE);
    }
    backoffice
}

pub(super) async fn sync(jangbu: &Jangbu, actor: &Actor, command: Sync) -> anyhow::Result<()> {
    let backoffice = paced(jangbu);
    let (what, asked) = match &command {
        Sync::Transactions(window) => ("transactions", window),
        Sync::Settlements(window) => ("settlements", window),
    };
    let (from, end) = days(&backoffice, asked)?;
    let bar = bar((end - from).whole_days())?;
    let mut day = from;
    let mut sum = Compared::default();
    while day < end {
        let next = day.next_day().context("--to: too late")?;
        bar.set_message(day.to_string());
        let one = async {
            match command {
                Sync::Transactions(_) => transactions(&backoffice, actor, day, next).await,
                Sync::Settlements(_) => settlements(&backoffice, actor, day).await,
            }
        };
        let (read, line) = tokio::select! {
            read = one => read?,
            _ = tokio::signal::ctrl_c() => {
                bar.abandon();
                // Every day before this one is in the books; doing this one again is harmless.
                bail!("stopped; go on with: jangbu sync {what} --from {day} --to {end}");
            }
        };
        sum += read;
        bar.suspend(|| say(&format!("{day}: {line}")));
        bar.inc(1);
        day = next;
    }
    bar.finish_and_clear();
    say(&format!("done: {} read, {} new", sum.read, sum.new));
    Ok(())
}

async fn transactions(
    backoffice: &Backoffice,
    actor: &Actor,
    day: Date,
    next: Date,
) -> anyhow::Result<(Compared, String)> {
    let mut compared =
        backoffice::transactions::sync(backoffice, actor, day_start(day), day_start(next)).await?;
    let toss_pay = backoffice::transactions::sync_toss_pay::sync(backoffice, day).await?;
    compared.read += toss_pay;
    let line = format!(
        "{} read ({toss_pay} of Toss Pay), {} of them never told by webhook, {} payments brought up to date",
        compared.read, compared.missing, compared.changed
    );
    Ok((compared, line))
}

async fn settlements(
    backoffice: &Backoffice,
    actor: &Actor,
    day: Date,
) -> anyhow::Result<(Compared, String)> {
    let read = backoffice::settlements::sync(backoffice, actor, day).await?;
    let line = format!("{} read, {} new or changed, {} gone", read.rows, read.new, read.gone);
    Ok((Compared { read: read.rows, new: read.new, ..Compared::default() }, line))
}

pub(super) async fn reconcile(
    backoffice: &Backoffice,
    actor: &Actor,
    one: Option<String>,
    asked: &Window,
) -> anyhow::Result<()> {
    let (from, end) = match one {
        Some(one) => {
            let one = day("day", &one)?;
            window(one, one.next_day().context("--day: too late")?, backoffice.clock.today())?
        }
        None => days(backoffice, asked)?,
    };
    let bar = bar((end - from).whole_days())?;
    let mut sum = Reconciled::default();
    let mut at = from;
    while at < end {
        // A month at a time: set against set, with a bar that moves.
        let next = end.min(at + time::Duration::days(31));
        bar.set_message(at.to_string());
        sum += backoffice::reconciliation::reconcile(backoffice, actor, at, next).await?;
        bar.inc(u64::try_from((next - at).whole_days()).unwrap_or_default());
        at = next;
    }
    bar.finish_and_clear();
    say(&format!(
        "{} rows, {} of them differ ({} new or changed), {} agree by now, {} came after the close",
        sum.rows, sum.differences, sum.found, sum.resolved, sum.after_close
    ));
    Ok(())
}

pub(super) async fn contract(
    backoffice: &Backoffice,
    actor: &Actor,
    command: Contract,
) -> anyhow::Result<()> {
    match command {
        Contract::Set { method, currency, valid_from, per_cent, flat, cycle, payout_days } => {
            let new = NewRate { method, currency, valid_from, per_cent, flat, cycle, payout_days };
            backoffice::reconciliation::contract::set_rate(backoffice, actor, &new).await??;
            say("the rate is saved; it holds from the next reconciliation on");
        }
        Contract::List => {
            for rate in backoffice::reconciliation::contract::rates(backoffice).await? {
                say(&format!(
                    "{}\t{}\tfrom {}\t{} %\t+ {}\t{}\t{} business days",
                    rate.method,
                    rate.currency,
                    rate.valid_from,
                    rate.per_mille.unwrap_or_default() / backoffice::Decimal::TEN,
                    rate.flat,
                    rate.cycle.as_str(),
                    rate.payout_days
                ));
            }
        }
    }
    Ok(())
}
