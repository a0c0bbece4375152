//! What an endpoint is told again: chosen in the address, looked at, then done.

use backoffice::{
    Fault,
    clock::{SEOUL, day_start},
    events::{self, Endpoint, Kind, MOST_AT_ONCE, Resend, State},
};
use leptos::{prelude::*, server_fn::ServerFn};
use time::{OffsetDateTime, PrimitiveDateTime, macros::format_description};

use super::{
    form,
    functions::{ResendEvents, parse_kinds},
};
use crate::{
    components::{
        form::Field,
        list::{Query, parse_day},
    },
    context::Ctx,
    error::AppError,
    flash::Flash,
    format, routes,
};

/// A day, or a time of a day, in Korea.
fn moment(text: &str, is_end: bool) -> Option<OffsetDateTime> {
    if let Some(day) = parse_day(text) {
        return Some(day_start(if is_end { day.next_day()? } else { day }));
    }
    let typed = format_description!("[year]-[month]-[day]T[hour]:[minute][optional [:[second]]]");
    let time = PrimitiveDateTime::parse(&text.replacen(' ', "T", 1), typed).ok()?;
    parse_day(&format::iso_day(time.date())).map(|_| time.assume_offset(SEOUL))
}

/// As a field of the form holds it.
fn shown(at: OffsetDateTime) -> String {
    at.to_offset(SEOUL)
        .format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]"))
        .unwrap_or_default()
}

/// Reads the address: nothing where nothing is chosen, or something is wrong.
pub fn from_query(ctx: &Ctx, query: &Query) -> (Option<Resend>, Flash) {
    let mut typed = Flash::default();
    let mut read = |name: &str, is_end: bool| {
        let text = query.get(name)?;
        let at = moment(&text, is_end);
        match at {
            Some(at) => typed.values.insert(name.to_owned(), shown(at)),
            None => typed.errors.insert(name.to_owned(), ctx.t("resend-error-time")),
        };
        at
    };
    let (from, to) = (read("from", false), read("to", true));
    let kinds: Vec<String> = query
        .0
        .iter()
        .filter(|(name, value)| name == "kind" && !value.is_empty())
        .map(|(_, v)| v.clone())
        .collect();
    let kinds = parse_kinds(ctx, &kinds).unwrap_or_else(|error| {
        if let AppError::Invalid { message, .. } = error {
            typed.errors.insert("kinds".into(), message);
        }
        Vec::new()
    });
    if from.is_none() && !typed.errors.contains_key("from") && query.0.iter().any(|(name, _)| name == "from")
    {
        typed.errors.insert("from".into(), ctx.t("resend-error-from"));
    }
    if let (Some(from), Some(to)) = (from, to)
        && to <= from
    {
        typed.errors.insert("to".into(), ctx.t("resend-error-order"));
    }
    let which = from.filter(|_| typed.errors.is_empty()).map(|from| Resend::Many {
        from,
        to: to.unwrap_or_else(|| ctx.backoffice().clock.now()),
        kinds,
        only_missed: query.get("missed").as_deref() == Some("1"),
    });
    (which, typed)
}

/// How many it would be, of which time, and the button.
async fn preview(ctx: &Ctx, endpoint: &Endpoint, which: &Resend) -> Result<AnyView, Fault> {
    let Resend::Many { from, to, kinds, only_missed } = which else { return Ok(().into_any()) };
    let found = events::preview(ctx.backoffice(), endpoint.id, which).await?;
    let (Some(first), Some(last)) = (found.first_at, found.last_at) else {
        return Ok(view! { <p class="notice unsure" role="status">{ctx.t("resend-nothing")}</p> }.into_any());
    };
    let times = [("first", format::full_time(first)), ("last", format::full_time(last))];
    let most = (found.events >= MOST_AT_ONCE)
        .then(|| view! { <p>{ctx.tr("resend-most", &[("count", format::count(MOST_AT_ONCE))])}</p> });
    let kinds = kinds
        .iter()
        .map(|kind| view! { <input type="hidden" name="kinds[]" value=kind.as_str()/> })
        .collect_view();
    let (count, missed) = (format::count(found.events), if *only_missed { "1" } else { "" });
    Ok(view! {
        <form class="waiting-box" method="post" action=ctx.href(ResendEvents::PATH)>
            <p><strong>{ctx.tr("resend-count", &[("count", count.clone())])}</strong></p>
            <p>{ctx.tr("resend-times", &times)}</p>
            {most}
            <p>{ctx.t("event-again-hint")}</p>
            <input type="hidden" name="id" value=endpoint.id.to_string()/>
            <input type="hidden" name="from" value=shown(*from)/>
            <input type="hidden" name="to" value=shown(*to)/>
            <input type="hidden" name="missed" value=missed/>
            {kinds}
            <div><button class="button" type="submit">{ctx.tr("resend-do", &[("count", count)])}</button></div>
        </form>
    }
    .into_any())
}

fn chosen(query: &Query) -> Vec<Kind> {
    query.0.iter().filter(|(name, _)| name == "kind").filter_map(|(_, value)| Kind::parse(value)).collect()
}

/// What is to be told again; and once that is chosen, how much it is.
pub async fn view(ctx: &Ctx, endpoint: &Endpoint, query: &Query) -> Result<AnyView, Fault> {
    if endpoint.state == State::Disabled {
        return Ok(view! {
            <section class="card" id="again">
                <h2>{ctx.t("resend")}</h2>
                <p class="pad soft">{ctx.t("resend-not-disabled")}</p>
            </section>
        }
        .into_any());
    }
    let (which, typed) = from_query(ctx, query);
    let preview = match &which {
        Some(which) => Some(preview(ctx, endpoint, which).await?),
        None => None,
    };
    let is_asked = query.0.iter().any(|(name, _)| name == "from");
    let only_missed = !is_asked || query.get("missed").as_deref() == Some("1");
    let time = |name: &'static str, label: &str, hint: &str| {
        let label = ctx.words.get(label, &[]);
        Field {
            kind: "datetime-local",
            hint: Some(ctx.words.get(hint, &[])),
            ..Field::text(name, label, &typed)
        }
        .view()
    };
    let chosen = chosen(query);
    let is_open = !chosen.is_empty() || typed.error("kinds").is_some();
    let action = format!("{}#again", ctx.href(&routes::event_endpoint(&endpoint.id)));
    Ok(view! {
        <section class="card" id="again">
            <h2>{ctx.t("resend")}</h2>
            <div class="pad stack">
                {preview}
                <form method="get" action=action>
                    <p class="soft">{ctx.t("resend-hint")}</p>
                    {time("from", "resend-from", "resend-from-hint")}
                    {time("to", "resend-to", "resend-to-hint")}
                    <label class="check">
                        <input type="checkbox" name="missed" value="1" checked=only_missed/>
                        <span>{ctx.t("resend-only-missed")}</span>
                    </label>
                    <details class="kinds" open=is_open>
                        <summary>{ctx.t("endpoint-kinds")}</summary>
                        <p class="soft">{ctx.t("endpoint-kinds-hint")}</p>
                        {form::kinds(ctx, "kind", &chosen, typed.error("kinds"))}
                    </details>
                    <button class="button quiet" type="submit">{ctx.t("resend-look")}</button>
                </form>
            </div>
        </section>
    }
    .into_any())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_day_is_meant_whole_and_a_time_as_it_is() {
        let midnight = datetime!(2026-11-30 00:00 +9);
        assert_eq!(moment("2026-11-30", false), Some(midnight));
        assert_eq!(moment("2026-11-30", true), Some(datetime!(2026-12-01 00:00 +9)));
        assert_eq!(moment("2026-11-30T14:05", false), Some(datetime!(2026-11-30 14:05 +9)));
        assert_eq!(moment("2026-11-30 14:05:09", true), Some(datetime!(2026-11-30 14:05:09 +9)));
        for text in ["", "30.11.2026", "2026-13-01", "2026-11-30T25:00", "0001-01-01T00:00"] {
            assert_eq!(moment(text, false), None, "{text}");
        }
        assert_eq!(moment(&shown(midnight), false), Some(midnight));
    }
}
