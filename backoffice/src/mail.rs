//! Letters to staff, through the mail server that whoever runs it has set. Where there is none, what would have been
//! written is shown instead.

use std::{fmt, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};
use secrecy::{ExposeSecret, SecretString};

/// Whoever sends a form waits for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// The mail server, and whom letters come from.
#[derive(Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// The library's own form may tell the password.
impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailer({})", self.from)
    }
}

/// Why there is no mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoMailer {
    #[error("write it like smtps://user:password@mail.example:465 or smtp://mail.example:587?tls=required")]
    Url,
    #[error("write it like jangbu@shop.example or \"장부 <jangbu@shop.example>\"")]
    From,
}

/// A letter that did not leave. The reason is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the letter could not be sent")]
pub struct NotSent;

impl Mailer {
    pub fn new(url: &SecretString, from: &str) -> Result<Self, NoMailer> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose_secret());
        let transport = transport.map_err(|_| NoMailer::Url)?.timeout(Some(PATIENCE)).build();
        Ok(Self { transport, from: from.parse().map_err(|_| NoMailer::From)? })
    }

    /// True once the server has taken it; whether it arrives nobody can know.
    pub async fn send(&self, to: &str, subject: &str, text: String) -> Result<(), NotSent> {
        let to = to.parse().map_err(|_| NotSent)?;
        let letter = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(text)
            .map_err(|error| {
                tracing::error!(%error, "a letter could not be written");
                NotSent
            })?;
        match tokio::time::timeout(PATIENCE, self.transport.send(letter)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                tracing::error!(%error, "a letter could not be sent");
                Err(NotSent)
            }
            Err(_) => {
                tracing::error!("the mail server did not answer in time");
                Err(NotSent)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_server_is_an_address_and_never_shows_its_password() {
        let mailer = |url: &str, from: &str| Mailer::new(&url.to_owned().into(), from);
        let kept = mailer("smtps://user:hunter2@mail.example:465", "장부 <jangbu@shop.example>").unwrap();
        assert!(!format!("{kept:?}").contains("hunter2"));
        assert_eq!(mailer("mail.example", "jangbu@shop.example").unwrap_err(), NoMailer::Url);
        assert_eq!(mailer("https://mail.example", "jangbu@shop.example").unwrap_err(), NoMailer::Url);
        assert_eq!(mailer("smtp://mail.example", "nobody").unwrap_err(), NoMailer::From);
    }
}
