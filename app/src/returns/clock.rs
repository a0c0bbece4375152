//! The legal clock of one order.

use backoffice::{
    returns::{KINDS, Return},
    staff::Permission,
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::functions::{CloseReturn, RecordReturn};
use crate::{
    components::form::{self, Field},
    context::Ctx,
    flash::Flash,
    format,
};

/// `(tone, words)` of what is left of the three days.
pub fn left(ctx: &Ctx, kept: &Return) -> (&'static str, String) {
    let days = kept.days_left(ctx.backoffice().clock.today());
    let count = |days: i64| [("days", days.to_string())];
    if ctx.backoffice().clock.today() > kept.due_on {
        match days {
            0 => ("failed", ctx.t("return-overdue")),
            _ => ("failed", ctx.tr("return-late", &count(days.abs()))),
        }
    } else if days == 0 {
        ("waiting", ctx.t("return-today"))
    } else {
        ("waiting", ctx.tr("return-left", &count(days)))
    }
}

fn open(ctx: &Ctx, kept: &Return, flash: &Flash) -> AnyView {
    let line = ctx.tr(
        "return-line",
        &[
            ("kind", ctx.words.word("return", &kept.kind)),
            ("day", format::iso_day(kept.received_on)),
            ("due", format::iso_day(kept.due_on)),
        ],
    );
    let opened = flash.is_error.then_some("");
    let close = ctx.may(Permission::Refund).then(|| {
        let note = Field {
            hint: Some(ctx.t("return-close-hint")),
            id: Some("return-note".into()),
            ..Field::text("note", ctx.t("refund-reason"), flash)
        };
        view! {
            <details class="confirm" open=opened>
                <summary>{ctx.t("return-close")}</summary>
                <form method="post" action=ctx.href(CloseReturn::PATH)>
                    <input type="hidden" name="order_id" value=kept.order_id.clone()/>
                    {note.view()}
                    <button class="button quiet" type="submit">{ctx.t("return-close")}</button>
                </form>
            </details>
        }
    });
    view! {
        <div class="pad">
            {crate::components::badge::badge(left(ctx, kept))}
            <p>{line}</p>
            <p class="soft">{format!("{} · {}", kept.recorded_by_name, kept.note.clone().unwrap_or_default())}</p>
            {close}
        </div>
    }
    .into_any()
}

fn record(ctx: &Ctx, order_id: &str, flash: &Flash) -> AnyView {
    let kinds =
        KINDS.iter().map(|kind| ((*kind).to_owned(), ctx.words.word("return", kind))).collect::<Vec<_>>();
    let day = Field {
        kind: "date",
        value: format::iso_day(ctx.backoffice().clock.today()),
        ..Field::text("received_on", ctx.t("return-day"), flash)
    };
    let opened = (flash.is_error).then_some("");
    view! {
        <details class="pad" open=opened>
            <summary>{ctx.t("return-record")}</summary>
            <p class="soft">{ctx.t("return-hint")}</p>
            <form method="post" action=ctx.href(RecordReturn::PATH)>
                <input type="hidden" name="order_id" value=order_id.to_owned()/>
                {form::select("kind", ctx.t("return-kind"), kinds, "returned", flash)}
                {day.view()}
                {Field { id: Some("return-note".into()), ..Field::text("note", ctx.t("refund-reason-text"), flash) }.view()}
                <button class="button quiet" type="submit">{ctx.t("return-record")}</button>
            </form>
        </details>
    }
    .into_any()
}

pub fn view(ctx: &Ctx, order_id: &str, kept: Option<&Return>, flash: &Flash) -> AnyView {
    let body = match kept {
        Some(kept) => open(ctx, kept, flash),
        None if ctx.may(Permission::Refund) => record(ctx, order_id, flash),
        None => return ().into_any(),
    };
    let error = flash.is_error.then(|| form::notice(flash));
    view! {
        <section class="card" id="return" aria-label=ctx.t("return")>
            <h2>{ctx.t("return")}</h2>
            {error}
            {body}
        </section>
    }
    .into_any()
}
