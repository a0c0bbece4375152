//! What a page consists of, its title, and the views of one subject.

use backoffice::Fault;
use leptos::prelude::*;
use leptos_meta::Title;

use crate::{
    context::{Ctx, Mode},
    flash::Flash,
};

/// A page inside the frame.
pub struct Frame {
    pub title: String,
    /// The menu entry that is lit.
    pub active: &'static str,
    pub flash: Flash,
    pub body: AnyView,
}

/// A page, or the fault that kept it from being made.
pub type Answer = Result<Frame, Fault>;

/// `<Title>` is written into the document as it is (leptos_meta 0.8.7): it has to be escaped here.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

pub fn title(ctx: &Ctx, title: &str) -> AnyView {
    let text = format!("{} · {}", escaped(title), ctx.t("product"));
    view! { <Title text=text/> }.into_any()
}

/// The views of one subject, as links in a row.
pub fn tabs(ctx: &Ctx, label: &str, tabs: &[(&str, &str)], active: &str) -> AnyView {
    let tabs = tabs
        .iter()
        .map(|(path, key)| {
            let current = (*path == active).then_some("page");
            view! { <a class="tab" href=ctx.href(path) aria-current=current>{ctx.words.get(key, &[])}</a> }
        })
        .collect_view();
    view! { <nav class="tabs" aria-label=ctx.words.get(label, &[])>{tabs}</nav> }.into_any()
}

pub fn mode_badge(ctx: &Ctx) -> AnyView {
    match ctx.site.mode {
        Mode::Live => ().into_any(),
        mode => view! { <span class="mode">{ctx.words.word("mode", mode.as_str())}</span> }.into_any(),
    }
}
