//! A month of the access record: what each person saw, what is unusual about it, and who has looked through it.

use backoffice::audit::access::{
    Record,
    review::{self, Person, Review},
};
use leptos::{prelude::*, server_fn::ServerFn};

use super::{functions::SignAccessReview, list as records};
use crate::{
    components::{
        badge::badge,
        form::Field,
        layout::{Answer, Frame},
        list::{self, Query},
        month::{self, Month},
    },
    context::Ctx,
    flash::Flash,
    format, routes,
};

/// Signed, by whom; or the form for it, for somebody else once the month is over.
fn signature(ctx: &Ctx, month: Month, person: &Person, flash: &Flash) -> AnyView {
    if let (Some(name), Some(at)) = (&person.reviewed_by_name, person.reviewed_at) {
        let said = ctx.tr("access-review-by", &[("name", name.clone()), ("time", format::short_time(at))]);
        let note = person.note.clone().filter(|note| !note.is_empty());
        return view! { {badge(("done", said))} {note.map(|note| view! { <br/><q>{note}</q> })} }.into_any();
    }
    if month.end() > ctx.backoffice().clock.today() {
        return view! { <span class="soft">{ctx.t("access-review-not-over")}</span> }.into_any();
    }
    if ctx.is_me(Some(person.staff_id)) {
        return view! { <span class="soft">{ctx.t("access-review-oneself")}</span> }.into_any();
    }
    let mine = format!("review-{}", person.staff_id);
    let typed = if flash.form == mine { flash.clone() } else { Flash::default() };
    let field = Field { id: Some(mine), ..Field::text("note", ctx.t("access-review-note"), &typed) };
    view! {
        <form class="sign" method="post" action=ctx.href(SignAccessReview::PATH)>
            <input type="hidden" name="month" value=month.text()/>
            <input type="hidden" name="person" value=person.staff_id.to_string()/>
            {field.view()}
            <button class="button quiet" type="submit">{ctx.t("access-review-sign")}</button>
        </form>
    }
    .into_any()
}

fn person(ctx: &Ctx, month: Month, person: &Person, flash: &Flash) -> AnyView {
    let of = format!(
        "{}?staff={}&from={}&to={}",
        ctx.href(routes::ACCESS_RECORDS),
        person.staff_id,
        month.first(),
        month.end().previous_day().unwrap_or(month.first())
    );
    let unusual = person.is_unusual().then(|| badge(("unknown", ctx.t("access-unusual"))));
    let usual = match person.usual {
        Some(usual) => ctx.tr("access-usual", &[("count", format!("{usual:.0}"))]),
        None => ctx.tr("access-usual-none", &[("count", format!("{:.0}", person.of_all))]),
    };
    let exported = if person.exported == 0 {
        "0".to_owned()
    } else {
        let people = person.people.to_string();
        ctx.tr("access-exported", &[("count", person.exported.to_string()), ("people", people)])
    };
    view! {
        <tr>
            <td class="id"><a href=of>{person.name.clone()}</a></td>
            <td class="n viewed" data-label=ctx.t("access-kind-viewed")>{person.viewed}</td>
            <td class="n searched" data-label=ctx.t("access-kind-searched")>{person.searched}</td>
            <td class="n revealed" data-label=ctx.t("access-kind-revealed")>{person.revealed}</td>
            <td class="n exported" data-label=ctx.t("access-kind-exported")>{exported}</td>
            <td class="what">{unusual} " " <span class="soft">{usual}</span></td>
            <td class="sign">{signature(ctx, month, person, flash)}</td>
        </tr>
    }
    .into_any()
}

fn part(ctx: &Ctx, title: &str, hint: &str, rows: Vec<Record>) -> AnyView {
    let body = if rows.is_empty() {
        view! { <p class="soft">{ctx.t("access-review-none")}</p> }.into_any()
    } else {
        records::table(ctx, rows)
    };
    view! {
        <section class="part">
            <h2>{ctx.words.get(title, &[])}</h2>
            <p class="soft">{ctx.words.get(hint, &[])}</p>
            {body}
        </section>
    }
    .into_any()
}

fn people(ctx: &Ctx, month: Month, review: &Review, flash: &Flash) -> AnyView {
    if review.people.is_empty() {
        return list::empty(ctx.t("access-empty"), ctx.t("access-review-empty-hint"));
    }
    let mut headers = vec![list::head(ctx, "col-by")];
    headers.extend(
        ["access-kind-viewed", "access-kind-searched", "access-kind-revealed", "access-kind-exported"]
            .map(|key| list::figures(ctx, key)),
    );
    headers.extend(["access-compared", "access-review"].map(|key| list::head(ctx, key)));
    let spec = list::ListSpec {
        path: routes::ACCESS_REVIEW,
        class: "access-people",
        headers,
        empty: (String::new(), String::new()),
    };
    let rows = review.people.iter().map(|one| person(ctx, month, one, flash)).collect();
    list::table(spec, rows)
}

pub async fn page(ctx: Ctx, query: Query) -> Answer {
    let flash = ctx.take_flash().await;
    let mut typed = query.typed(&["month"]);
    // The one that has to be looked through, unless another is asked for.
    let month = if query.get("month").is_some() {
        month::asked(&ctx, &query, &mut typed)
    } else {
        Month::of(review::month_before(ctx.backoffice().clock.today()))
    };
    let review = review::get(ctx.backoffice(), month.first()).await?;
    let title = format!("{} · {}", ctx.t("access-review"), month.name(&ctx));
    let table = people(&ctx, month, &review, &flash);
    let body = view! {
        <nav class="crumbs" aria-label=ctx.t("crumbs")>
            <a href=ctx.href(routes::ACCESS_RECORDS)>{ctx.t("nav-access")}</a>
        </nav>
        <h1>{title.clone()}</h1>
        <p class="soft lead">{ctx.t("access-review-hint")}</p>
        {month::picker(&ctx, routes::ACCESS_REVIEW, month, &typed)}
        {table}
        {part(&ctx, "access-files", "access-files-hint", review.files)}
        {part(&ctx, "access-idle", "access-idle-hint", review.idle)}
    };
    Ok(Frame { title, active: routes::ACCESS_RECORDS, flash, body: body.into_any() })
}
