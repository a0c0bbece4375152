//! What survives a restart: one JSON line per change, replayed at start. The last line about a thing wins.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    path::Path,
    sync::Mutex,
};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use time::OffsetDateTime;
use toss::timestamp;

use crate::{apps_in_toss, books::Change, webhooks::Delivery};

/// The first answer to an idempotency key. The body of the request is not part of the key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Remembered {
    pub scope: String,
    pub status: u16,
    pub body: String,
    pub trace_id: String,
    #[serde(with = "timestamp")]
    pub at: OffsetDateTime,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    Change(Change),
    AppsInToss(apps_in_toss::Change),
    Delivery(Box<Delivery>),
    Remembered(Box<Remembered>),
    ClockOffsetMs(i64),
}

#[derive(Debug, Default)]
pub struct Journal {
    file: Option<Mutex<File>>,
}

impl Journal {
    /// Opens a journal and hands every line of it to `replay`. A line cut off by a crash is the last one and is
    /// left out.
    pub fn open(path: &Path, mut replay: impl FnMut(Line)) -> anyhow::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let file = File::options()
            .create(true)
            .read(true)
            .append(true)
            .open(path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        for line in BufReader::new(&file).lines() {
            match serde_json::from_str(&line?) {
                Ok(line) => replay(line),
                Err(error) => tracing::warn!(%error, "a line of the journal was left out"),
            }
        }
        Ok(Self { file: Some(Mutex::new(file)) })
    }

    pub fn write(&self, line: &Line) {
        let Some(file) = &self.file else { return };
        let written = serde_json::to_string(line).map_err(std::io::Error::other).and_then(|text| {
            let mut file = file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            writeln!(file, "{text}")
        });
        if let Err(error) = written {
            tracing::error!(%error, "the sandbox could not write its journal");
        }
    }

    pub fn delivery(&self, delivery: &Delivery) {
        self.write(&Line::Delivery(Box::new(delivery.clone())));
    }
}
