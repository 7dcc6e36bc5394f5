//! What XML and HTML reports share: escaped text, and one view of tests and cells.

use std::fmt::{self, Display, Formatter};
use std::path::Path;

use crate::guest::cell_result::{CellResult, Matrix};
use crate::ktap::Document;
use crate::native::{Summary, Tested};
use crate::text::printable;
use crate::verdict::Verdict;

/// Text between tags or in quotes.
pub struct Text<T>(pub T);

impl<T: Display> Display for Text<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for character in printable(&self.0.to_string()).chars() {
            match character {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                // No character of XML.
                '\u{fffe}' | '\u{ffff}' => f.write_str("?")?,
                other => write!(f, "{other}")?,
            }
        }
        Ok(())
    }
}

/// A test or a cell, as far as these reports show it.
pub struct Unit<'a> {
    /// Its name.
    pub name: String,
    /// What became of it.
    pub verdict: &'a Verdict,
    /// Its results.
    pub document: Option<&'a Document>,
    /// Seconds in all.
    pub seconds: f64,
    /// The last lines of its stderr, or what its guest had to say.
    pub notes: &'a [String],
    /// Where its console is.
    pub console: Option<&'a Path>,
    /// The command that runs it again.
    pub again: String,
}

impl<'a> Unit<'a> {
    /// Of each test of a run.
    pub fn of_run(summary: &'a Summary) -> Vec<Self> {
        summary.tested.iter().map(|run| Self::of_test(run, summary.again(run))).collect()
    }

    /// Of each cell of a matrix.
    pub fn of_matrix(matrix: &'a Matrix) -> Vec<Self> {
        matrix.cells.iter().map(|result| Self::of_cell(result, matrix)).collect()
    }

    /// Of a test.
    pub fn of_test(tested: &'a Tested, again: String) -> Self {
        Self {
            name: tested.planned.to_string(),
            verdict: &tested.verdict,
            document: tested.document.as_ref(),
            seconds: tested.elapsed.as_secs_f64(),
            notes: &tested.stderr,
            console: None,
            again,
        }
    }

    /// Of a cell.
    pub fn of_cell(result: &'a CellResult, matrix: &Matrix) -> Self {
        Self {
            name: result.name(),
            verdict: &result.verdict,
            document: result.ktap.as_ref(),
            seconds: result.seconds,
            notes: &result.notes,
            console: result.log.as_deref(),
            again: matrix.again(result),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_in_markup_is_escaped() {
        assert_eq!(
            Text("<a href=\"x\">&\x1b[2J\u{ffff}</a>").to_string(),
            "&lt;a href=&quot;x&quot;&gt;&amp;?[2J?&lt;/a&gt;"
        );
    }
}
