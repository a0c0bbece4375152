//! What is shown once, and what takes a second look.

use leptos::prelude::*;

use crate::{context::Ctx, flash::Flash, islands::Copy};

/// What was just made and is shown this once: the value of the flash by this name, under a heading, with what to do with it.
pub fn shown(ctx: &Ctx, flash: &Flash, name: &str, title: &str, hint: &str) -> Option<AnyView> {
    let text = flash.value(name).filter(|_| !flash.is_error)?;
    let view = view! {
        <section class="card invitation-link">
            <h2>{ctx.words.get(title, &[])}</h2>
            <div class="pad">
                <p><code>{text.clone()}</code> " " <Copy text=text label=ctx.t("copy") done=ctx.t("copied")/></p>
                <p class="soft">{ctx.words.get(hint, &[])}</p>
            </div>
        </section>
    };
    Some(view.into_any())
}

/// A button for one thing, behind what it does.
pub fn confirmed(
    ctx: &Ctx,
    path: &'static str,
    id: &impl std::fmt::Display,
    word: &str,
    explained: String,
) -> AnyView {
    let word = ctx.words.get(word, &[]);
    view! {
        <details class="confirm">
            <summary>{word.clone()}</summary>
            <form method="post" action=ctx.href(path)>
                <input type="hidden" name="id" value=id.to_string()/>
                <p>{explained}</p>
                <button class="button danger" type="submit">{word}</button>
            </form>
        </details>
    }
    .into_any()
}
