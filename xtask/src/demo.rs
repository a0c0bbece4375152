//! `cargo xtask demo`.

use std::{
    fs::{self, File},
    io::Write,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Context;

use crate::{
    front::{self, Warnings},
    report,
    run::{self, cargo, root, run},
    stack::{PASSWORD, ROLES, Stack},
};

/// A data folder that no running demo uses, held by a lock that ends with this process.
fn folder() -> anyhow::Result<(PathBuf, File)> {
    for n in 1..20 {
        let name = if n == 1 { "demo".to_owned() } else { format!("demo-{n}") };
        let folder = root().join("data").join(name);
        fs::create_dir_all(&folder)?;
        let lock = File::create(folder.join("lock"))?;
        // A month of trade that was broken off cannot be gone on with: such a folder is left alone.
        let half_made = folder.join("trading").exists() && !folder.join("traded").exists();
        if !half_made && lock.try_lock().is_ok() {
            return Ok((folder, lock));
        }
    }
    anyhow::bail!("twenty demos are running or were broken off: remove the folder `data`")
}

pub(crate) fn demo(orders: usize) -> anyhow::Result<()> {
    let begun = Instant::now();
    run::listen_for_ctrl_c()?;
    let (folder, lock) = folder()?;
    front::build(Warnings::AreShown)?;
    report::step("building the server and the sandbox", || run(cargo().args(["build", "--workspace"])))?;
    let mut stack = report::step("starting PostgreSQL, the sandbox and the dashboard", || {
        Stack::start(&folder, 4000, None)
    })?;
    stack.add_staff()?;
    let traded = folder.join("traded");
    if !traded.exists() {
        fs::write(folder.join("trading"), "")?;
        report::step(&format!("a month of trade ({orders} orders)"), || {
            stack.trade(orders, |line| {
                if std::io::stderr().write_all(format!("\r    {line}    ").as_bytes()).is_err() {
                    report::line(line);
                }
            })?;
            report::line("");
            fs::write(&traded, orders.to_string()).context("the trade could not be noted")
        })?;
    }
    if !folder.join("kept-books").exists() {
        report::step("reading Toss's lists and reconciling", || stack.keep_books())?;
        fs::write(folder.join("kept-books"), "")?;
    }
    report::line(&format!("\nReady after {:.0} s.\n", begun.elapsed().as_secs_f64()));
    report::line(&format!("  Dashboard        {}", stack.url));
    report::line(&format!("  Practice shop    {}/_sandbox/shop", stack.sandbox_url));
    report::line(&format!("  Sandbox desk     {}/_sandbox/\n", stack.sandbox_url));
    for (role, name) in ROLES {
        report::line(&format!("  {role:<8} {role}@jangbu.test  {PASSWORD}  ({name})"));
    }
    report::line("\nCtrl-C ends everything.");
    while !run::stopped() {
        stack.check()?;
        std::thread::sleep(Duration::from_millis(200));
    }
    report::step("stopping", || {
        drop(stack);
        drop(lock);
        Ok::<_, anyhow::Error>(())
    })
}
