//! A button that asks the browser for a passkey, and sends the form that it stands in with what the passkey has signed.

use leptos::{ev::MouseEvent, prelude::*};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PasskeyWords {
    pub button: String,
    /// The browser knows no passkeys.
    pub missing: String,
    /// Nobody has touched the key, or the question is too old.
    pub ended: String,
    /// The browser is asking.
    pub waits: String,
}

/// `asks`: `offer` for a new passkey, `prove` for one of this person's, `anybody` for one of whoever is there.
#[island]
pub fn Passkey(asks: String, words: PasskeyWords) -> impl IntoView {
    let said = RwSignal::new(String::new());
    let busy = RwSignal::new(false);
    let button = words.button.clone();
    let ask = move |event: MouseEvent| {
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        said.set(words.waits.clone());
        #[cfg(feature = "hydrate")]
        {
            let form = browser::form_of(&event);
            let (asks, words) = (asks.clone(), words.clone());
            leptos::task::spawn_local(async move {
                match browser::signed(&asks).await {
                    Ok(credential) => browser::send(form, &credential),
                    Err(Some(sentence)) => said.set(sentence),
                    Err(None) if browser::knows_passkeys() => said.set(words.ended),
                    Err(None) => said.set(words.missing),
                }
                busy.set(false);
            });
        }
        #[cfg(not(feature = "hydrate"))]
        drop((event, asks.clone(), words.missing.clone(), words.ended.clone()));
    };
    view! {
        <button type="button" class="button quiet wide passkey" disabled=move || busy.get() on:click=ask>
            {button}
        </button>
        <p class="note" role="status">{move || said.get()}</p>
    }
}

#[cfg(feature = "hydrate")]
mod browser {
    use leptos::ev::MouseEvent;
    use web_sys::{
        Element, HtmlFormElement, HtmlInputElement,
        wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen},
    };

    use crate::{
        error::AppError,
        staff::factors::{functions::offer_passkey, log_in_functions::ask_passkey},
    };

    #[wasm_bindgen]
    extern "C" {
        #[wasm_bindgen(js_namespace = JSON, js_name = parse, catch)]
        fn parse(text: &str) -> Result<JsValue, JsValue>;
        // Of a credential, this is its own `toJSON`.
        #[wasm_bindgen(js_namespace = JSON, js_name = stringify, catch)]
        fn stringify(value: &JsValue) -> Result<String, JsValue>;

        #[wasm_bindgen(js_namespace = PublicKeyCredential, js_name = parseCreationOptionsFromJSON, catch)]
        fn creation(options: &JsValue) -> Result<JsValue, JsValue>;
        #[wasm_bindgen(js_namespace = PublicKeyCredential, js_name = parseRequestOptionsFromJSON, catch)]
        fn request(options: &JsValue) -> Result<JsValue, JsValue>;

        #[wasm_bindgen(js_name = Object)]
        type Options;
        #[wasm_bindgen(constructor, js_class = "Object")]
        fn new() -> Options;
        #[wasm_bindgen(method, setter, js_name = publicKey)]
        fn set_public_key(this: &Options, options: &JsValue);

        #[wasm_bindgen(js_namespace = ["navigator", "credentials"], js_name = create, catch)]
        async fn create(options: &Options) -> Result<JsValue, JsValue>;
        #[wasm_bindgen(js_namespace = ["navigator", "credentials"], js_name = get, catch)]
        async fn get(options: &Options) -> Result<JsValue, JsValue>;

        #[wasm_bindgen(thread_local_v2, js_namespace = globalThis, js_name = PublicKeyCredential)]
        static KNOWN: Option<JsValue>;
    }

    pub(super) fn knows_passkeys() -> bool {
        KNOWN.with(Option::is_some)
    }

    pub(super) fn form_of(event: &MouseEvent) -> Option<HtmlFormElement> {
        let button = event.target()?.dyn_into::<Element>().ok()?;
        button.closest("form").ok()??.dyn_into().ok()
    }

    /// What the passkey has signed, as JSON; a sentence of the server, or nothing, where there is none.
    pub(super) async fn signed(asks: &str) -> Result<String, Option<String>> {
        let is_new = asks == "offer";
        let asked = if is_new { offer_passkey().await } else { ask_passkey(asks == "anybody").await };
        let question = asked.map_err(|error| match error {
            AppError::Invalid { message, .. } => Some(message),
            _ => None,
        })?;
        answer(&question, is_new).await.map_err(|_| None)
    }

    async fn answer(question: &str, is_new: bool) -> Result<String, JsValue> {
        let question = parse(question)?;
        let options = Options::new();
        options.set_public_key(&if is_new { creation(&question)? } else { request(&question)? });
        let credential = if is_new { create(&options).await? } else { get(&options).await? };
        stringify(&credential)
    }

    pub(super) fn send(form: Option<HtmlFormElement>, credential: &str) {
        let Some(form) = form else { return };
        let field = form.query_selector("input[name=proof_credential]").ok().flatten();
        if let Some(field) = field.and_then(|field| field.dyn_into::<HtmlInputElement>().ok()) {
            field.set_value(credential);
            drop(form.submit());
        }
    }
}
