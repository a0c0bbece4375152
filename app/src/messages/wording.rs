//! What messages say to the people who send them.

use backoffice::messages::{Channel, Message, MessageError, Refused, State};

use crate::{
    context::{Ctx, shown},
    error::AppError,
    format, refunds,
};

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

fn at(field: &str, message: String) -> AppError {
    AppError::Invalid { field: field.into(), message }
}

pub fn error(ctx: &Ctx, error: MessageError) -> AppError {
    let refused = match error {
        MessageError::Refused(refused) => refused,
        MessageError::Fault(backoffice::Fault::NoAppsInToss) => return at("", ctx.t("apps-in-toss-missing")),
        MessageError::Fault(fault) => return shown(&fault),
    };
    match refused {
        Refused::Form => at("", ctx.t("refund-error-form")),
        Refused::TemplateCode => at("code", ctx.t("template-error-code")),
        Refused::TemplateTaken => at("code", ctx.t("template-error-taken")),
        Refused::TemplateName => at("name", ctx.t("campaign-error-name")),
        Refused::TemplateFields => at("fields", ctx.t("template-error-fields")),
        Refused::FollowsTaken => at("follows", ctx.t("template-error-follows")),
        Refused::NoSuchTemplate => at("template_code", ctx.t("template-error-none")),
        Refused::UserKey => at("user_key", ctx.t("grant-error-user")),
        Refused::MissingField(field) => at("context", ctx.tr("message-error-field", &[("field", field)])),
        Refused::DeploymentId => at("deployment_id", ctx.t("message-error-bundle")),
        Refused::File(error) => at("file", refunds::messages::file_error(ctx, error)),
        Refused::Lines(lines) => {
            let lines = lines.iter().take(20).map(ToString::to_string).collect::<Vec<_>>().join(", ");
            at("file", ctx.tr("iap-unread", &[("lines", lines)]))
        }
        Refused::TooMany => at("file", ctx.t("message-error-many")),
    }
}

pub fn outcome(ctx: &Ctx, outcome: Result<Message, MessageError>) -> Result<String, AppError> {
    let message = outcome.map_err(|wrong| error(ctx, wrong))?;
    match message.state {
        State::Sent => Ok(ctx.tr("message-was-sent", &[("channels", channels(ctx, &message))])),
        State::Requested | State::Sending => Ok(ctx.t("message-waits")),
        State::Failed => Err(at("", ctx.tr("message-was-refused", &[("why", said(ctx, &message))]))),
        State::Unknown => Err(at("", ctx.t("message-is-unknown"))),
    }
}

/// Where it arrived, or why it did not go out.
pub fn said(ctx: &Ctx, message: &Message) -> String {
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
