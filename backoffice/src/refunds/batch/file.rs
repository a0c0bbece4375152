//! The columns of a file of refunds.

use std::collections::HashMap;

use super::LineRefused;
use crate::{
    files::import::{FileError, MAX_LINES, is_formula, name_of, plain_text, reader},
    refunds::Refused,
};

/// One line with its cells in their places. Nothing is decided about it yet, unless it refuses itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub number: i32,
    pub order_id: String,
    pub amount: String,
    /// Bank, account number and holder, where the file has them.
    pub account: Option<[String; 3]>,
    pub refused: Option<LineRefused>,
}

#[derive(Debug, Clone, Copy)]
struct Columns {
    order_id: usize,
    amount: usize,
    account: Option<[usize; 3]>,
    /// How many there are.
    width: usize,
}

const ORDER_ID: [&str; 4] = ["orderid", "order", "주문번호", "주문id"];
const AMOUNT: [&str; 6] = ["amount", "cancelamount", "금액", "환불금액", "취소금액", "환불액"];
const ACCOUNT: [&[&str]; 3] =
    [&["bank", "은행", "은행코드"], &["accountnumber", "계좌번호"], &["holdername", "예금주"]];

fn columns_of(head: &csv::StringRecord) -> Option<Columns> {
    let names: Vec<String> = head.iter().map(name_of).collect();
    let find = |known: &[&str]| names.iter().position(|name| known.contains(&name.as_str()));
    let [bank, number, holder] = ACCOUNT.map(find);
    Some(Columns {
        order_id: find(&ORDER_ID)?,
        amount: find(&AMOUNT)?,
        width: head.len(),
        account: bank.zip(number).zip(holder).map(|((bank, number), holder)| [bank, number, holder]),
    })
}

/// Reads every line. An order that comes twice is refused the second time.
pub fn read(bytes: &[u8]) -> Result<Vec<Line>, FileError> {
    let text = plain_text(bytes)?;
    let mut reader = reader(&text);
    let mut columns = None;
    let mut lines: Vec<Line> = Vec::new();
    let mut seen: HashMap<String, i32> = HashMap::new();
    for record in reader.records() {
        let record =
            record.map_err(|error| FileError::Quotes(error.position().map_or(0, csv::Position::line)))?;
        if record.iter().all(str::is_empty) {
            continue;
        }
        let number = record.position().and_then(|at| i32::try_from(at.line()).ok()).unwrap_or(i32::MAX);
        let columns = match columns {
            Some(columns) => columns,
            None => {
                let named = columns_of(&record);
                // Without a head line the first two columns are what the page asks for.
                let plain = Columns { order_id: 0, amount: 1, account: None, width: 2 };
                let looks_plain = record.len() >= 2
                    && record.get(1).is_some_and(|amount| amount.chars().any(|c| c.is_ascii_digit()));
                let found = named.or(looks_plain.then_some(plain)).ok_or(FileError::Columns)?;
                columns = Some(found);
                if named.is_some() {
                    continue;
                }
                found
            }
        };
        if lines.len() == MAX_LINES {
            return Err(FileError::TooManyLines);
        }
        let cell = |at: usize| record.get(at).unwrap_or_default().replace('\0', "");
        let (order_id, amount) = (cell(columns.order_id), cell(columns.amount));
        let account = columns.account.map(|at| at.map(cell)).filter(|a| a.iter().any(|c| !c.is_empty()));
        let surplus = record.iter().skip(columns.width).any(|cell| !cell.is_empty());
        let refused = if surplus {
            Some(LineRefused::Cells)
        } else if is_formula(&order_id) || is_formula(&amount) {
            Some(LineRefused::Formula)
        } else if order_id.is_empty() || order_id.chars().count() > 64 {
            Some(LineRefused::Refund(Refused::NoSuchOrder))
        } else {
            match seen.get(&order_id) {
                Some(line) => Some(LineRefused::Twice { line: *line }),
                None => {
                    seen.insert(order_id.clone(), number);
                    None
                }
            }
        };
        lines.push(Line { number, order_id, amount, account, refused });
    }
    if lines.is_empty() { Err(FileError::Empty) } else { Ok(lines) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::files::import::MAX_BYTES;

    fn pairs(bytes: &[u8]) -> Vec<(String, String)> {
        read(bytes).unwrap().into_iter().map(|line| (line.order_id, line.amount)).collect()
    }

    #[test]
    fn files_are_read_as_spreadsheets_write_them() {
        let want = vec![("ord_1".to_owned(), "₩12,000".to_owned()), ("ord_2".to_owned(), "500".to_owned())];
        let plain = "주문번호,금액\r\nord_1,\"₩12,000\"\r\nord_2,500\r\n";
        assert_eq!(pairs(plain.as_bytes()), want);
        assert_eq!(pairs(format!("\u{feff}{plain}").as_bytes()), want, "byte-order mark");
        let (cp949, _, broken) = encoding_rs::EUC_KR.encode("주문번호,금액\r\nord_1,12000원\r\n");
        assert!(!broken);
        assert_eq!(pairs(&cp949), vec![("ord_1".to_owned(), "12000원".to_owned())], "CP949");
        let utf16: Vec<u8> = "\u{feff}orderId\tamount\nord_1\t₩12,000\nord_2\t500\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(pairs(&utf16), want, "UTF-16 with tabs");
        assert_eq!(pairs("order_id;Amount\nord_1;₩12,000\nord_2;500".as_bytes()), want, "semicolons");
        assert_eq!(pairs("ord_1;₩12,000\nord_2;500".as_bytes()), want, "no head line");
    }

    #[test]
    fn a_line_that_refuses_itself_says_why() {
        let text = "orderId,amount\nord_1,100\nord_1,100\n\"=HYPERLINK(\"\"x\"\")\",100\nord_2,=1+1\n,100\n";
        let lines = read(text.replace('\n', "\r\n").as_bytes()).unwrap();
        let why: Vec<_> = lines.iter().map(|line| line.refused.clone()).collect();
        assert_eq!(
            why,
            vec![
                None,
                Some(LineRefused::Twice { line: 2 }),
                Some(LineRefused::Formula),
                Some(LineRefused::Formula),
                Some(LineRefused::Refund(Refused::NoSuchOrder)),
            ]
        );
        assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), vec![2, 3, 4, 5, 6]);
    }

    #[test]
    fn an_amount_that_fell_apart_is_not_taken_for_a_smaller_one() {
        for text in ["ord_1,12,000\n", "orderId,amount\r\nord_1,12,000\r\n"] {
            assert_eq!(read(text.as_bytes()).unwrap()[0].refused, Some(LineRefused::Cells), "{text}");
        }
        let lines = read(b"ord_1,100\r\nord_2,200\r\n").unwrap();
        assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), vec![1, 2]);
    }

    #[test]
    fn what_is_no_such_file_is_refused_as_a_whole() {
        for (bytes, error) in [
            (b"".as_slice(), FileError::Empty),
            (b"orderId,amount\n", FileError::Empty),
            (b"PK\x03\x04rest", FileError::Workbook),
            (b"name,colour\nx,y\n", FileError::Columns),
            (&[0x81, 0xff, 0xff, 0x00], FileError::Encoding),
        ] {
            assert_eq!(read(bytes), Err(error), "{bytes:?}");
        }
        let many = "ord,1\n".repeat(MAX_LINES + 1);
        assert_eq!(read(many.as_bytes()), Err(FileError::TooManyLines));
        assert_eq!(read(&vec![b'a'; MAX_BYTES + 1]), Err(FileError::TooLarge));
    }

    proptest! {
        #[test]
        fn no_file_is_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            drop(read(&bytes));
        }
    }
}
