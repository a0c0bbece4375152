//! What a fee is made of, in one line.

use backoffice::settlements::FeeParts;

use crate::{context::Ctx, format};

/// Nothing where it is all one, or where Toss does not tell.
pub fn line(ctx: &Ctx, parts: &FeeParts, currency: &str) -> Option<String> {
    let named = [
        ("base", parts.base),
        ("instalment", parts.instalment),
        ("instalment-discount", parts.instalment_discount),
        ("point-saving", parts.point_saving),
        ("other", parts.other),
    ];
    let mut words: Vec<String> = named
        .into_iter()
        .filter(|(_, part)| !part.is_zero())
        .map(|(name, part)| {
            format!("{} {}", ctx.words.word("report-fee", name), format::figures(part, currency))
        })
        .collect();
    if !parts.interest.is_zero() {
        words.push(ctx.tr("fee-interest", &[("amount", format::figures(parts.interest, currency))]));
    }
    parts.are_several().then(|| ctx.tr("fee-parts", &[("parts", words.join(" · "))]))
}
