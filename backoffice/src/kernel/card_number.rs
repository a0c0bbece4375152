//! Card numbers that nobody has masked: this house keeps none (PCI DSS 3.5).

/// Whether a text holds 13 to 19 digits, perhaps in groups, that are a card's by their first digit and their check digit
/// (ISO/IEC 7812, Luhn). One number in ten passes for one by chance: ids are not asked.
pub fn contains_card_number(text: &str) -> bool {
    let mut digits: Vec<u32> = Vec::new();
    let mut gap = false;
    for letter in text.chars().chain(['.']) {
        match letter.to_digit(10) {
            Some(digit) => {
                digits.push(digit);
                gap = false;
            }
            // One space or hyphen between groups.
            None if matches!(letter, ' ' | '-') && !gap && !digits.is_empty() => gap = true,
            None => {
                if is_card(&digits) {
                    return true;
                }
                digits.clear();
                gap = false;
            }
        }
    }
    false
}

fn is_card(digits: &[u32]) -> bool {
    let issued = matches!(digits.first(), Some(2..=6 | 9));
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| match (index % 2, digit * 2) {
            (0, _) => *digit,
            (_, twice) if twice > 9 => twice - 9,
            (_, twice) => twice,
        })
        .sum();
    (13..=19).contains(&digits.len()) && issued && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_are_told_from_other_numbers() {
        for card in [
            "4111111111111111",
            "고객 카드 4111 1111 1111 1111 로 결제",
            "5555-5555-5555-4444",
            "378282246310005",
            "3530111333300000.",
            "(6011111111111117)",
        ] {
            assert!(contains_card_number(card), "{card}");
        }
        for other in [
            "",
            "4111111111111112",
            "43301234****123*",
            "010-1234-5678",
            "110-123-456789",
            "1234567890123",
            "2026-11-25 10:00, 52,500",
            "4111  1111  1111  1111 두 칸",
            "0000000000000000",
        ] {
            assert!(!contains_card_number(other), "{other}");
        }
    }
}
