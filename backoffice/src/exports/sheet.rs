//! Tables of typed cells, written row by row as CSV or as an Excel workbook in the same little memory however long
//! they get. Which rows, and who may have them, is not decided here.

use std::{
    borrow::Cow,
    io::{BufWriter, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use rust_decimal::Decimal;
use rust_xlsxwriter::{
    DocProperties, ExcelDateTime, Format as Style, Workbook, Worksheet, XlsxError, utility::check_sheet_name,
};
use time::{Date, OffsetDateTime, macros::format_description};

use crate::clock::SEOUL;

/// Rows of one sheet, its head included: Excel's own limit.
const SHEET_ROWS: u32 = 1_048_576;
/// UTF-16 units of one cell, and of a sheet's name: Excel's own limits.
const CELL_UNITS: usize = 32_767;
const NAME_UNITS: usize = 31;
/// Excel keeps this many digits of a number and makes zeros of the rest.
const DIGITS: u32 = 15;
/// Columns are as wide as what stands in them, between these.
const NARROWEST: usize = 8;
const WIDEST: usize = 60;

text_enum! {
    Format {
        Csv = "csv",
        Xlsx = "xlsx",
    }
}

impl Format {
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }
    }

    /// Without the dot.
    pub fn extension(self) -> &'static str {
        self.as_str()
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Empty,
    Text(String),
    /// An amount, with as many decimal places as it has scale.
    Number(Decimal),
    Count(i64),
    Day(Date),
    /// Written in Seoul time, to the second.
    At(OffsetDateTime),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Decimal> for Cell {
    fn from(amount: Decimal) -> Self {
        Self::Number(amount)
    }
}

impl From<i64> for Cell {
    fn from(count: i64) -> Self {
        Self::Count(count)
    }
}

impl From<i32> for Cell {
    fn from(count: i32) -> Self {
        Self::Count(count.into())
    }
}

impl From<u32> for Cell {
    fn from(count: u32) -> Self {
        Self::Count(count.into())
    }
}

impl From<Date> for Cell {
    fn from(day: Date) -> Self {
        Self::Day(day)
    }
}

impl From<OffsetDateTime> for Cell {
    fn from(at: OffsetDateTime) -> Self {
        Self::At(at)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Empty, Into::into)
    }
}

impl Cell {
    /// As it stands in a CSV, but for the guard against formulas.
    fn plain(&self) -> Cow<'_, str> {
        match self {
            Self::Empty => Cow::Borrowed(""),
            Self::Text(text) => clean(text),
            Self::Number(amount) => Cow::Owned(amount.to_string()),
            Self::Count(count) => Cow::Owned(count.to_string()),
            Self::Day(day) => {
                Cow::Owned(day.format(format_description!("[year]-[month]-[day]")).unwrap_or_default())
            }
            Self::At(at) => Cow::Owned(
                in_seoul(*at)
                    .format(format_description!("[year]-[month]-[day] [hour]:[minute]:[second]"))
                    .unwrap_or_default(),
            ),
        }
    }
}

/// Nothing more can be written to a sheet that failed: it is dropped with its file.
#[derive(Debug, thiserror::Error)]
pub enum SheetError {
    #[error("the file cannot be written: {0}")]
    Io(#[from] std::io::Error),
    #[error("the CSV cannot be written: {0}")]
    Csv(#[from] csv::Error),
    #[error("the workbook cannot be written: {0}")]
    Xlsx(#[from] XlsxError),
    /// The library's answer to a scratch file that cannot be written, a full disk above all.
    #[error("the workbook's scratch file cannot be written: {0}")]
    Scratch(String),
    #[error("a row of {cells} cells under {headers} headers")]
    Cells { headers: usize, cells: usize },
}

type Out = Box<dyn Write + Send>;

/// One table on its way into a file. Unless [`Sheet::finish`] is called, what was written is no whole file.
pub struct Sheet {
    headers: usize,
    rows: u64,
    kind: Kind,
}

enum Kind {
    Csv(Box<csv::Writer<Out>>),
    Xlsx(Box<Book>),
}

impl Sheet {
    /// `title` names the sheet of a workbook. A workbook's rows wait in a nameless file in the system's folder for
    /// temporary files, which on some systems is memory: see [`Sheet::new_in`].
    pub fn new(
        format: Format,
        title: &str,
        headers: Vec<String>,
        out: impl Write + Send + 'static,
    ) -> Result<Self, SheetError> {
        Self::build(format, title, headers, Box::new(out), None, SHEET_ROWS)
    }

    /// The same with a folder for the rows of a workbook that is not written yet.
    pub fn new_in(
        scratch: &Path,
        format: Format,
        title: &str,
        headers: Vec<String>,
        out: impl Write + Send + 'static,
    ) -> Result<Self, SheetError> {
        Self::build(format, title, headers, Box::new(out), Some(scratch), SHEET_ROWS)
    }

    fn build(
        format: Format,
        title: &str,
        headers: Vec<String>,
        mut out: Out,
        scratch: Option<&Path>,
        sheet_rows: u32,
    ) -> Result<Self, SheetError> {
        let width = headers.len();
        let kind = match format {
            Format::Csv => {
                // Without the mark Excel takes the file for CP949.
                out.write_all("\u{feff}".as_bytes())?;
                let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
                csv.write_record(headers.iter().map(|head| guarded(clean(head)).into_owned()))?;
                Kind::Csv(Box::new(csv))
            }
            Format::Xlsx => Kind::Xlsx(Box::new(Book::new(title, headers, out, scratch, sheet_rows)?)),
        };
        Ok(Self { headers: width, rows: 0, kind })
    }

    pub fn row(&mut self, cells: &[Cell]) -> Result<(), SheetError> {
        if cells.len() != self.headers {
            return Err(SheetError::Cells { headers: self.headers, cells: cells.len() });
        }
        match &mut self.kind {
            Kind::Csv(csv) => {
                for cell in cells {
                    let plain = cell.plain();
                    // A number that begins with a minus stays a number.
                    let is_number = matches!(cell, Cell::Number(_) | Cell::Count(_));
                    csv.write_field(if is_number { plain } else { guarded(plain) }.as_bytes())?;
                }
                csv.write_record(None::<&[u8]>)?;
            }
            Kind::Xlsx(book) => caught(|| book.row(cells))?,
        }
        self.rows += 1;
        Ok(())
    }

    /// Writes what is left and says how many rows there are, headers not counted.
    pub fn finish(self) -> Result<u64, SheetError> {
        match self.kind {
            Kind::Csv(mut csv) => csv.flush()?,
            Kind::Xlsx(book) => caught(|| book.finish())?,
        }
        Ok(self.rows)
    }
}

/// The library panics where its scratch file cannot be written to. That is an error like any other here, not the end
/// of the job; nothing of the workbook is used afterwards.
fn caught<T>(work: impl FnOnce() -> Result<T, SheetError>) -> Result<T, SheetError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(SheetError::Scratch(text.unwrap_or_default()))
    })
}

struct Book {
    book: Workbook,
    /// The sheet that is being written; the full ones are in the book already.
    page: Worksheet,
    pages: u32,
    /// The next row of this sheet.
    row: u32,
    sheet_rows: u32,
    widths: Vec<usize>,
    title: String,
    headers: Vec<String>,
    styles: Styles,
    out: BufWriter<Out>,
}

struct Styles {
    head: Style,
    day: Style,
    at: Style,
    /// Excel's own mark of a text that must not become a formula when somebody edits the cell.
    quoted: Style,
    /// By decimal places.
    amounts: Vec<Style>,
}

impl Styles {
    fn new() -> Self {
        let amounts = (0..=Decimal::MAX_SCALE as usize)
            .map(|places| match places {
                0 => "#,##0".to_owned(),
                _ => format!("#,##0.{}", "0".repeat(places)),
            })
            .map(|format| Style::new().set_num_format(format))
            .collect();
        Self {
            head: Style::new().set_bold(),
            day: Style::new().set_num_format("yyyy-mm-dd"),
            at: Style::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
            quoted: Style::new().set_quote_prefix(),
            amounts,
        }
    }
}

impl Book {
    fn new(
        title: &str,
        headers: Vec<String>,
        out: Out,
        scratch: Option<&Path>,
        sheet_rows: u32,
    ) -> Result<Self, SheetError> {
        let mut book = Workbook::new();
        if let Some(scratch) = scratch {
            book.set_tempdir(scratch)?;
        }
        book.set_properties(&DocProperties::new().set_title(clean(title)));
        let page = book.new_worksheet_with_constant_memory()?;
        let mut this = Self {
            book,
            page,
            pages: 1,
            row: 0,
            sheet_rows,
            widths: Vec::new(),
            title: title.to_owned(),
            headers,
            styles: Styles::new(),
            out: BufWriter::new(out),
        };
        this.open()?;
        Ok(this)
    }

    fn open(&mut self) -> Result<(), SheetError> {
        self.page.set_name(name_of(&self.title, self.pages))?;
        self.page.set_freeze_panes(1, 0)?;
        self.widths.clear();
        for (column, head) in (0u16..).zip(&self.headers) {
            let head = clean(head);
            // Bold is a little wider.
            self.widths.push(width_of(&head) + 1);
            self.page.write_string_with_format(0, column, cut(&head, CELL_UNITS), &self.styles.head)?;
        }
        self.row = 1;
        Ok(())
    }

    /// Widths stand before the rows in the file, but the library writes them last: by now they are known.
    fn close(&mut self) -> Result<(), SheetError> {
        for (column, width) in (0u16..).zip(&self.widths) {
            let width = u32::try_from((*width).clamp(NARROWEST, WIDEST) + 2).unwrap_or_default();
            self.page.set_column_width(column, width)?;
        }
        Ok(())
    }

    fn row(&mut self, cells: &[Cell]) -> Result<(), SheetError> {
        if self.row >= self.sheet_rows {
            self.close()?;
            let next = self.book.new_worksheet_with_constant_memory()?;
            self.book.push_worksheet(std::mem::replace(&mut self.page, next));
            self.pages += 1;
            self.open()?;
        }
        for (column, cell) in (0u16..).zip(cells) {
            let width = self.cell(column, cell)?;
            if let Some(widest) = self.widths.get_mut(usize::from(column)) {
                *widest = width.max(*widest);
            }
        }
        self.row += 1;
        Ok(())
    }

    /// Writes a cell and says how wide it is.
    fn cell(&mut self, column: u16, cell: &Cell) -> Result<usize, SheetError> {
        let (page, row, styles) = (&mut self.page, self.row, &self.styles);
        let plain = cell.plain();
        let number = match cell {
            Cell::Number(amount) => number_of(*amount).zip(styles.amounts.get(amount.scale() as usize)),
            Cell::Count(count) => number_of(Decimal::from(*count)).zip(styles.amounts.first()),
            _ => None,
        };
        let moment = match cell {
            Cell::Day(day) => moment_of(*day).map(|moment| (moment, &styles.day)),
            Cell::At(at) => {
                let at = in_seoul(*at);
                moment_of(at.date())
                    .and_then(|day| day.and_hms(at.hour().into(), at.minute(), at.second()).ok())
                    .map(|moment| (moment, &styles.at))
            }
            _ => None,
        };
        if let Some((number, style)) = number {
            page.write_number_with_format(row, column, number, style)?;
            // With its commas.
            return Ok(plain.len() + plain.len() / 3);
        }
        if let Some((moment, style)) = moment {
            page.write_datetime_with_format(row, column, &moment, style)?;
        } else if is_formula(&plain) && !matches!(cell, Cell::Number(_) | Cell::Count(_)) {
            page.write_string_with_format(row, column, cut(&plain, CELL_UNITS), &styles.quoted)?;
        } else {
            page.write_string(row, column, cut(&plain, CELL_UNITS))?;
        }
        Ok(width_of(&plain))
    }

    fn finish(mut self) -> Result<(), SheetError> {
        self.close()?;
        self.book.push_worksheet(self.page);
        self.book.save_to_writer(&mut self.out)?;
        self.out.flush()?;
        Ok(())
    }
}

/// Without what no file can hold or no person can see. Tabs stay, and every line end becomes the one that Excel uses
/// inside a cell.
fn clean(text: &str) -> Cow<'_, str> {
    let unwanted =
        |c: char| (c.is_control() && !matches!(c, '\t' | '\n')) || matches!(c, '\u{fffe}' | '\u{ffff}');
    if !text.contains(unwanted) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n").replace(unwanted, ""))
}

/// Whether a spreadsheet may take a text for a formula (OWASP, "CSV Injection"), also behind what cannot be seen.
fn is_formula(text: &str) -> bool {
    let unseen = |c: char| {
        c.is_whitespace() || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
    };
    text.starts_with(['\t', '\r', '\n'])
        || text.trim_start_matches(unseen).starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
}

fn guarded(text: Cow<'_, str>) -> Cow<'_, str> {
    if is_formula(&text) { Cow::Owned(format!("'{text}")) } else { text }
}

/// The beginning of a text, of at most so many UTF-16 units.
fn cut(text: &str, units: usize) -> &str {
    let mut left = units;
    let end = text.char_indices().find(|(_, c)| {
        let fits = c.len_utf16() <= left;
        left = left.saturating_sub(c.len_utf16());
        !fits
    });
    end.and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// Letters of East Asia are as wide as two of the others.
fn width_of(text: &str) -> usize {
    text.chars().take(WIDEST).map(|c| if c < '\u{1100}' { 1 } else { 2 }).sum()
}

/// Nothing for a number that Excel would change: it is written as a text.
fn number_of(amount: Decimal) -> Option<f64> {
    let exact = amount.normalize().mantissa().unsigned_abs() < 10u128.pow(DIGITS);
    // By its text: the nearest float, which is read back as the same digits.
    if exact { amount.to_string().parse().ok() } else { None }
}

/// Nothing for a day before 1900, which Excel does not know.
fn moment_of(day: Date) -> Option<ExcelDateTime> {
    let year = u16::try_from(day.year()).ok()?;
    ExcelDateTime::from_ymd(year, day.month().into(), day.day()).ok()
}

fn in_seoul(at: OffsetDateTime) -> OffsetDateTime {
    at.checked_to_offset(SEOUL).unwrap_or(at)
}

/// A sheet's name as Excel allows it, different for each page.
fn name_of(title: &str, page: u32) -> String {
    let tail = if page == 1 { String::new() } else { format!(" ({page})") };
    let plain = clean(title).replace(['*', '?', ':', '[', ']', '\\', '/', '\t', '\n'], " ");
    let edges = [' ', '\''];
    let room = NAME_UNITS.saturating_sub(tail.len());
    let base = cut(plain.trim_matches(edges), room).trim_end_matches(edges);
    let name = format!("{base}{tail}");
    // Excel keeps this name for itself, which the library does not know.
    let taken = base.is_empty() || name.eq_ignore_ascii_case("history") || check_sheet_name(&name).is_err();
    if taken { format!("Sheet{page}") } else { name }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read, Seek};

    use calamine::{Data, Reader, Xlsx};
    use proptest::prelude::*;
    use time::macros::{date, datetime};

    use super::*;

    const STARTERS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

    fn headers(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn write(
        format: Format,
        title: &str,
        names: &[&str],
        rows: &[Vec<Cell>],
        sheet_rows: u32,
    ) -> (Vec<u8>, u64) {
        let mut file = tempfile::tempfile().unwrap();
        let out = Box::new(file.try_clone().unwrap());
        let mut sheet = Sheet::build(format, title, headers(names), out, None, sheet_rows).unwrap();
        for row in rows {
            sheet.row(row).unwrap();
        }
        let count = sheet.finish().unwrap();
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        (bytes, count)
    }

    fn csv_of(rows: &[Vec<Cell>]) -> Vec<Vec<String>> {
        let width = rows.first().map_or(1, Vec::len);
        let (bytes, _) = write(Format::Csv, "t", &vec!["머리"; width], rows, SHEET_ROWS);
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap();
        csv::Reader::from_reader(bytes)
            .records()
            .map(|record| record.unwrap().iter().map(str::to_owned).collect())
            .collect()
    }

    fn book_of(rows: &[Vec<Cell>]) -> Vec<Vec<Data>> {
        let width = rows.first().map_or(1, Vec::len);
        let (bytes, _) = write(Format::Xlsx, "t", &vec!["머리"; width], rows, SHEET_ROWS);
        let mut book = Xlsx::new(Cursor::new(bytes)).unwrap();
        let range = book.worksheet_range("t").unwrap();
        range.rows().skip(1).map(<[Data]>::to_vec).collect()
    }

    fn won(amount: i64) -> Cell {
        Cell::Number(Decimal::from(amount))
    }

    #[test]
    fn a_csv_is_what_excel_in_korea_opens() {
        let rows = [
            vec![
                Cell::from("ord_1"),
                won(50_000_000_000),
                Cell::from(3),
                Cell::from(date!(2026 - 11 - 23)),
                Cell::from(datetime!(2026-11-23 5:02:11.9 UTC)),
            ],
            vec![
                Cell::from("홍길동, \"가\""),
                Cell::from(Decimal::new(-125_050, 2)),
                Cell::Count(-1),
                Cell::from(None::<Date>),
                Cell::Empty,
            ],
        ];
        let (bytes, count) =
            write(Format::Csv, "주문", &["주문번호", "금액", "건수", "일자", "시각"], &rows, SHEET_ROWS);
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "\u{feff}주문번호,금액,건수,일자,시각\r\n\
             ord_1,50000000000,3,2026-11-23,2026-11-23 14:02:11\r\n\
             \"홍길동, \"\"가\"\"\",-1250.50,-1,,\r\n"
        );
        assert_eq!(count, 2);
    }

    #[test]
    fn no_text_of_a_csv_is_calculated() {
        for text in [
            "=1+1",
            "+82 10 1234 5678",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n1",
            "  =1",
            "\u{3000}＝1",
            "＋1",
            "－1",
            "＠A",
            "\u{feff}=1",
            "\0=1",
        ] {
            let cell = csv_of(&[vec![text.into()]]).remove(0).remove(0);
            assert!(cell.starts_with('\''), "{text:?} became {cell:?}");
        }
        assert_eq!(csv_of(&[vec!["010-1234-5678".into()]]), [["010-1234-5678"]]);
        let (bytes, _) = write(Format::Csv, "t", &["=1"], &[], SHEET_ROWS);
        assert!(bytes.ends_with(b"'=1\r\n"), "headers are texts too");
    }

    #[test]
    fn a_workbook_has_real_numbers_days_and_texts() {
        let rows = [vec![
            won(50_000_000_000),
            won(-1),
            Cell::from(Decimal::new(123_450, 2)),
            Cell::Count(7),
            Cell::from(date!(2026 - 11 - 23)),
            Cell::from(datetime!(2026-11-23 20:02:11 UTC)),
            Cell::from("=HYPERLINK(\"http://x\")"),
            Cell::from("0010"),
            Cell::from("한 줄\r\n두 줄 <&> _x0041_ \u{1}\0"),
            Cell::Empty,
            Cell::from("😀"),
        ]];
        let row = book_of(&rows).remove(0);
        assert_eq!(
            row.get(..4).unwrap(),
            [Data::Float(5e10), Data::Float(-1.0), Data::Float(1234.5), Data::Float(7.0)]
        );
        let moment = |at: usize| match &row[at] {
            Data::DateTime(moment) => moment.to_ymd_hms_milli(),
            other => panic!("{other:?}"),
        };
        assert_eq!(moment(4), (2026, 11, 23, 0, 0, 0, 0));
        assert_eq!(moment(5), (2026, 11, 24, 5, 2, 11, 0));
        assert_eq!(row[6], Data::String("=HYPERLINK(\"http://x\")".to_owned()));
        assert_eq!(row[7], Data::String("0010".to_owned()));
        assert_eq!(row[8], Data::String("한 줄\n두 줄 <&> _x0041_ ".to_owned()));
        assert_eq!(row[9], Data::Empty);
        assert_eq!(row[10], Data::String("😀".to_owned()));
    }

    #[test]
    fn what_excel_cannot_hold_is_a_text() {
        let long = Decimal::from(1_234_567_890_123_456_789_i64);
        let rows = [vec![
            long.into(),
            (-long).into(),
            Cell::Count(i64::MAX),
            Cell::from(date!(1899 - 05 - 01)),
            Cell::from("가".repeat(40_000)),
            Cell::from(format!("a{}", "😀".repeat(20_000))),
        ]];
        let row = book_of(&rows).remove(0);
        assert_eq!(row[0], Data::String(long.to_string()));
        assert_eq!(row[1], Data::String((-long).to_string()));
        assert_eq!(row[2], Data::String(i64::MAX.to_string()));
        assert_eq!(row[3], Data::String("1899-05-01".to_owned()));
        assert_eq!(row[4], Data::String("가".repeat(32_767)));
        assert_eq!(row[5], Data::String(format!("a{}", "😀".repeat(16_383))));
    }

    #[test]
    fn rows_that_do_not_fit_go_on_in_another_sheet() {
        let rows: Vec<Vec<Cell>> = (1..=5).map(|n| vec![Cell::Count(n)]).collect();
        let title = "2026년 11월 [정산] 내역 / 아주 긴 이름의 표입니다만";
        let (bytes, count) = write(Format::Xlsx, title, &["n"], &rows, 3);
        assert_eq!(count, 5);
        let mut book = Xlsx::new(Cursor::new(bytes)).unwrap();
        let sheets: Vec<(String, Vec<Data>)> = book
            .worksheets()
            .into_iter()
            .map(|(name, range)| (name, range.rows().map(|row| row[0].clone()).collect()))
            .collect();
        let n = Data::String("n".to_owned());
        let of = |values: &[f64]| {
            std::iter::once(n.clone()).chain(values.iter().copied().map(Data::Float)).collect::<Vec<_>>()
        };
        assert_eq!(
            sheets.iter().map(|(_, cells)| cells.clone()).collect::<Vec<_>>(),
            [of(&[1.0, 2.0]), of(&[3.0, 4.0]), of(&[5.0])]
        );
        assert_eq!(sheets[0].0, "2026년 11월  정산  내역   아주 긴 이름의 표입");
        assert_eq!(sheets[2].0, "2026년 11월  정산  내역   아주 긴 이름 (3)");
        let (bytes, count) = write(Format::Csv, title, &["n"], &rows, 3);
        assert_eq!((bytes, count), ("\u{feff}n\r\n1\r\n2\r\n3\r\n4\r\n5\r\n".into(), 5));
    }

    #[test]
    fn any_title_is_a_name() {
        for (title, name) in
            [("", "Sheet1"), ("'''", "Sheet1"), ("History", "Sheet1"), ("a:b", "a b"), ("'환불'", "환불")]
        {
            assert_eq!(name_of(title, 1), name);
        }
    }

    #[test]
    fn a_row_of_another_width_is_refused() {
        for format in Format::ALL {
            let mut sheet = Sheet::new(format, "t", headers(&["a", "b"]), std::io::sink()).unwrap();
            let refused = sheet.row(&[Cell::Empty]);
            assert!(matches!(refused, Err(SheetError::Cells { headers: 2, cells: 1 })), "{refused:?}");
            assert_eq!(Format::parse(format.as_str()), Some(format));
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_is_an_error() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                // The byte-order mark still fits.
                if bytes.len() == 3 { Ok(3) } else { Err(std::io::ErrorKind::StorageFull.into()) }
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        for format in Format::ALL {
            let mut sheet = Sheet::new(format, "t", headers(&["a"]), Full).unwrap();
            let written = sheet.row(&["x".into()]).and_then(|()| sheet.finish());
            assert!(written.is_err(), "{format:?}");
        }
    }

    #[test]
    fn a_sheet_may_be_written_by_another_thread() {
        fn is_send<T: Send>() {}
        is_send::<Sheet>();
    }

    fn texts() -> impl Strategy<Value = String> {
        let start = prop::sample::select(vec![
            "", " ", "\u{3000}", "\u{a0}", "\0", "\u{200b}", "\r\n", "\"", "'", ",", ";",
        ]);
        let starter = prop::sample::select(STARTERS.map(String::from).to_vec());
        (start, prop::option::of(starter), any::<String>())
            .prop_map(|(start, starter, rest)| format!("{start}{}{rest}", starter.unwrap_or_default()))
    }

    proptest! {
        #[test]
        fn every_text_of_a_csv_is_read_back_as_text(text in texts()) {
            let cell = csv_of(&[vec![text.as_str().into(), Cell::Empty]]).remove(0).remove(0);
            prop_assert!(!cell.starts_with(STARTERS), "{:?}", cell);
            prop_assert!(!cell.trim_start().starts_with(STARTERS), "{:?}", cell);
            let kept: String = text
                .replace("\r\n", "\n")
                .chars()
                .map(|c| if c == '\r' { '\n' } else { c })
                .filter(|c| matches!(c, '\n' | '\t') || !(c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')))
                .collect();
            prop_assert!(cell == kept || cell == format!("'{kept}"), "{:?} became {:?}", kept, cell);
        }

        #[test]
        fn every_amount_of_a_csv_is_read_back(mantissa in any::<i64>(), scale in 0u32..=4) {
            let amount = Decimal::new(mantissa, scale);
            let cell = csv_of(&[vec![amount.into()]]).remove(0).remove(0);
            prop_assert_eq!(cell.parse::<Decimal>().map(|read| (read, read.scale())), Ok((amount, scale)));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn every_amount_of_a_workbook_is_read_back(
            amounts in prop::collection::vec((-5_000_000_000_000i64..=5_000_000_000_000, 0u32..=2), 1..50),
        ) {
            let amounts: Vec<Decimal> = amounts.into_iter().map(|(m, scale)| Decimal::new(m, scale)).collect();
            let rows: Vec<Vec<Cell>> = amounts.iter().map(|amount| vec![(*amount).into()]).collect();
            let read: Vec<Option<Decimal>> = book_of(&rows)
                .into_iter()
                .map(|row| match &row[0] {
                    Data::Float(number) => number.to_string().parse().ok(),
                    _ => None,
                })
                .collect();
            prop_assert_eq!(read, amounts.into_iter().map(Some).collect::<Vec<_>>());
        }

        #[test]
        fn every_text_of_a_workbook_is_read_back(text in texts()) {
            let row = book_of(&[vec![text.as_str().into(), Cell::Count(1)]]).remove(0);
            let kept = clean(&text).into_owned();
            prop_assert_eq!(&row[0], &if kept.is_empty() { Data::Empty } else { Data::String(kept) });
        }
    }
}
