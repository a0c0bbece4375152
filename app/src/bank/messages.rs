//! What may be wrong with a bank's statement.

use backoffice::bank::FileError;

use crate::context::Ctx;

pub fn error(ctx: &Ctx, error: FileError) -> String {
    let (key, line, most) = match error {
        FileError::Empty => ("statement-error-empty", None, None),
        FileError::TooLarge { .. } => ("statement-error-large", None, None),
        FileError::Workbook => ("statement-error-workbook", None, None),
        FileError::Encoding => ("statement-error-encoding", None, None),
        FileError::NoHead => ("statement-error-head", None, None),
        FileError::TooManyLines { most } => ("statement-error-many", None, Some(most)),
        FileError::Day { line } => ("statement-error-day", Some(line), None),
        FileError::Amount { line } => ("statement-error-amount", Some(line), None),
        FileError::Quote { line } => ("statement-error-quote", Some(line), None),
        FileError::NothingIn => ("statement-error-nothing", None, None),
    };
    let line = line.map(|line| line.to_string()).unwrap_or_default();
    let most = most.map(|most| most.to_string()).unwrap_or_default();
    ctx.words.get(key, &[("line", line), ("most", most)])
}
