//! Cells of CSV files that page and program write.

use std::borrow::Cow;

/// Characters that a spreadsheet takes for the start of a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// A text as the value of a cell. An apostrophe before `=`, `+`, `-` or `@` keeps a spreadsheet from running a
/// file name as a formula.
pub fn csv_guarded(text: &str) -> Cow<'_, str> {
    if text.starts_with(FORMULA) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// The text of a value that [`csv_guarded`] may have changed.
pub fn csv_unguarded(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(text) if text.starts_with(FORMULA) => text,
        _ => cell,
    }
}

/// A text as a cell: guarded, and quoted if necessary (RFC 4180).
pub fn csv_cell(text: &str) -> String {
    let value = csv_guarded(text);
    if value.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for text in ["=1+1", "+1", "-song.wav", "@sum", "\tx"] {
            assert_eq!(csv_guarded(text), format!("'{text}"));
            assert_eq!(csv_unguarded(&csv_guarded(text)), text);
        }
        for text in ["a=b", "'quoted", "", "1-2"] {
            assert_eq!((csv_guarded(text).as_ref(), csv_unguarded(text)), (text, text));
        }
        assert_eq!(csv_cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(csv_cell("=cmd()"), "'=cmd()");
        assert_eq!(csv_cell("two\nlines"), "\"two\nlines\"");
    }
}
