//! `cargo xtask test`.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, ensure};
use time::{
    PrimitiveDateTime,
    macros::{format_description, offset},
};

use crate::{
    front::{self, Warnings},
    lint,
    postgres::Postgres,
    report,
    run::{self, cargo, root, run, target},
    simulate, sqlx,
    stack::{MERCHANT_KEY, PASSWORD, SECRET_KEY, Stack},
    tools,
};

/// Days on which the browser tests have to pass, as moments in Seoul. On a day of its own the month of trade contains
/// other days, holidays and payouts.
pub(crate) const DAYS: [&str; 10] = [
    // An ordinary Wednesday: what a test run takes.
    "2026-11-18T14:00",
    // A month's last day: the whole trade lies in it.
    "2026-03-31T14:00",
    // A month's first day: no payout in it yet.
    "2026-04-01T14:00",
    // A Sunday, a month's last day, late.
    "2026-05-31T23:00",
    // Chuseok.
    "2026-09-25T14:00",
    // A year's last day, with a refund in dollars as the newest difference.
    "2026-12-31T17:00",
    // New Year: in UTC it is still the old one.
    "2027-01-01T00:20",
    // The substitute day of Seollal.
    "2027-02-09T14:00",
    // A leap day, just after the morning's reading begins.
    "2028-02-29T06:30",
    // The last of Chuseok's days: no business day in the month yet.
    "2028-10-05T14:00",
];

/// `browser_day`: when the browser tests begin; without one they are left out.
pub(crate) fn test(browser_day: Option<&str>) -> anyhow::Result<()> {
    lint::lint()?;
    simulate::check_breakages()?;
    report::step("building", || run(cargo().args(["build", "--workspace"])))?;
    {
        let postgres = report::step("starting a PostgreSQL for the tests", Postgres::start)?;
        sqlx::prepare_with(&postgres, true)?;
        report::step("unit, property and integration tests", || {
            run(cargo().args(["test", "--workspace"]).env("JANGBU_TEST_DATABASE_URL", &postgres.url))
        })?;
        simulate::for_tests(&postgres)?;
    }
    browser_day.map_or(Ok(()), |day| end_to_end(&[day]))?;
    api()
}

pub(crate) fn browser_days() -> anyhow::Result<()> {
    front::build(Warnings::AreShown)?;
    report::step("building", || run(cargo().args(["build", "--workspace"])))?;
    end_to_end(&DAYS)
}

/// The whole product in a browser, with and without JavaScript.
fn end_to_end(days: &[&str]) -> anyhow::Result<()> {
    let chromium = tools::chromium()?;
    tools::playwright()?;
    run::listen_for_ctrl_c()?;
    let mut failed = Vec::new();
    for day in days {
        ensure!(!run::stopped(), "stopped");
        report::line(&format!("▸ browser: {day} in Seoul"));
        if let Err(error) = on_day(day, &chromium) {
            report::line(&format!("  ✗ {error:#}"));
            failed.push(*day);
        }
    }
    ensure!(
        failed.is_empty(),
        "the browser tests failed on {failed:?}; one of them again: JANGBU_TEST_DAY=…"
    );
    Ok(())
}

fn on_day(day: &str, chromium: &Path) -> anyhow::Result<()> {
    let at = PrimitiveDateTime::parse(day, format_description!("[year]-[month]-[day]T[hour]:[minute]"))
        .context("a moment like 2026-11-18T14:00")?
        .assume_offset(offset!(+9));
    let data = target().join("end2end");
    if let Ok(home) = fs::read_to_string(data.join("postgres-home")) {
        fs::remove_dir_all(home.trim()).ok();
    }
    if data.exists() {
        fs::remove_dir_all(&data)?;
    }
    let results = target().join("end2end-results").join(day.replace(':', "-"));
    let mut stack = report::step("starting the product", || Stack::start(&data, 4300, Some(at)))?;
    stack.add_staff()?;
    report::step("a little trade", || stack.trade(120, |_| {}))?;
    report::step("reading Toss's lists and reconciling", || stack.keep_books())?;
    let database_url = stack.database_url()?;
    let outcome = report::step("browser tests", || {
        run(Command::new("npx")
            .args(["playwright", "test"])
            .current_dir(root().join("end2end"))
            .env("CHROMIUM", chromium)
            .env("JANGBU_URL", &stack.url)
            .env("JANGBU_DATABASE_URL", &database_url)
            // One test serves the product a second time, with other ways in.
            .env("JANGBU_BINARY", run::binary("jangbu"))
            .env("SHOP_BINARY", run::binary("shop"))
            .env("JANGBU_SITE_DIR", front::site())
            .env("SANDBOX_URL", &stack.sandbox_url)
            .env("SANDBOX_SECRET_KEY", SECRET_KEY)
            .env("JANGBU_MERCHANT_API_KEY", MERCHANT_KEY)
            .env("JANGBU_PASSWORD", PASSWORD)
            .env("RESULTS", &results))
    });
    outcome.with_context(|| format!("screenshots and traces are in {}", results.display()))
}

/// Asks the API everything that its document describes, on a product of its own: what other tests leave behind is none of its
/// business.
pub(crate) fn api() -> anyhow::Result<()> {
    let data = target().join("end2end-api");
    if data.exists() {
        fs::remove_dir_all(&data)?;
    }
    let schemathesis = tools::schemathesis()?;
    let stack = report::step("starting the product for its API", || Stack::start(&data, 4500, None))?;
    report::step("the merchant's API, by what its document says", || {
        run(Command::new(schemathesis)
            .args(["run", &format!("{}/api/v1/openapi.json", stack.url)])
            .args(["--header", &format!("Authorization: Bearer {MERCHANT_KEY}")])
            .args(["--checks", API_CHECKS, "--phases", "examples,coverage,fuzzing", "--max-examples", "25"])
            // The same requests each time: a test that fails once in many runs is none.
            .args(["--generation-deterministic", "--suppress-health-check", "all"])
            .current_dir(&data))
    })
}

/// Every answer is one of those that are described, in the form that is described, and none says that something of ours broke.
const API_CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,ignored_auth";
