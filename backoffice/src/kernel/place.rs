//! Places outside of the house where something is told: files, addresses, syslog.

use std::{fmt, io::Write as _, net::UdpSocket, path::PathBuf, time::Duration};

/// How long a place may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where something is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Appended to a file: better one that can only be appended to, on another machine's disk.
    File(PathBuf),
    /// Posted; 2xx is a yes.
    Http(reqwest::Url),
    /// Lines in RFC 5424's form, over UDP.
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

    /// `text` as it is appended or posted; `syslog` is the same as lines.
    pub(crate) async fn tell(
        &self,
        content_type: &'static str,
        text: &str,
        syslog: Syslog,
    ) -> Result<(), String> {
        match self {
            Self::Http(url) => {
                let client =
                    reqwest::Client::builder().timeout(PATIENCE).build().map_err(|e| e.to_string())?;
                let request = client.post(url.clone()).header("content-type", content_type);
                let answer =
                    request.body(text.to_owned()).send().await.map_err(|e| e.without_url().to_string())?;
                if answer.status().is_success() { Ok(()) } else { Err(answer.status().to_string()) }
            }
            Self::File(path) => {
                let (path, text) = (path.clone(), text.to_owned());
                let write = move || {
                    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path)?;
                    file.write_all(text.as_bytes())?;
                    file.sync_all()
                };
                blocking(write).await
            }
            Self::Syslog(host) => {
                let host = host.clone();
                let send = move || {
                    let socket = UdpSocket::bind(("::", 0)).or_else(|_| UdpSocket::bind(("0.0.0.0", 0)))?;
                    for (id, line) in syslog.lines {
                        let line = format!("<{}>1 - - jangbu - {id} - {line}", syslog.priority);
                        socket.send_to(line.as_bytes(), &host)?;
                    }
                    Ok(())
                };
                blocking(send).await
            }
        }
    }
}

/// What a place of syslog's is told.
pub(crate) struct Syslog {
    /// Eight times the facility, and the severity.
    pub priority: u8,
    /// Each with its message id.
    pub lines: Vec<(&'static str, String)>,
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
