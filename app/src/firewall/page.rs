//! What has to get through the firewall, both ways: Toss's lists beside what this machine sees now.

use backoffice::firewall::{self, Outgoing};
use leptos::prelude::*;

use crate::{
    components::{
        badge,
        layout::{Answer, Frame},
        list,
    },
    context::Ctx,
    routes,
};

fn addresses(list: &[std::net::IpAddr]) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn out_row(ctx: &Ctx, host: Outgoing) -> AnyView {
    let state = match (&host.reached, host.is_elsewhere()) {
        (Ok(_), true) => ("waiting", ctx.t("firewall-elsewhere")),
        (Ok(took), false) => ("done", ctx.tr("firewall-reached", &[("ms", took.as_millis().to_string())])),
        (Err(_), _) => ("failed", ctx.t("firewall-not-reached")),
    };
    let why = host.reached.as_ref().err().cloned().unwrap_or_default();
    let documented =
        if host.documented.is_empty() { ctx.t("firewall-not-toss") } else { addresses(&host.documented) };
    view! {
        <tr>
            <td class="id"><code>{host.url.clone()}</code></td>
            <td class="what">{documented}</td>
            <td class="what">{addresses(&host.resolved)}</td>
            <td class="state">{badge::badge(state)} " " <span class="soft">{why}</span></td>
        </tr>
    }
    .into_any()
}

pub async fn page(ctx: Ctx) -> Answer {
    let flash = ctx.take_flash().await;
    let outgoing = backoffice::firewall::outgoing(ctx.backoffice()).await;
    let allowed = &ctx.site.allowed_ips;
    let out_spec = list::ListSpec {
        path: routes::FIREWALL,
        class: "firewall-rows",
        headers: vec![
            list::head(&ctx, "firewall-host"),
            list::head(&ctx, "firewall-documented"),
            list::head(&ctx, "firewall-resolved"),
            list::head(&ctx, "firewall-now"),
        ],
        empty: (String::new(), String::new()),
    };
    let in_spec = list::ListSpec {
        path: routes::FIREWALL,
        class: "firewall-rows",
        headers: vec![
            list::head(&ctx, "firewall-from"),
            list::head(&ctx, "firewall-address"),
            list::figures(&ctx, "firewall-port"),
            list::head(&ctx, "firewall-list"),
        ],
        empty: (String::new(), String::new()),
    };
    let incoming = firewall::incoming(allowed)
        .into_iter()
        .map(|row| {
            let state = match row.is_let_in {
                Some(true) => ("done", ctx.t("firewall-let-in")),
                Some(false) => ("failed", ctx.t("firewall-kept-out")),
                None => ("ended", ctx.t("firewall-not-asked")),
            };
            view! {
                <tr>
                    <td class="buyer">{ctx.words.word("firewall", row.from)}</td>
                    <td class="id"><code>{row.range.to_string()}</code></td>
                    <td class="n">"443"</td>
                    <td class="state">{badge::badge(state)}</td>
                </tr>
            }
            .into_any()
        })
        .collect();
    let list = if allowed.is_empty() {
        ctx.t("firewall-everybody")
    } else {
        let ranges = allowed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        ctx.tr("firewall-only", &[("list", ranges)])
    };
    let out_rows = outgoing.into_iter().map(|host| out_row(&ctx, host)).collect();
    let body = view! {
        <nav class="crumbs" aria-label=ctx.t("crumbs")>
            <a href=ctx.href(routes::SETTINGS)>{ctx.t("nav-settings")}</a>
            " / "
            <h1>{ctx.t("firewall")}</h1>
        </nav>
        <section class="part">
            <h2>{ctx.t("firewall-out")}</h2>
            <p class="soft lead">{ctx.t("firewall-out-hint")}</p>
            {list::table(out_spec, out_rows)}
        </section>
        <section class="part">
            <h2>{ctx.t("firewall-in")}</h2>
            <p class="soft lead">{list}</p>
            {list::table(in_spec, incoming)}
        </section>
    };
    Ok(Frame { title: ctx.t("firewall"), active: routes::SETTINGS, flash, body: body.into_any() })
}
