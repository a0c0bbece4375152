//! The audit log on the command line: checking it, proving a row, and the key that signs.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use backoffice::{
    Backoffice,
    audit::{
        job,
        note::{self, Signer, Verifier},
        proof, seal, verify,
    },
};
use clap::Subcommand;
use secrecy::ExposeSecret;

use super::say;
use crate::{log_key, settings::Source};

/// Findings that are printed.
const SHOWN: usize = 20;

#[derive(Subcommand)]
pub(super) enum Audit {
    /// Checks every row against what was sealed and signed; ends with 1 when anything differs.
    Verify {
        /// A file of checkpoints that were kept elsewhere: the log has to agree with each of them.
        #[arg(long)]
        checkpoint: Vec<PathBuf>,
    },
    /// Writes the proof that a row is in the log, for somebody without the database.
    Prove {
        /// The row's number.
        row: i64,
        /// Where to; standard output without it.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Checks a proof with nothing but the log's public key, and prints the row. Needs no database and no settings.
    CheckProof {
        file: PathBuf,
        /// What `jangbu audit key` prints.
        #[arg(long)]
        key: Vec<String>,
    },
    /// Prints the public key of this log.
    Key,
    /// Prints a new key for JANGBU_AUDIT_KEY. Needs no database.
    NewKey {
        /// Of the log, for example shop.example/audit; made of JANGBU_PUBLIC_URL without it.
        #[arg(long)]
        name: Option<String>,
    },
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}

/// What needs no database. False where it does.
pub(super) fn without_database(command: &Audit) -> anyhow::Result<bool> {
    match command {
        Audit::CheckProof { file, key } => {
            let keys: Result<Vec<_>, _> = key.iter().map(|key| Verifier::parse(key)).collect();
            let proved = proof::check(&read(file)?, &keys.context("--key")?)?;
            say(&format!("leaf {} of a log of {}: {}", proved.leaf, proved.size, proved.row));
            Ok(true)
        }
        Audit::NewKey { name } => {
            let source = Source::from_machine()?;
            let base = source.get("JANGBU_BASE_PATH").unwrap_or_default();
            let of_address = || source.get("JANGBU_PUBLIC_URL").map(|url| log_key::name(url, base));
            let name = name.clone().or_else(of_address).context("--name, or JANGBU_PUBLIC_URL")?;
            let key = Signer::generate(&name)?;
            // A key that nobody can read again is none.
            Signer::parse(&key).context("--name: without spaces and +")?;
            say(key.expose_secret());
            Ok(true)
        }
        _ => Ok(false),
    }
}

pub(super) async fn run(backoffice: &Backoffice, command: Audit) -> anyhow::Result<()> {
    match command {
        Audit::Verify { checkpoint } => check(backoffice, &checkpoint).await,
        Audit::Prove { row, out } => {
            seal::seal_all(backoffice).await?;
            let proof = proof::prove(backoffice, row).await?;
            match out {
                Some(path) => std::fs::write(&path, proof).with_context(|| path.display().to_string())?,
                None => say(proof.trim_end()),
            }
            Ok(())
        }
        Audit::Key => {
            say(&backoffice.sealing.signer.verifier().to_string());
            Ok(())
        }
        Audit::NewKey { .. } | Audit::CheckProof { .. } => Ok(()),
    }
}

async fn check(backoffice: &Backoffice, files: &[PathBuf]) -> anyhow::Result<()> {
    let mut outside = Vec::new();
    for file in files {
        let notes = note::split(&read(file)?);
        if notes.is_empty() {
            bail!("{}: no checkpoint stands in it", file.display());
        }
        outside.extend(notes);
    }
    // What nobody has sealed yet, because nobody else works.
    seal::seal_all(backoffice).await?;
    let report = verify::verify(backoffice, &outside).await?;
    job::note(backoffice, &report, outside.len()).await?;
    for finding in report.findings.iter().take(SHOWN) {
        say(&finding.to_string());
    }
    if !report.is_whole() {
        bail!("the audit log is not what was sealed: {} findings", report.count);
    }
    let before = match report.chain_rows {
        0 => String::new(),
        rows => format!(", after a chain of {rows}"),
    };
    say(&format!(
        "the audit log is whole: {} rows{before}, {} checkpoints fit, {} of them from outside",
        report.leaves,
        report.checkpoints,
        outside.len()
    ));
    let closed = backoffice::reconciliation::close::verify(&backoffice.pool).await?;
    if let Some((day, _)) = closed.iter().find(|(_, is_whole)| !is_whole) {
        bail!("the closed day {day} is not what was signed for");
    }
    say(&format!("closed days are as they were signed for: {}", closed.len()));
    Ok(())
}
