//! What messages say to the people who send them.

use backoffice::messages::{Channel, Message, MessageError, Refused, State};

use crate::{context::Ctx, error::AppError, explain::Explain, format};

/// `푸시 2 · 인앱 1 (실패 1)`: only channels that something happened on.
fn channels(ctx: &Ctx, message: &Message) -> String {
    let Some(result) = &message.result else { return String::new() };
    Channel::ALL
        .into_iter()
        .filter_map(|channel| {
            let (sent, failed) = (result.sent_by(channel), result.failed_by(channel).len());
            if sent == 0 && failed == 0 {
                return None;
            }
            let word = ctx.words.word("channel", channel.as_str());
            let lost = if failed == 0 {
                String::new()
            } else {
                format!(" ({})", ctx.tr("channel-failed", &[("count", failed.to_string())]))
            };
            Some(format!("{word} {sent}{lost}"))
        })
        .collect::<Vec<_>>()
        .join(" · ")
}

impl Explain for MessageError {
    fn explain(self, ctx: &Ctx) -> AppError {
        match self {
            Self::Refused(refused) => refused.explain(ctx),
            Self::Fault(fault) => fault.explain(ctx),
        }
    }
}

impl Explain for Refused {
    fn explain(self, ctx: &Ctx) -> AppError {
        let at = AppError::field;
        match self {
            Self::Form => at("", ctx.t("refund-error-form")),
            Self::TemplateCode => at("code", ctx.t("template-error-code")),
            Self::TemplateTaken => at("code", ctx.t("template-error-taken")),
            Self::TemplateName => at("name", ctx.t("campaign-error-name")),
            Self::TemplateFields => at("fields", ctx.t("template-error-fields")),
            Self::FollowsTaken => at("follows", ctx.t("template-error-follows")),
            Self::NoSuchTemplate => at("template_code", ctx.t("template-error-none")),
            Self::UserKey => at("user_key", ctx.t("grant-error-user")),
            Self::MissingField(field) => at("context", ctx.tr("message-error-field", &[("field", field)])),
            Self::DeploymentId => at("deployment_id", ctx.t("message-error-bundle")),
            Self::File(error) => error.explain(ctx),
            Self::Lines(lines) => {
                let lines = lines.iter().take(20).map(ToString::to_string).collect::<Vec<_>>().join(", ");
                at("file", ctx.tr("iap-unread", &[("lines", lines)]))
            }
            Self::TooMany => at("file", ctx.t("message-error-many")),
        }
    }
}

/// How a message stands after somebody sent it.
pub fn news(ctx: &Ctx, message: &Message) -> Result<String, AppError> {
    match message.state {
        State::Sent => Ok(ctx.tr("message-was-sent", &[("channels", channels(ctx, message))])),
        State::Requested | State::Sending => Ok(ctx.t("message-waits")),
        State::Failed => {
            Err(AppError::form(ctx.tr("message-was-refused", &[("why", failure_text(ctx, message))])))
        }
        State::Unknown => Err(AppError::form(ctx.t("message-is-unknown"))),
    }
}

/// Where it arrived, or why it did not go out.
pub fn failure_text(ctx: &Ctx, message: &Message) -> String {
    let why = format::with_code(message.error_message.as_deref(), message.error_code.as_deref());
    why.unwrap_or_else(|| channels(ctx, message))
}

pub fn state(ctx: &Ctx, state: State) -> (&'static str, String) {
    let tone = match state {
        State::Sent => "done",
        State::Failed => "failed",
        State::Unknown => "unknown",
        State::Requested | State::Sending => "waiting",
    };
    (tone, ctx.words.word("message-state", state.as_str()))
}
