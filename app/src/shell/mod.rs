//! The document, and which page stands behind which path.

mod frame;

use std::future::Future;

use leptos::prelude::*;
use leptos_meta::{MetaTags, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{Route, Router, Routes},
    hooks::{use_params_map, use_query_map},
    path,
};

use crate::{
    access::{self, Access},
    api_keys, audit, cash_receipts,
    components::{errors, layout, list::Query},
    context::{Ctx, Theme},
    events, exports, firewall, home, iap, messages, orders, payouts, personal_data, promotions,
    reconciliation, refunds, reports, returns, security, settings, staff, toss_calls, transactions, users,
    webhooks,
};

/// The names of the built files, without the folder.
#[derive(Debug, Clone)]
pub struct Assets {
    pub stylesheet: String,
}

pub fn shell(options: LeptosOptions) -> impl IntoView {
    let ctx = Ctx::current();
    let base = ctx.as_ref().map(|c| c.site.base.0.to_string()).unwrap_or_default();
    let lang = ctx.as_ref().map_or("ko", |c| c.visitor.lang.as_str());
    let theme = ctx.as_ref().map(|c| c.visitor.theme).filter(|t| *t != Theme::Device).map(Theme::as_str);
    let assets = use_context::<Assets>();
    let stylesheet = assets.map(|a| format!("{base}/pkg/{}", a.stylesheet));
    let seal = format!("{base}/pkg/seal.svg");
    view! {
        <!DOCTYPE html>
        <html lang=lang data-base=base.clone() data-theme=theme>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <meta name="robots" content="noindex"/>
                <link rel="icon" type="image/svg+xml" href=seal/>
                {stylesheet.map(|href| view! { <link rel="stylesheet" href=href/> })}
                <HydrationScripts options=options islands=true root=base.clone()/>
                <MetaTags/>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}

#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Router>
            <Routes fallback=|| page(|ctx, _| errors::not_found(ctx))>
                <Route path=path!("/") view=|| page(|ctx, _| home::page::page(ctx)) ssr=SsrMode::Async/>
                <Route path=path!("/login") view=|| page(staff::login::page) ssr=SsrMode::Async/>
                <Route path=path!("/invitation") view=|| page(staff::invitation::page) ssr=SsrMode::Async/>
                <Route path=path!("/login/factor") view=|| page(|ctx, _| staff::factors::log_in::page(ctx)) ssr=SsrMode::Async/>
                <Route path=path!("/proof") view=|| page(|ctx, _| staff::factors::proof::page(ctx)) ssr=SsrMode::Async/>
                <Route path=path!("/unsent") view=|| page(|ctx, _| staff::unsent::page(ctx)) ssr=SsrMode::Async/>
                <Route path=path!("/account/factors") view=|| page(|ctx, _| staff::factors::own::page(ctx)) ssr=SsrMode::Async/>
                <Route path=path!("/account") view=|| page(|ctx, _| staff::account::page(ctx)) ssr=SsrMode::Async/>
                <Route path=path!("/orders") view=|| page(orders::list::page) ssr=SsrMode::Async/>
                <Route path=path!("/orders/:order_id") view=|| {
                    let id = param("order_id");
                    page(move |ctx, _| orders::detail::page(ctx, id))
                } ssr=SsrMode::Async/>
                <Route path=path!("/transactions") view=|| page(transactions::list::page) ssr=SsrMode::Async/>
                <Route path=path!("/refunds") view=|| page(refunds::list::page) ssr=SsrMode::Async/>
                <Route path=path!("/refunds/reasons") view=|| page(|ctx, _| refunds::reasons::page(ctx)) ssr=SsrMode::Async/>
                <Route path=path!("/refunds/batches") view=|| page(refunds::batch::list::page) ssr=SsrMode::Async/>
                <Route path=path!("/refunds/batches/:id") view=|| {
                    let id = param("id");
                    page(move |ctx, query| refunds::batch::detail::page(ctx, id, query))
                } ssr=SsrMode::Async/>
                <Route path=path!("/returns") view=|| page(|ctx, _| returns::list::page(ctx)) ssr=SsrMode::Async/>
                <Route path=path!("/webhooks") view=|| page(webhooks::list::page) ssr=SsrMode::Async/>
                <Route path=path!("/webhooks/missing") view=|| page(webhooks::missing::page) ssr=SsrMode::Async/>
                <Route path=path!("/webhooks/replays") view=|| page(webhooks::replay::list::page) ssr=SsrMode::Async/>
                <Route path=path!("/webhooks/replays/:id") view=|| {
                    let id = param("id");
                    page(move |ctx, _| webhooks::replay::detail::page(ctx, id))
                } ssr=SsrMode::Async/>
                <Route path=path!("/webhooks/:id") view=|| {
                    let id = param("id");
                    page(move |ctx, _| webhooks::detail::page(ctx, id))
                } ssr=SsrMode::Async/>
                <Route path=path!("/events") view=|| page(events::list::page) ssr=SsrMode::Async/>
                <Route path=path!("/events/endpoints") view=|| page(|ctx, _| events::endpoints::list::page(ctx)) ssr=SsrMode::Async/>
                <Route path=path!("/events/endpoints/:id") view=|| {
                    let id = param("id");
                    page(move |ctx, query| events::endpoints::detail::page(ctx, id, query))
                } ssr=SsrMode::Async/>
                <Route path=path!("/events/:id") view=|| {
                    let id = param("id");
                    page(move |ctx, _| events::detail::page(ctx, id))
                } ssr=SsrMode::Async/>
                <Route path=path!("/api-keys") view=|| page(|ctx, _| api_keys::list::page(ctx)) ssr=SsrMode::Async/>
                <Route path=path!("/api-keys/requests") view=|| page(api_keys::requests::page) ssr=SsrMode::Async/>
                <Route path=path!("/api-keys/:id") view=|| {
                    let id = param("id");
                    page(move |ctx, _| api_keys::detail::page(ctx, id))
                } ssr=SsrMode::Async/>
                <Route path=path!("/toss-calls") view=|| page(toss_calls::list::page) ssr=SsrMode::Async/>
                <Route path=path!("/toss-calls/:id") view=|| {
                    let id = param("id");
                    page(move |ctx, _| toss_calls::detail::page(ctx, id))
                } ssr=SsrMode::Async/>
                <Route path=path!("/reconciliation") view=|| page(reconciliation::month::page) ssr=SsrMode::Async/>
                <Route path=path!("/reconciliation/differences") view=|| page(reconciliation::differences::list::page) ssr=SsrMode::Async/>
                <Route path=path!("/reconciliation/differences/:key") view=|| {
                    let key = param("key");
                    page(move |ctx, _| reconciliation::differences::detail::page(ctx, key))
                } ssr=SsrMode::Async/>
                <Route path=path!("/reconciliation/contract") view=|| page(|ctx, _| reconciliation::contract::page(ctx)) ssr=SsrMode::Async/>
                <Route path=path!("/reconciliation/reports") view=|| page(reports::page::page) ssr=SsrMode::Async/>
                <Route path=path!("/reconciliation/payouts") view=|| page(payouts::list::page) ssr=SsrMode::Async/>
                <Route path=path!("/reconciliation/payouts/:day") view=|| {
                    let day = param("day");
                    page(move |ctx, _| payouts::detail::page(ctx, day))
                } ssr=SsrMode::Async/>
                <Route path=path!("/reconciliation/:day") view=|| {
                    let day = param("day");
                    page(move |ctx, query| reconciliation::day::page(ctx, day, query))
                } ssr=SsrMode::Async/>
                <Route path=path!("/cash-receipts") view=|| page(cash_receipts::day::page) ssr=SsrMode::Async/>
                <Route path=path!("/promotions") view=|| page(promotions::list::page) ssr=SsrMode::Async/>
                <Route path=path!("/promotions/batches/:id") view=|| {
                    let id = param("id");
                    page(move |ctx, query| promotions::batch::detail::page(ctx, id, query))
                } ssr=SsrMode::Async/>
                <Route path=path!("/promotions/:promotion_code") view=|| {
                    let code = param("promotion_code");
                    page(move |ctx, query| promotions::campaign::page(ctx, code, query))
                } ssr=SsrMode::Async/>
                <Route path=path!("/iap") view=|| page(iap::list::page) ssr=SsrMode::Async/>
                <Route path=path!("/messages") view=|| page(messages::list::page) ssr=SsrMode::Async/>
                <Route path=path!("/users") view=|| page(users::list::page) ssr=SsrMode::Async/>
                <Route path=path!("/users/:user_key") view=|| {
                    let key = param("user_key");
                    page(move |ctx, _| users::detail::page(ctx, key))
                } ssr=SsrMode::Async/>
                <Route path=path!("/settings/firewall") view=|| page(|ctx, _| firewall::page::page(ctx)) ssr=SsrMode::Async/>
                <Route path=path!("/exports") view=|| page(|ctx, _| exports::list::page(ctx)) ssr=SsrMode::Async/>
                <Route path=path!("/exports/:id") view=|| {
                    let id = param("id");
                    page(move |ctx, _| exports::detail::page(ctx, id))
                } ssr=SsrMode::Async/>
                <Route path=path!("/staff") view=|| page(|ctx, _| staff::list::page(ctx)) ssr=SsrMode::Async/>
                <Route path=path!("/staff/roles") view=|| page(|ctx, _| staff::roles::page::page(ctx)) ssr=SsrMode::Async/>
                <Route path=path!("/staff/rights") view=|| page(staff::register::page) ssr=SsrMode::Async/>
                <Route path=path!("/staff/:id") view=|| {
                    let id = param("id");
                    page(move |ctx, _| staff::person::page::page(ctx, id))
                } ssr=SsrMode::Async/>
                <Route path=path!("/audit") view=|| page(audit::list::page) ssr=SsrMode::Async/>
                <Route path=path!("/audit/:seq") view=|| {
                    let seq = param("seq");
                    page(move |ctx, _| audit::detail::page(ctx, seq))
                } ssr=SsrMode::Async/>
                <Route path=path!("/access-records") view=|| page(audit::access::list::page) ssr=SsrMode::Async/>
                <Route path=path!("/access-records/review") view=|| page(audit::access::review::page) ssr=SsrMode::Async/>
                <Route path=path!("/personal-data") view=|| page(personal_data::page::page) ssr=SsrMode::Async/>
                <Route path=path!("/security") view=|| page(security::list::page) ssr=SsrMode::Async/>
                <Route path=path!("/settings") view=|| page(|ctx, _| settings::page::page(ctx)) ssr=SsrMode::Async/>
            </Routes>
        </Router>
    }
}

fn path_of(ctx: &Ctx) -> &str {
    ctx.path.split('?').next().unwrap_or_default()
}

fn param(name: &'static str) -> String {
    use_params_map().with_untracked(|params| params.get(name)).unwrap_or_default()
}

/// Runs a page once its data is there. What it leaves open is answered with a page that says so.
fn page<F>(make: impl FnOnce(Ctx, Query) -> F) -> AnyView
where
    F: Future<Output = layout::Answer> + Send + 'static,
{
    // The route table is made without a request.
    let Some(ctx) = Ctx::current() else { return ().into_any() };
    let query = use_query_map()
        .with_untracked(|q| Query(q.clone().into_iter().map(|(n, v)| (n.into_owned(), v)).collect()));
    // The router is more lenient than the table (a slash at the end, dots): only what stands in the table is made.
    let rule = access::rule(path_of(&ctx));
    let denied =
        ctx.visitor.staff.is_some() && rule.and_then(Access::permission).is_some_and(|p| !ctx.may(p));
    let answer = (rule.is_some() && !denied).then(|| make(ctx.clone(), query));
    let suspended = Suspend::new(async move {
        let answer = match answer {
            Some(answer) => answer.await,
            None if denied => Ok(errors::forbidden(&ctx)),
            None => Ok(errors::missing(&ctx, ctx.t("page-not-found"))),
        };
        match answer {
            Ok(frame) => match &ctx.visitor.staff {
                Some(staff) => frame::frame(&ctx, staff, frame).await,
                None => frame.body,
            },
            Err(fault) => {
                tracing::error!(error = %fault, path = path_of(&ctx), "a page failed");
                ctx.status(http::StatusCode::INTERNAL_SERVER_ERROR);
                errors::broken(&ctx)
            }
        }
    });
    view! { <Suspense>{suspended}</Suspense> }.into_any()
}
