//! The words on the screen: Fluent files, read on the server.

use std::sync::LazyLock;

use fluent_bundle::{FluentArgs, FluentResource, concurrent::FluentBundle};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    #[default]
    Ko,
    En,
}

impl Lang {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ko => "ko",
            Self::En => "en",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "ko" => Some(Self::Ko),
            "en" => Some(Self::En),
            _ => None,
        }
    }

    /// The first of ours in an `Accept-Language`; Korean when there is none.
    pub fn from_header(header: &str) -> Self {
        header
            .split(',')
            .filter_map(|part| part.trim().get(..2))
            .find_map(|tag| Self::parse(&tag.to_ascii_lowercase()))
            .unwrap_or_default()
    }
}

type Bundle = FluentBundle<FluentResource>;

static KO: LazyLock<Bundle> = LazyLock::new(|| bundle("ko", include_str!("../locales/ko.ftl")));
static EN: LazyLock<Bundle> = LazyLock::new(|| bundle("en", include_str!("../locales/en.ftl")));

/// A broken line in a file costs that line, not the page; the tests let no broken line through.
fn bundle(tag: &str, source: &str) -> Bundle {
    let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(partial, errors)| {
        tracing::error!(tag, ?errors, "a locale file has errors");
        partial
    });
    let mut bundle = FluentBundle::new_concurrent(tag.parse().into_iter().collect());
    bundle.set_use_isolating(false);
    if let Err(errors) = bundle.add_resource(resource) {
        tracing::error!(tag, ?errors, "a locale file says something twice");
    }
    bundle
}

/// Looks words up in one language.
#[derive(Debug, Clone, Copy)]
pub struct Translator {
    pub lang: Lang,
}

impl Translator {
    pub fn new(lang: Lang) -> Self {
        Self { lang }
    }

    fn bundle(self) -> &'static Bundle {
        match self.lang {
            Lang::Ko => &KO,
            Lang::En => &EN,
        }
    }

    pub fn has(self, key: &str) -> bool {
        self.bundle().has_message(key)
    }

    /// The text of a key; the key itself when it is missing, so that it is noticed.
    pub fn get(self, key: &str, args: &[(&str, String)]) -> String {
        let bundle = self.bundle();
        let Some(pattern) = bundle.get_message(key).and_then(|m| m.value()) else { return key.to_owned() };
        let mut fluent_args = FluentArgs::new();
        for (name, value) in args {
            match count(value) {
                Some(number) => fluent_args.set(*name, number),
                None => fluent_args.set(*name, value.clone()),
            }
        }
        bundle.format_pattern(pattern, Some(&fluent_args), &mut Vec::new()).into_owned()
    }

    /// A word for a value that Toss may extend: the value itself when there is none.
    pub fn word(self, prefix: &str, value: &str) -> String {
        let key = format!("{prefix}-{}", value.to_lowercase().replace(['_', '.', ':', ' '], "-"));
        if self.has(&key) { self.get(&key, &[]) } else { value.to_owned() }
    }
}

/// Counts choose between singular and plural. Only what is printed again as it was typed is one: an order `0012` and a
/// number of twenty digits are text.
fn count(text: &str) -> Option<i32> {
    text.parse().ok().filter(|number: &i32| number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn what_is_put_into_a_sentence_comes_out_as_it_was() {
        let long = "9007199254740993";
        for text in ["0012", "12", "-0", "+1", "1e3", "1.50", long, "2147483648", "007", "０１", "", " 5"] {
            let said = Translator::new(Lang::En).get("api-invalid", &[("why", text.to_owned())]);
            assert_eq!(said, format!("The request cannot be used. {text}"));
        }
    }

    fn keys(source: &str) -> BTreeSet<String> {
        source
            .lines()
            .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
            .filter_map(|line| line.split_once(" =").map(|(key, _)| key.to_owned()))
            .collect()
    }

    #[test]
    fn both_languages_say_the_same_things_without_errors() {
        let (ko, en) = (include_str!("../locales/ko.ftl"), include_str!("../locales/en.ftl"));
        for source in [ko, en] {
            assert!(FluentResource::try_new(source.to_owned()).is_ok());
        }
        let (ko, en) = (keys(ko), keys(en));
        let missing: Vec<_> = ko.symmetric_difference(&en).collect();
        assert!(missing.is_empty(), "only in one language: {missing:?}");
    }

    fn sources(folder: &Path, found: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else {
                found.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }

    /// `noun.verb` in the rules is what a row of the audit log says was done.
    #[test]
    fn every_action_of_the_audit_log_has_words() {
        const NOUNS: &str = "access_review api_key audit bank_statement campaign cash_receipt contract data_request day difference event_endpoint export grant grant_batch \
                             iap_order iap_price iap_refund message message_template order payout reconciliation refund \
                             refund_batch refund_limit retention return role seller settlements staff transaction transactions user \
                             webhook webhook_replay webhooks";
        let mut code = String::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../backoffice/src"), &mut code);
        let is_verb =
            |verb: &str| !verb.is_empty() && verb.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let actions: BTreeSet<&str> = code
            .split('"')
            .filter(|text| {
                text.split_once('.').is_some_and(|(noun, verb)| {
                    NOUNS.split_whitespace().any(|known| known == noun) && is_verb(verb)
                })
            })
            .collect();
        assert!(actions.len() > 80, "the search itself is broken: {}", actions.len());
        let known = keys(include_str!("../locales/ko.ftl"));
        let word = |action: &str| format!("event-{}", action.replace(['.', '_'], "-"));
        // What the merchant's own systems are told has words of its own.
        let is_told = |action: &str| backoffice::events::Kind::parse(action).is_some();
        let has_words =
            |action: &&str| *action == "payment.changed" || known.contains(&word(action)) || is_told(action);
        let missing: Vec<_> = actions.into_iter().filter(|action| !has_words(action)).collect();
        assert!(missing.is_empty(), "no words for {missing:?}");
    }

    #[test]
    fn every_kind_of_event_has_words() {
        let known = keys(include_str!("../locales/ko.ftl"));
        let key = |prefix: &str, word: &str| format!("{prefix}-{}", word.replace(['.', '_'], "-"));
        for kind in backoffice::events::Kind::ALL.map(backoffice::events::Kind::as_str) {
            let noun = kind.split('.').next().unwrap_or_default();
            for key in [key("event-kind", kind), key("event-noun", noun)] {
                assert!(known.contains(&key), "no words for {key}");
            }
        }
    }

    #[test]
    fn every_key_the_pages_ask_for_exists() {
        let mut code = String::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut code);
        let mut asked = BTreeSet::new();
        for call in [".t(\"", ".tr(\"", ".tr(\n"] {
            for piece in code.split(call).skip(1) {
                let piece = piece.trim_start().trim_start_matches('"');
                if let Some(key) = piece
                    .split('"')
                    .next()
                    .filter(|k| !k.is_empty() && !k.contains([' ', '{', '\n', '(', '[']))
                {
                    asked.insert(key.to_owned());
                }
            }
        }
        assert!(asked.len() > 50, "the search itself is broken: {}", asked.len());
        let known = keys(include_str!("../locales/ko.ftl"));
        let missing: Vec<_> = asked.difference(&known).collect();
        assert!(missing.is_empty(), "no words for {missing:?}");
    }

    #[test]
    fn every_job_that_acts_has_a_name() {
        let mut code = String::new();
        for room in ["backoffice", "server"] {
            sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(room).join("src"), &mut code);
        }
        let jobs: BTreeSet<_> =
            code.split("Actor::Job(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(jobs.len() > 10, "the search itself is broken: {jobs:?}");
        let known = keys(include_str!("../locales/ko.ftl"));
        let nameless: Vec<_> = jobs
            .into_iter()
            .filter(|job| !known.contains(&format!("job-{}", job.replace('_', "-"))))
            .collect();
        assert!(nameless.is_empty(), "no words for {nameless:?}");
    }

    #[test]
    fn a_browser_gets_its_language_and_korean_otherwise() {
        assert_eq!(Lang::from_header("en-US,en;q=0.9,ko;q=0.8"), Lang::En);
        assert_eq!(Lang::from_header("ko-KR,ko;q=0.9,en;q=0.8"), Lang::Ko);
        assert_eq!(Lang::from_header("de,fr;q=0.5"), Lang::Ko);
        assert_eq!(Lang::from_header("日本語"), Lang::Ko);
    }
}
