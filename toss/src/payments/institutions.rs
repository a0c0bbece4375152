//! Bank, securities and card codes of Toss Payments (toss-api.md A11). Apps in Toss has other codes.
//!
//! The same two characters mean different things in the two tables; unknown codes are shown as they are.

/// Banks and securities firms: `(code, name)`.
pub const BANKS: &[(&str, &str)] = &[
    ("39", "경남은행"),
    ("34", "광주은행"),
    ("12", "지역농축협"),
    ("32", "부산은행"),
    ("45", "새마을금고"),
    ("64", "산림조합"),
    ("88", "신한은행"),
    ("48", "신협"),
    ("27", "씨티은행"),
    ("20", "우리은행"),
    ("71", "우체국"),
    ("50", "저축은행"),
    ("37", "전북은행"),
    ("35", "제주은행"),
    ("90", "카카오뱅크"),
    ("89", "케이뱅크"),
    ("92", "토스뱅크"),
    ("81", "하나은행"),
    ("54", "홍콩상하이은행"),
    ("03", "기업은행"),
    ("06", "국민은행"),
    ("31", "iM뱅크(대구)"),
    ("02", "산업은행"),
    ("11", "농협은행"),
    ("23", "SC제일은행"),
    ("07", "수협은행"),
    ("S8", "교보증권"),
    ("SE", "대신증권"),
    ("SK", "메리츠증권"),
    ("S5", "미래에셋증권"),
    ("SM", "부국증권"),
    ("S3", "삼성증권"),
    ("SN", "신영증권"),
    ("S2", "신한금융투자"),
    ("S0", "유안타증권"),
    ("SJ", "유진증권"),
    ("SQ", "카카오페이증권"),
    ("SB", "키움증권"),
    ("ST", "토스증권"),
    ("SR", "펀드온라인코리아"),
    ("SH", "하나금융투자"),
    ("S9", "하이투자"),
    ("S6", "한국투자"),
    ("SG", "한화투자"),
    ("SA", "현대차증권"),
    ("SI", "DB금융투자"),
    ("S4", "KB증권"),
    ("SP", "KTB증권"),
    ("SO", "LIG증권"),
    ("SL", "NH증권"),
    ("SD", "SK증권"),
];

/// The code of a bank that somebody wrote down: its code, also without the zero that a spreadsheet takes away, or its
/// name.
pub fn bank_code(text: &str) -> Option<&'static str> {
    let text = text.trim();
    let padded = format!("{text:0>2}");
    BANKS.iter().find(|(code, name)| *code == text || *code == padded || *name == text).map(|(code, _)| *code)
}

/// Card issuers and acquirers: `(code, name)`.
pub const CARDS: &[(&str, &str)] = &[
    ("3K", "기업BC"),
    ("46", "광주"),
    ("71", "롯데"),
    ("30", "KDB산업"),
    ("31", "BC"),
    ("51", "삼성"),
    ("38", "새마을금고"),
    ("41", "신한"),
    ("62", "신협"),
    ("36", "씨티"),
    ("33", "우리BC(BC 매입)"),
    ("W1", "우리(우리 매입)"),
    ("37", "우체국"),
    ("39", "저축은행"),
    ("35", "전북"),
    ("42", "제주"),
    ("15", "카카오뱅크"),
    ("3A", "케이뱅크"),
    ("24", "토스뱅크"),
    ("21", "하나"),
    ("61", "현대"),
    ("11", "KB국민"),
    ("91", "NH농협"),
    ("34", "Sh수협"),
    ("6D", "다이너스"),
    ("4M", "마스터"),
    ("3C", "유니온페이"),
    ("7A", "아멕스"),
    ("4J", "JCB"),
    ("4V", "VISA"),
];

pub fn bank_name(code: &str) -> Option<&'static str> {
    BANKS.iter().find(|(known, _)| *known == code).map(|(_, name)| *name)
}

pub fn card_name(code: &str) -> Option<&'static str> {
    CARDS.iter().find(|(known, _)| *known == code).map(|(_, name)| *name)
}
