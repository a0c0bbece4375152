//! Checkpoints leave the house: whoever can write into the database cannot change what lies elsewhere.

use std::{fmt, io::Write as _, net::UdpSocket, path::PathBuf, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{Backoffice, Fault};

/// How often it is looked for a checkpoint that nobody has been told.
const EVERY: Duration = Duration::from_millis(500);

/// How long a place may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where checkpoints go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Appended to a file: better one that can only be appended to, on another machine's disk.
    File(PathBuf),
    /// Posted as text; 2xx is a yes.
    Http(reqwest::Url),
    /// One line in RFC 5424's form, over UDP.
    Syslog(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write file:/path, https://address or syslog://host:port")]
pub struct NoPlace;

impl Place {
    pub fn parse(text: &str) -> Result<Self, NoPlace> {
        if let Some(path) = text.strip_prefix("file:").filter(|path| path.starts_with('/')) {
            return Ok(Self::File(path.trim_start_matches("//").into()));
        }
        if let Some(host) = text.strip_prefix("syslog://").filter(|host| host.contains(':')) {
            return Ok(Self::Syslog(host.trim_end_matches('/').to_owned()));
        }
        let url = reqwest::Url::parse(text).map_err(|_| NoPlace)?;
        if matches!(url.scheme(), "http" | "https") { Ok(Self::Http(url)) } else { Err(NoPlace) }
    }

    async fn tell(&self, checkpoint: &str) -> Result<(), String> {
        match self {
            Self::Http(url) => {
                let client =
                    reqwest::Client::builder().timeout(PATIENCE).build().map_err(|e| e.to_string())?;
                let request = client.post(url.clone()).header("content-type", "text/plain; charset=utf-8");
                let answer = request
                    .body(checkpoint.to_owned())
                    .send()
                    .await
                    .map_err(|e| e.without_url().to_string())?;
                if answer.status().is_success() { Ok(()) } else { Err(answer.status().to_string()) }
            }
            Self::File(path) => {
                let (path, text) = (path.clone(), checkpoint.to_owned());
                let write = move || {
                    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path)?;
                    file.write_all(text.as_bytes())?;
                    file.sync_all()
                };
                blocking(write).await
            }
            Self::Syslog(host) => {
                // Facility 13 (log audit), severity 6; one line, as its parts are words of a checkpoint.
                let words = checkpoint.split_whitespace().collect::<Vec<_>>().join(" ");
                let (host, line) = (host.clone(), format!("<110>1 - - jangbu - checkpoint - {words}"));
                let send = move || {
                    let socket = UdpSocket::bind(("::", 0)).or_else(|_| UdpSocket::bind(("0.0.0.0", 0)))?;
                    socket.send_to(line.as_bytes(), host).map(drop)
                };
                blocking(send).await
            }
        }
    }
}

async fn blocking(work: impl FnOnce() -> std::io::Result<()> + Send + 'static) -> Result<(), String> {
    match tokio::time::timeout(PATIENCE, tokio::task::spawn_blocking(work)).await {
        Ok(Ok(done)) => done.map_err(|error| error.to_string()),
        Ok(Err(_)) => Err("it broke off".to_owned()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

impl fmt::Display for Place {
    /// Without what may be a secret in an address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Http(url) => write!(f, "{}{}", url.origin().ascii_serialization(), url.path()),
            Self::Syslog(host) => write!(f, "syslog://{host}"),
        }
    }
}

/// Forgets places that nobody is told at any more.
async fn begin(backoffice: &Backoffice) -> Result<(), Fault> {
    let places: Vec<String> = backoffice.sealing.places.iter().map(ToString::to_string).collect();
    sqlx::query!("delete from audit_places where place <> all($1)", &places)
        .execute(&backoffice.pool)
        .await?;
    Ok(())
}

/// Brings checkpoints outside until told to stop: beside the sealing, which waits for nobody out there.
pub(crate) async fn run(backoffice: &Backoffice, stop: &CancellationToken) {
    let work = async {
        if let Err(error) = begin(backoffice).await {
            tracing::warn!(%error, "old places of checkpoints are not forgotten");
        }
        loop {
            if let Err(error) = tell_all(backoffice).await {
                tracing::warn!(%error, "no checkpoint of the audit log was sent");
            }
            tokio::time::sleep(EVERY).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}

/// Sets aside a checkpoint for those outside, one a minute at most, and brings it to each of them.
async fn tell_all(backoffice: &Backoffice) -> Result<(), Fault> {
    sqlx::query!(
        "insert into audit_checkpoints (size, checkpoint, made_at)
         select h.size, h.checkpoint, now() from audit_head h
         left join lateral (select size, made_at from audit_checkpoints order by size desc limit 1) c on true
         where c.size is null or (h.size > c.size and c.made_at < now() - interval '1 minute')
         on conflict do nothing"
    )
    .execute(&backoffice.pool)
    .await?;
    for place in &backoffice.sealing.places {
        tell_one(backoffice, place).await?;
    }
    Ok(())
}

async fn tell_one(backoffice: &Backoffice, place: &Place) -> Result<(), Fault> {
    let name = place.to_string();
    let newest = sqlx::query!(
        r#"select size, checkpoint from audit_checkpoints
           where size > coalesce((select p.size from audit_places p where p.place = $1), 0)
             -- what does not answer is asked again after ten seconds
             and not exists (select from audit_places p where p.place = $1 and p.tried_at > now() - interval '10 seconds')
           order by size desc limit 1"#,
        name,
    )
    .fetch_optional(&backoffice.pool)
    .await?;
    let Some(newest) = newest else { return Ok(()) };
    // Whoever writes first tells it; the others see that somebody has just tried.
    let mine = sqlx::query!(
        "insert into audit_places (place, size, tried_at) values ($1, 0, now())
         on conflict (place) do update set tried_at = now()
         where audit_places.tried_at is null or audit_places.tried_at < now() - interval '10 seconds'",
        name,
    )
    .execute(&backoffice.pool)
    .await?;
    if mine.rows_affected() == 0 {
        return Ok(());
    }
    let told = place.tell(&newest.checkpoint).await;
    let error = told.as_ref().err();
    if let Some(error) = error {
        tracing::warn!(place = name, error, "a checkpoint of the audit log was not taken");
    }
    sqlx::query!(
        "update audit_places set size = case when $3::text is null then $2 else size end, error = $3,
             failing_since = case when $3::text is null then null else coalesce(failing_since, now()) end
         where place = $1",
        name,
        newest.size,
        error,
    )
    .execute(&backoffice.pool)
    .await?;
    Ok(())
}
