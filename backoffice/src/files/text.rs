//! The text of a file that somebody's spreadsheet saved: in UTF-8, in CP949, or marked as UTF-16.

/// Why there is none.
pub(crate) enum NotText {
    /// It has to be saved as CSV first.
    Workbook,
    Encoding,
}

/// The text, with `\n` at the end of its lines.
pub(crate) fn read(bytes: &[u8]) -> Result<String, NotText> {
    Ok(decode(bytes)?.replace("\r\n", "\n").replace('\r', "\n"))
}

fn decode(bytes: &[u8]) -> Result<String, NotText> {
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) {
        return Err(NotText::Workbook);
    }
    // Excel's "Unicode text" is UTF-16, and always has its mark.
    if let Some((encoding, mark)) = encoding_rs::Encoding::for_bom(bytes) {
        let (text, broken) = encoding.decode_without_bom_handling(bytes.get(mark..).unwrap_or_default());
        return if broken { Err(NotText::Encoding) } else { Ok(text.into_owned()) };
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(text.to_owned());
    }
    // The web's EUC-KR is Microsoft's CP949.
    let (text, broken) = encoding_rs::EUC_KR.decode_without_bom_handling(bytes);
    if broken { Err(NotText::Encoding) } else { Ok(text.into_owned()) }
}
