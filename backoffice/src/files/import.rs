//! Uploaded files as people's spreadsheets write them: with a byte-order mark or in CP949, with commas, semicolons or tabs,
//! with or without a head line.

use super::text::{self, NotText};

/// Larger files are refused: they were not made by a person.
pub const MAX_BYTES: usize = 8 << 20;
pub const MAX_LINES: usize = 50_000;

/// Why a file as a whole cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileError {
    Empty,
    TooLarge,
    TooManyLines,
    /// A workbook, not a text: it has to be saved as CSV.
    Workbook,
    Encoding,
    /// No column is recognised as order id and amount.
    Columns,
    /// A line that no CSV reader can read, by its number.
    Quotes(u64),
}

impl From<NotText> for FileError {
    fn from(why: NotText) -> Self {
        match why {
            NotText::Workbook => Self::Workbook,
            NotText::Encoding => Self::Encoding,
        }
    }
}

/// Amounts carry commas themselves: a semicolon or a tab in the first line decides.
fn separator(text: &str) -> u8 {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    match (first.contains('\t'), first.contains(';')) {
        (true, _) => b'\t',
        (_, true) => b';',
        _ => b',',
    }
}

pub(crate) fn name_of(cell: &str) -> String {
    cell.chars().filter(|c| !matches!(c, ' ' | '_' | '-' | '"')).flat_map(char::to_lowercase).collect()
}

/// A cell that a spreadsheet would calculate instead of show.
pub(crate) fn is_formula(cell: &str) -> bool {
    cell.starts_with(['=', '+', '@']) && cell.contains(['(', '!', '|', '"', '*', '/', '+'])
}

/// The cells of every line with its number, in the same spellings of a file, after a head line whose first column is one
/// of `names`, or without any.
pub(crate) fn cells(bytes: &[u8], names: &[&str]) -> Result<Vec<(i32, Vec<String>)>, FileError> {
    let text = plain_text(bytes)?;
    let mut lines = Vec::new();
    for record in reader(&text).records() {
        let record =
            record.map_err(|error| FileError::Quotes(error.position().map_or(0, csv::Position::line)))?;
        let is_head =
            lines.is_empty() && record.get(0).is_some_and(|cell| names.contains(&name_of(cell).as_str()));
        if is_head || record.iter().all(str::is_empty) {
            continue;
        }
        if lines.len() == MAX_LINES {
            return Err(FileError::TooManyLines);
        }
        let number = record.position().and_then(|at| i32::try_from(at.line()).ok()).unwrap_or(i32::MAX);
        lines.push((number, record.iter().map(|cell| cell.replace('\0', "")).collect()));
    }
    Ok(lines)
}

/// One kind of line end, so that lines are counted as people count them.
pub(crate) fn plain_text(bytes: &[u8]) -> Result<String, FileError> {
    if bytes.len() > MAX_BYTES {
        return Err(FileError::TooLarge);
    }
    Ok(text::read(bytes)?)
}

pub(crate) fn reader(text: &str) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .delimiter(separator(text))
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes())
}
