//! Reading a bank's statement as its customers download it: CSV in UTF-8 or CP949, prose above the head, names of
//! columns as each bank likes them. What the money was for is not decided here.
//!
//! A deposit that is passed over in silence is money that nobody looks for, and a wrong one pays a stranger's order: a
//! row that cannot be read for certain is an error with its line, never a guess.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use time::{Date, Month};

use crate::{
    files::text::{self, NotText},
    money::{self, AmountError},
};

pub const MAX_BYTES: usize = 8 << 20;
/// Lines below the head.
pub const MAX_LINES: usize = 100_000;

/// How far down the head may stand, and how long it may be.
const HEAD_WITHIN: usize = 100;
const HEAD_BYTES: usize = 16 << 10;

/// What came in, in the file's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    pub lines: Vec<Line>,
    /// Rows that are no deposit: withdrawals, reversals below zero, sums, remarks below the table.
    pub skipped: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it stands in the file, counted from 1.
    pub line: u32,
    pub day: Date,
    /// More than zero.
    pub deposit: Decimal,
    /// Every cell that says who or what for, in the file's order.
    pub memo: String,
    pub balance: Option<Decimal>,
}

/// Why a file as a whole is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum FileError {
    #[error("the file is empty")]
    Empty,
    #[error("the file is larger than {most} bytes")]
    TooLarge { most: usize },
    /// It has to be saved as CSV first.
    #[error("the file is a workbook, not a CSV")]
    Workbook,
    #[error("the file is neither UTF-8 nor CP949")]
    Encoding,
    #[error("no row names a day and a deposit")]
    NoHead,
    #[error("the table has more than {most} lines")]
    TooManyLines { most: usize },
    #[error("line {line}: the day cannot be read")]
    Day { line: u32 },
    /// Also where a row has more cells than the head: an amount like 12,000 without its quotes.
    #[error("line {line}: an amount cannot be read")]
    Amount { line: u32 },
    /// The rows behind it would be taken for a part of it.
    #[error("line {line}: a quotation mark is not closed")]
    Quote { line: u32 },
    #[error("nothing came in")]
    NothingIn,
}

impl From<NotText> for FileError {
    fn from(why: NotText) -> Self {
        match why {
            NotText::Workbook => Self::Workbook,
            NotText::Encoding => Self::Encoding,
        }
    }
}

/// Names as [`name_of`] makes them; where a file has several of them, the first here counts.
const DAY: [&str; 6] = ["거래일자", "거래일시", "거래일", "일자", "날짜", "date"];
const DEPOSIT: [&str; 7] = ["입금액", "입금금액", "입금", "맡기신금액", "받으신금액", "deposit", "credit"];
const BALANCE: [&str; 3] = ["잔액", "거래후잔액", "balance"];
const MEMO: [&str; 18] = [
    "적요",
    "내용",
    "거래내용",
    "기재내용",
    "거래기록사항",
    "보낸분",
    "보낸분/받는분",
    "입금자",
    "의뢰인",
    "의뢰인/수취인",
    "상대계좌예금주명",
    "메모",
    "송금메모",
    "이체메모",
    "통장메모",
    "memo",
    "description",
    "note",
];
/// What a row of sums is called.
const SUMS: [&str; 11] =
    ["합계", "총합계", "총계", "총입금", "소계", "누계", "월계", "일계", "total", "subtotal", "grandtotal"];

struct Head {
    /// Where its row begins, in bytes and in lines.
    offset: usize,
    line: u32,
    delimiter: u8,
    columns: Columns,
}

struct Columns {
    day: usize,
    deposit: usize,
    memo: Vec<usize>,
    balance: Option<usize>,
    width: usize,
}

/// Reads every deposit of a statement.
pub fn read(bytes: &[u8]) -> Result<Statement, FileError> {
    if bytes.len() > MAX_BYTES {
        return Err(FileError::TooLarge { most: MAX_BYTES });
    }
    // One kind of line end, so that lines are counted as people count them.
    let text = text::read(bytes)?;
    if text.trim().is_empty() {
        return Err(FileError::Empty);
    }
    let head = head_of(&text).ok_or(FileError::NoHead)?;
    let columns = &head.columns;
    let table = text.get(head.offset..).unwrap_or_default();
    let mut reader = reader(table, head.delimiter);
    let mut record = csv::StringRecord::new();
    let mut statement = Statement { lines: Vec::new(), skipped: 0 };
    let mut sum = Decimal::ZERO;
    let (mut rows, mut line, mut counted) = (0usize, head.line, 0usize);
    while reader.read_record(&mut record).map_err(|_| FileError::Encoding)? {
        let end = byte_of(Some(reader.position()));
        let raw = table.get(byte_of(record.position())..end).unwrap_or_default().trim_start_matches('\n');
        // The CSV reader counts a row from the empty lines above it.
        let start = end - raw.len();
        let passed = table.get(counted..start).unwrap_or_default().matches('\n').count();
        line = line.saturating_add(u32::try_from(passed).unwrap_or(u32::MAX));
        counted = start;
        rows += 1;
        if rows == 1 || record.iter().all(str::is_empty) {
            continue;
        }
        if rows > MAX_LINES + 1 {
            return Err(FileError::TooManyLines { most: MAX_LINES });
        }
        if is_unclosed(raw, &record, columns.width, char::from(head.delimiter)) {
            return Err(FileError::Quote { line });
        }
        let cell = |at: usize| record.get(at).unwrap_or_default();
        let deposit = amount_of(cell(columns.deposit));
        let Some(day) = day_of(cell(columns.day)) else {
            if is_deposit(deposit, cell(columns.day), cell(columns.deposit)) && !is_sum(&record, deposit, sum)
            {
                return Err(FileError::Day { line });
            }
            statement.skipped += 1;
            continue;
        };
        if record.iter().skip(columns.width).any(|cell| !cell.is_empty()) {
            return Err(FileError::Amount { line });
        }
        let deposit =
            deposit.map_err(|_| FileError::Amount { line })?.filter(|deposit| *deposit > Decimal::ZERO);
        let memos = || columns.memo.iter().map(|at| cell(*at));
        let Some(deposit) = deposit.filter(|_| !memos().any(|memo| SUMS.contains(&name_of(memo).as_str())))
        else {
            statement.skipped += 1;
            continue;
        };
        let balance = columns.balance.map_or(Ok(None), |at| amount_of(cell(at)));
        let balance = balance.map_err(|_| FileError::Amount { line })?;
        sum += deposit;
        statement.lines.push(Line { line, day, deposit, memo: memo_of(memos()), balance });
    }
    if statement.lines.is_empty() { Err(FileError::NothingIn) } else { Ok(statement) }
}

fn reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes())
}

fn byte_of(position: Option<&csv::Position>) -> usize {
    position.and_then(|at| usize::try_from(at.byte()).ok()).unwrap_or_default()
}

/// Every line is tried as the head for itself, so that no quotation mark in the prose above hides it. The delimiter is
/// the one with which it is a head.
fn head_of(text: &str) -> Option<Head> {
    let mut offset = 0;
    for (line, row) in (1u32..).zip(text.split_inclusive('\n')).take(HEAD_WITHIN) {
        let window = text.get(offset..text.floor_char_boundary(offset + HEAD_BYTES)).unwrap_or_default();
        for delimiter in if row.trim().is_empty() { [].as_slice() } else { b"\t;,".as_slice() } {
            let record = reader(window, *delimiter).into_records().next();
            if let Some(columns) = record.and_then(Result::ok).and_then(|record| columns_of(&record)) {
                return Some(Head { offset, line, delimiter: *delimiter, columns });
            }
        }
        offset += row.len();
    }
    None
}

fn columns_of(record: &csv::StringRecord) -> Option<Columns> {
    let names: Vec<String> = record.iter().map(name_of).collect();
    let find = |known: &[&str]| known.iter().find_map(|known| names.iter().position(|name| name == known));
    let memo = names
        .iter()
        .enumerate()
        .filter(|(_, name)| MEMO.contains(&name.as_str()))
        .map(|(at, _)| at)
        .collect();
    Some(Columns {
        day: find(&DAY)?,
        deposit: find(&DEPOSIT)?,
        memo,
        balance: find(&BALANCE),
        width: record.len(),
    })
}

/// `거래 후 잔액 (원)` is `거래후잔액`.
fn name_of(cell: &str) -> String {
    let name: String = cell.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect();
    let bare = ["(원)", "（원）", "(krw)"].iter().find_map(|unit| name.strip_suffix(unit));
    bare.map(str::to_owned).unwrap_or(name)
}

/// Whether a row has swallowed the rows behind it: another row's day begins one of its lines, or the file ends within
/// it.
fn is_unclosed(raw: &str, record: &csv::StringRecord, width: usize, delimiter: char) -> bool {
    let is_row = |line: &str| line.split(delimiter).any(|cell| day_of(cell.trim_matches('"')).is_some());
    raw.contains('"')
        && (record.iter().any(|cell| cell.split('\n').skip(1).any(is_row))
            || (record.len() < width && !raw.matches('"').count().is_multiple_of(2)))
}

/// Nothing for an empty cell or a lone dash; below zero for a reversal.
fn amount_of(cell: &str) -> Result<Option<Decimal>, AmountError> {
    let (negative, plain) = match cell.strip_prefix(['-', '−', '△', '▲']) {
        Some(plain) => (true, plain),
        None => (false, cell.strip_prefix('+').unwrap_or(cell)),
    };
    let plain = plain.strip_suffix("KRW").unwrap_or(plain);
    // With two places, as an account in a foreign currency has them.
    match money::parse(plain, "USD") {
        Ok(amount) => Ok(Some(if negative { -amount } else { amount })),
        Err(AmountError::Empty) => Ok(None),
        Err(AmountError::NotPositive) if !plain.contains('-') => Ok(Some(Decimal::ZERO)),
        Err(error) => Err(error),
    }
}

/// Whether a row without a readable day could be money that came in. A head that is repeated and remarks below the
/// table have no digits in both cells.
fn is_deposit(deposit: Result<Option<Decimal>, AmountError>, day: &str, cell: &str) -> bool {
    let has_digit = |text: &str| text.contains(|c: char| c.is_ascii_digit());
    match deposit {
        Ok(deposit) => deposit.is_some_and(|deposit| deposit > Decimal::ZERO),
        Err(_) => has_digit(day) && has_digit(cell),
    }
}

/// A row of sums says so, or has the sum.
fn is_sum(record: &csv::StringRecord, deposit: Result<Option<Decimal>, AmountError>, sum: Decimal) -> bool {
    let says_so = |cell: &str| {
        let name = name_of(cell);
        name == "계" || SUMS.iter().any(|sum| name.starts_with(sum))
    };
    (sum > Decimal::ZERO && deposit == Ok(Some(sum))) || record.iter().any(says_so)
}

fn memo_of<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let plain: String = cells
        .flat_map(|cell| [cell, " "])
        .flat_map(str::chars)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `2026-11-23`, `2026.11.23`, `2026/11/23` or `20261123`, and a time behind it that does not matter.
fn day_of(cell: &str) -> Option<Date> {
    let cell = cell.trim();
    let end = cell.find(|c: char| !(c.is_ascii_digit() || matches!(c, '-' | '.' | '/')));
    let (day, time) = cell.split_at(end.unwrap_or(cell.len()));
    let is_time = |c: char| c.is_ascii_digit() || c.is_whitespace() || ":.+TZAPMapm오전후".contains(c);
    if !time.chars().all(is_time) {
        return None;
    }
    let number = |text: &str| {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        if digits { text.parse::<u16>().ok() } else { None }
    };
    let (year, month, day) = match day.find(['-', '.', '/']).and_then(|at| day.get(at..=at)) {
        Some(mark) => {
            let mut parts = day.split(mark);
            let parts = (parts.next()?, parts.next()?, parts.next()?, parts.next());
            let (year, month, day) = match parts {
                (year, month, day, None) => (year, month, day),
                // `2026.11.23.`
                (year, month, day, Some("")) if mark == "." => (year, month, day),
                _ => return None,
            };
            if year.len() != 4 || month.len() > 2 || day.len() > 2 {
                return None;
            }
            (number(year)?, number(month)?, number(day)?)
        }
        // A time may follow without a space.
        None if [8, 12, 14].contains(&day.len()) => {
            (number(day.get(..4)?)?, number(day.get(4..6)?)?, number(day.get(6..8)?)?)
        }
        None => return None,
    };
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    Date::from_calendar_date(year.into(), month, u8::try_from(day).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::date;

    use super::*;

    fn cp949(text: &str) -> Vec<u8> {
        let (bytes, _, broken) = encoding_rs::EUC_KR.encode(text);
        assert!(!broken);
        bytes.into_owned()
    }

    fn line(line: u32, day: Date, deposit: i64, memo: &str, balance: i64) -> Line {
        let (deposit, balance) = (deposit.into(), Some(balance.into()));
        Line { line, day, deposit, memo: memo.to_owned(), balance }
    }

    #[test]
    fn a_statement_in_cp949_with_prose_above_it() {
        let text = "거래내역조회\r\n\
            \r\n\
            예금주,\"장부상회\r\n\
            계좌번호,110-123-456789\r\n\
            조회기간,2026.11.01 ~ 2026.11.30\r\n\
            \r\n\
            거래일자,거래시간,적요,출금(원),입금(원),내용,잔액(원),거래점\r\n\
            2026-11-23,14:02:11,타행이체,0,\"52,500\",홍길동,\"1,052,500\",강남\r\n\
            2026-11-23,15:10:00,체크카드,\"12,000\",0,편의점,\"1,040,500\",강남\r\n\
            \r\n\
            2026-11-24,09:00:00,모바일,0,\"50,000,000,000\",㈜똠방각하,\"50,001,040,500\",본점\r\n\
            합계,,,\"12,000\",\"50,000,052,500\",,,\r\n";
        let statement = read(&cp949(text)).unwrap();
        assert_eq!(
            statement,
            Statement {
                lines: vec![
                    line(8, date!(2026 - 11 - 23), 52_500, "타행이체 홍길동", 1_052_500),
                    line(11, date!(2026 - 11 - 24), 50_000_000_000, "모바일 ㈜똠방각하", 50_001_040_500),
                ],
                skipped: 2,
            }
        );
    }

    #[test]
    fn a_statement_in_utf8_with_tabs() {
        let text = "\u{feff}순번\t거래일시\t보낸분/받는분\t메모\t출금액\t입금액\t거래 후 잔액\n\
            1\t2026.11.23 14:02:11\t김철수\t주문 ord_1\t\t15000\t15,000\n\
            2\t2026.11.23 14:05\t토스\t\t5,000\t\t10,000\n\
            3\t20261124090000\t이영희\t\t-\t₩1,000원\t-11,000\n\
            \t\t\t\t5,000\t16,000\t\n";
        let statement = read(text.as_bytes()).unwrap();
        assert_eq!(
            statement,
            Statement {
                lines: vec![
                    line(2, date!(2026 - 11 - 23), 15_000, "김철수 주문 ord_1", 15_000),
                    line(4, date!(2026 - 11 - 24), 1_000, "이영희", -11_000),
                ],
                skipped: 2,
            }
        );
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(read(&utf16), Ok(statement));
    }

    #[test]
    fn a_statement_in_english_with_semicolons() {
        let text = "Account holder: Jangbu, Inc.\nDate;Description;Credit (KRW);Debit (KRW)\n\
            2026/11/23;Kim, Chulsoo;12.50;\n2026/1/5;Lee;7;\n2026/11/23;Fee;;3\n";
        let statement = read(text.as_bytes()).unwrap();
        let got: Vec<_> =
            statement.lines.iter().map(|l| (l.line, l.day, l.deposit, l.memo.as_str(), l.balance)).collect();
        assert_eq!(
            got,
            [
                (3, date!(2026 - 11 - 23), Decimal::new(125, 1), "Kim, Chulsoo", None),
                (4, date!(2026 - 01 - 05), Decimal::from(7), "Lee", None),
            ]
        );
        assert_eq!(statement.skipped, 1);
    }

    #[test]
    fn a_head_is_known_however_it_is_spelled() {
        for head in [
            "거래일자,입금액,적요",
            "거래일시,입금금액(원),내용",
            "거래일,입금,거래내용",
            " 일 자 ,맡기신 금액,기재내용",
            "날짜,받으신금액,의뢰인/수취인",
            "\"거래\n일자\",\"입금액\n(원)\",입금자",
            "DATE,Deposit (KRW),Memo",
        ] {
            let statement = read(format!("{head}\n2026-11-23,\"1,000\",홍길동\n").as_bytes()).unwrap();
            let lines: Vec<_> = statement.lines.iter().map(|l| (l.deposit, l.memo.as_str())).collect();
            assert_eq!(lines, [(Decimal::from(1000), "홍길동")], "{head}");
        }
        let statement = read("일자,입금,입금액\n2026-11-23,이체,500\n".as_bytes()).unwrap();
        assert_eq!(statement.lines[0].deposit, Decimal::from(500), "the column of amounts, not of kinds");
    }

    #[test]
    fn a_day_is_read_as_banks_write_it() {
        let day = Some(date!(2026 - 11 - 23));
        for text in [
            "2026-11-23",
            "2026.11.23",
            "2026/11/23",
            "20261123",
            "2026.11.23.",
            "2026-11-23 14:02:11",
            "2026-11-23T14:02:11+09:00",
            "2026.11.23 오후 2:02",
            "20261123 140211",
            "202611231402",
        ] {
            assert_eq!(day_of(text), day, "{text}");
        }
        for text in [
            "",
            "합계",
            "2026-13-01",
            "2026-02-30",
            "26-11-23",
            "2026-11",
            "2026-11-23-1",
            "2026-11.23",
            "2026-11-",
            "2026.11.01 ~ 2026.11.30",
            "2026112",
            "2026-11-23 출력",
        ] {
            assert_eq!(day_of(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_deposit_is_passed_over_and_counted() {
        let rows = [
            "2026-11-23,출금,0,100",
            "2026-11-23,출금,,100",
            "2026-11-23,출금,-,100",
            "2026-11-23,출금,0.00,100",
            "2026-11-23,입금취소,\"-1,000\",100",
            "2026-11-23,출금",
            "2026-11-23,일계,\"1,000\",100",
            "거래일,내용,입금액,잔액",
            "총계,,9,",
            ",합 계,9,",
            ",,700,",
            "출력일시 2026-11-30 10:00,,,",
            "※ 1588-0000 으로 문의하세요",
        ];
        let text = format!("거래일,내용,입금액,잔액\n2026-11-23,홍길동,700,800\n{}\n,,,\n", rows.join("\n"));
        let statement = read(text.as_bytes()).unwrap();
        assert_eq!((statement.lines.len(), statement.skipped), (1, rows.len()));
    }

    #[test]
    fn a_row_that_cannot_be_read_for_certain_is_named() {
        use FileError::{Amount, Day, Quote};
        for (row, error) in [
            ("2026-11-23,홍길동,천원,100", Amount { line: 4 }),
            ("2026-11-23,홍길동,1e3,100", Amount { line: 4 }),
            ("2026-11-23,홍길동,\"1,00\",100", Amount { line: 4 }),
            ("2026-11-23,홍길동,-천원,100", Amount { line: 4 }),
            ("2026-11-23,홍길동,--5,100", Amount { line: 4 }),
            ("2026-11-23,홍길동,=1+1,100", Amount { line: 4 }),
            ("2026-11-23,홍길동,1000,백원", Amount { line: 4 }),
            // Commas without quotes: this is not one won.
            ("2026-11-23,홍길동,1,000,100", Amount { line: 4 }),
            ("2026-13-23,홍길동,1000,100", Day { line: 4 }),
            (",홍길동,1000,100", Day { line: 4 }),
            ("어제,홍길동,1000,100", Day { line: 4 }),
            ("23/11,홍길동,1e3,100", Day { line: 4 }),
            ("2026-11-23,\"홍길동,1000,100", Quote { line: 4 }),
            ("2026-11-23,\"홍길동,1000,100\n2026-11-23,김철수,\"1,000\",100", Quote { line: 4 }),
        ] {
            let text = format!("거래일,내용,입금액,잔액\n\n2026-11-23,홍길동,700,800\n{row}\n");
            assert_eq!(read(text.as_bytes()), Err(error), "{row}");
        }
        let text =
            "거래일,내용,입금액\n2026-11-23,5\" 피자,700\n2026-11-23,\"두\n줄\",800\n2026-11-23,끝,1\n";
        let read: Vec<_> =
            read(text.as_bytes()).unwrap().lines.into_iter().map(|l| (l.line, l.memo)).collect();
        assert_eq!(read, [(2, "5\" 피자".to_owned()), (3, "두 줄".to_owned()), (5, "끝".to_owned())]);
    }

    #[test]
    fn what_is_no_statement_is_refused_as_a_whole() {
        let head = "거래일,입금액\n";
        for (bytes, error) in [
            (b"".as_slice(), FileError::Empty),
            (b"\xef\xbb\xbf\r\n \r\n", FileError::Empty),
            (b"PK\x03\x04rest", FileError::Workbook),
            (&[0x81, 0xff, 0xff, 0x00], FileError::Encoding),
            (b"\xef\xbb\xbf\xff", FileError::Encoding),
            (b"name,colour\nx,y\n", FileError::NoHead),
            ("거래일,출금액\n2026-11-23,100\n".as_bytes(), FileError::NoHead),
            (head.as_bytes(), FileError::NothingIn),
            ("거래일,입금액\n2026-11-23,0\n".as_bytes(), FileError::NothingIn),
        ] {
            assert_eq!(read(bytes), Err(error), "{bytes:?}");
        }
        let row = "20261123,1\n";
        let most = format!("{head}{}", row.repeat(MAX_LINES));
        assert_eq!(read(most.as_bytes()).map(|statement| statement.lines.len()), Ok(MAX_LINES));
        assert_eq!(read(format!("{most}{row}").as_bytes()), Err(FileError::TooManyLines { most: MAX_LINES }));
        assert_eq!(read(&vec![b'a'; MAX_BYTES + 1]), Err(FileError::TooLarge { most: MAX_BYTES }));
    }

    #[test]
    fn an_error_is_data_for_the_page_and_a_sentence_for_the_log() {
        let error = FileError::Amount { line: 7 };
        assert_eq!(serde_json::to_string(&error).unwrap(), r#"{"amount":{"line":7}}"#);
        assert_eq!(error.to_string(), "line 7: an amount cannot be read");
    }

    proptest! {
        #[test]
        fn no_file_is_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            drop(read(&bytes));
        }

        #[test]
        fn no_table_is_a_panic(
            head in prop::sample::select(vec!["거래일,입금액,적요,잔액\n", "date;credit;memo\n", "\"일자\"\t입금\n"]),
            table in r#"([0-9]{8}|2026-11-23|[-=,;"\t\n\r가1]|\PC|.){0,200}"#,
        ) {
            let text = format!("{head}{table}");
            drop(read(text.as_bytes()));
            drop(read(&encoding_rs::EUC_KR.encode(&text).0));
        }

        #[test]
        fn every_deposit_is_read_back(
            rows in prop::collection::vec((1i64..=50_000_000_000, ".{0,20}", 0u8..3), 1..30),
        ) {
            let mut csv = csv::Writer::from_writer(Vec::new());
            csv.write_record(["거래일", "적요", "입금액", "잔액"]).unwrap();
            for (amount, memo, kind) in &rows {
                let memo = format!("이체 {memo}");
                let amount = Decimal::from(*amount);
                let deposit = match kind {
                    0 => String::new(),
                    1 => amount.to_string(),
                    _ => money::group(amount, "KRW"),
                };
                csv.write_record(["2026-11-23", &memo, &deposit, "0"]).unwrap();
            }
            let want: Vec<Decimal> =
                rows.iter().filter(|(_, _, kind)| *kind != 0).map(|(amount, _, _)| (*amount).into()).collect();
            match read(&csv.into_inner().unwrap()) {
                Ok(statement) => {
                    prop_assert_eq!(statement.skipped, rows.len() - want.len());
                    prop_assert_eq!(statement.lines.iter().map(|l| l.deposit).collect::<Vec<_>>(), want);
                }
                Err(error) => prop_assert!(want.is_empty() && error == FileError::NothingIn, "{}", error),
            }
        }
    }
}
