//! Personal data as it is shown until somebody allowed says why: enough to recognise, too little to use.

/// `김*준`, `이*`, `남**윤`: first and last stay when there is something between them.
pub fn mask_name(name: &str) -> String {
    let letters: Vec<char> = name.trim().chars().collect();
    match letters.as_slice() {
        [] => String::new(),
        [_] => "*".into(),
        [first, _] => format!("{first}*"),
        [first, between @ .., last] => format!("{first}{}{last}", "*".repeat(between.len())),
    }
}

/// `010-****-2231`
pub fn mask_phone(phone: &str) -> String {
    let digits: Vec<char> = phone.chars().filter(char::is_ascii_digit).collect();
    if digits.len() < 8 {
        return "*".repeat(digits.len());
    }
    let (head, tail): (String, String) =
        (digits[..3].iter().collect(), digits[digits.len() - 4..].iter().collect());
    format!("{head}-****-{tail}")
}

/// `h***@example.com`
pub fn mask_email(email: &str) -> String {
    match email.split_once('@') {
        Some((local, domain)) => format!("{}***@{domain}", local.chars().take(1).collect::<String>()),
        None => "***".into(),
    }
}

/// The last four digits of an account stay.
pub fn mask_number(number: &str) -> String {
    let count = number.chars().count();
    number.chars().enumerate().map(|(i, c)| if i + 4 < count { '*' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_masked() {
        assert_eq!(mask_name("김하준"), "김*준");
        assert_eq!(mask_name("이준"), "이*");
        assert_eq!(mask_name("남궁태희"), "남**희");
        assert_eq!(mask_phone("010-1234-2231"), "010-****-2231");
        assert_eq!(mask_email("hong@example.com"), "h***@example.com");
        assert_eq!(mask_number("79019639679511"), "**********9511");
    }
}
