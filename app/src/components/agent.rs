//! What a browser calls itself, in words.

use crate::i18n::Translator;

/// Which browser on which system, as far as it is one that many have.
pub fn browser(words: &Translator, agent: &str) -> String {
    // Whoever names another one too comes first: Chrome calls itself Safari, and the others call themselves Chrome.
    const BROWSERS: [(&str, &str); 8] = [
        ("KAKAOTALK", "KakaoTalk"),
        ("Whale/", "Whale"),
        ("SamsungBrowser/", "Samsung Internet"),
        ("Edg", "Edge"),
        ("Firefox/", "Firefox"),
        ("CriOS/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 6] = [
        ("Windows", "Windows"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let named = |names: &[(&str, &'static str)]| {
        names.iter().find(|(sign, _)| agent.contains(sign)).map(|(_, name)| *name)
    };
    let known: Vec<&str> = [named(&BROWSERS), named(&SYSTEMS)].into_iter().flatten().collect();
    match (known.is_empty(), agent) {
        (false, _) => known.join(" · "),
        (true, "") => words.get("session-agent-unknown", &[]),
        (true, agent) => agent.to_owned(),
    }
}
