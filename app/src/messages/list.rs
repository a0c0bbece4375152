//! Messages: what was sent and where it arrived, one send, many sends, and the templates.

use backoffice::{
    messages::{Message, Template},
    staff::Permission,
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{
    functions::{AddTemplate, SendBulk, SendMessage},
    wording,
};
use crate::{
    components::{
        badge,
        form::{self, Field},
        layout::{Answer, Frame},
        list::{self, Query, SIZE},
    },
    context::Ctx,
    flash::Flash,
    routes,
};

/// One message as a row; also on a user's page.
pub fn row(ctx: &Ctx, message: Message) -> AnyView {
    let to = match message.user_key {
        Some(key) => {
            view! { <a class="row-link" href=ctx.href(&routes::user(key))><code>{key}</code></a> }.into_any()
        }
        None => ctx.tr("message-receivers", &[("count", message.receivers.to_string())]).into_any(),
    };
    let kind = match (message.is_test, &message.follows) {
        (true, _) => Some(ctx.t("grant-is-test")),
        (_, Some(follows)) => {
            follows.split_once(':').map(|(what, _)| ctx.words.word("message-follows", what))
        }
        _ => None,
    };
    let what: Vec<String> = [kind, Some(wording::failure_text(ctx, &message))]
        .into_iter()
        .flatten()
        .filter(|t| !t.is_empty())
        .collect();
    view! {
        <tr>
            <td class="id">{to}</td>
            <td class="template"><code>{message.template_code.clone()}</code></td>
            <td class="state">{badge::badge(wording::state(ctx, message.state))}</td>
            <td class="what">{what.join(" · ")}</td>
            <td class="buyer">{message.sent_by_name.clone()}</td>
            <td class="when">{list::time(message.requested_at)}</td>
        </tr>
    }
    .into_any()
}

/// The columns of [`row`].
pub fn headers(ctx: &Ctx) -> Vec<(String, bool)> {
    vec![
        ("userKey".into(), false),
        list::head(ctx, "message-template"),
        list::head(ctx, "col-status"),
        list::head(ctx, "message-channels"),
        list::head(ctx, "col-by"),
        list::head(ctx, "col-at"),
    ]
}

fn choices(ctx: &Ctx, templates: &[Template]) -> Vec<(String, String)> {
    std::iter::once((String::new(), ctx.t("choose")))
        .chain(templates.iter().map(|t| (t.code.clone(), format!("{} ({})", t.name, t.code))))
        .collect()
}

fn one(ctx: &Ctx, templates: &[Template], flash: &Flash) -> AnyView {
    let context = Field {
        lines: 3,
        hint: Some(ctx.t("message-context-hint")),
        ..Field::text("context", ctx.t("message-context"), flash)
    };
    let bundle = Field {
        hint: Some(ctx.t("message-bundle-hint")),
        ..Field::text("deployment_id", "deploymentId".into(), flash)
    };
    view! {
        <section class="card" id="send">
            <h2>{ctx.t("message-one")}</h2>
            {flash.is_error.then(|| form::notice(flash))}
            <form class="pad" method="post" action=ctx.href(SendMessage::PATH)>
                <input type="hidden" name="intent" value=backoffice::refunds::new_intent()/>
                {form::select("template_code", ctx.t("message-template"), choices(ctx, templates), "", flash)}
                {Field { input_mode: "numeric", ..Field::text("user_key", "userKey".into(), flash) }.view()}
                {context.view()}
                {bundle.view()}
                <button class="button" type="submit">{ctx.t("message-send")}</button>
            </form>
        </section>
    }
    .into_any()
}

fn many(ctx: &Ctx, templates: &[Template], flash: &Flash) -> AnyView {
    let error = flash.error("file");
    let invalid = if error.is_some() { "true" } else { "false" };
    let note_class = if error.is_some() { "note error" } else { "note" };
    let note = error.unwrap_or_else(|| ctx.t("message-file-hint"));
    view! {
        <section class="card" id="bulk">
            <h2>{ctx.t("message-many")}</h2>
            <form class="pad" method="post" action=ctx.href(SendBulk::PATH) enctype="multipart/form-data">
                <input type="hidden" name="intent" value=backoffice::refunds::new_intent()/>
                {form::select("template_code", ctx.t("message-template"), choices(ctx, templates), "", flash)}
                <label class="field">
                    <span class="label">{ctx.t("batch-file")}</span>
                    <input type="file" name="file" accept=".csv,.txt,.tsv,text/csv" aria-invalid=invalid aria-describedby="file-note"/>
                    <span class=note_class id="file-note">{note}</span>
                </label>
                <label class="check">
                    <input type="checkbox" required/>
                    <span>{ctx.t("message-sure")}</span>
                </label>
                <button class="button quiet" type="submit">{ctx.t("message-send-many")}</button>
            </form>
        </section>
    }
    .into_any()
}

fn known(ctx: &Ctx, templates: &[Template], flash: &Flash) -> AnyView {
    let rows = templates
        .iter()
        .map(|template| {
            let follows = template.follows.as_deref().map(|what| ctx.words.word("message-follows", what));
            let parts = [Some(template.fields.join(", ")), follows];
            let detail: Vec<String> = parts.into_iter().flatten().filter(|t| !t.is_empty()).collect();
            view! {
                <li>
                    <span class="refund-line"><strong>{template.name.clone()}</strong> <code>{template.code.clone()}</code></span>
                    <span class="soft">{detail.join(" · ")}</span>
                </li>
            }
        })
        .collect_view();
    let choices = vec![
        (String::new(), ctx.t("message-follows-nothing")),
        ("refund".to_owned(), ctx.words.word("message-follows", "refund")),
        ("grant".to_owned(), ctx.words.word("message-follows", "grant")),
    ];
    let add = ctx.may(Permission::ManageCampaigns).then(|| {
        view! {
            <details class="pad" open=flash.is_error>
                <summary>{ctx.t("template-add")}</summary>
                <form method="post" action=ctx.href(AddTemplate::PATH)>
                    {Field { hint: Some(ctx.t("template-code-hint")), ..Field::text("code", "templateSetCode".into(), flash) }.view()}
                    {Field::text("name", ctx.t("col-name"), flash).view()}
                    {Field { hint: Some(ctx.t("template-fields-hint")), ..Field::text("fields", ctx.t("template-fields"), flash) }.view()}
                    {form::select("follows", ctx.t("template-follows"), choices, "", flash)}
                    <button class="button quiet" type="submit">{ctx.t("template-add")}</button>
                </form>
            </details>
        }
    });
    view! {
        <section class="card">
            <h2>{ctx.t("message-templates")}</h2>
            <ul class="refunds">{rows}</ul>
            {add}
        </section>
    }
    .into_any()
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let mut flash = ctx.take_flash().await;
    let of = |form: &str| if flash.form == form { flash.clone() } else { Flash::default() };
    let (one_flash, bulk_flash, template_flash) = (of("message"), of("bulk"), of("template"));
    if one_flash.is_error {
        flash.notice = None;
    }
    let templates = backoffice::messages::templates::list(ctx.backoffice()).await?;
    let may = ctx.may(Permission::SendMessage) && !templates.is_empty();
    let list = match query.cursor() {
        Err(_) => list::bad_cursor(&ctx, routes::MESSAGES),
        Ok(cursor) => {
            let page = backoffice::messages::list(ctx.backoffice(), None, cursor.as_ref(), SIZE).await?;
            let spec = list::ListSpec {
                path: routes::MESSAGES,
                class: "message-rows",
                headers: headers(&ctx),
                empty: (ctx.t("messages-empty"), ctx.t("messages-empty-hint")),
            };
            list::view(&ctx, &query, spec, page, row)
        }
    };
    let body = view! {
        <h1>{ctx.t("nav-messages")}</h1>
        <div class="two">
            <div>{list}</div>
            <div class="beside">
                {may.then(|| one(&ctx, &templates, &one_flash))}
                {may.then(|| many(&ctx, &templates, &bulk_flash))}
                {known(&ctx, &templates, &template_flash)}
            </div>
        </div>
    };
    Ok(Frame { title: ctx.t("nav-messages"), active: routes::MESSAGES, flash, body: body.into_any() })
}
