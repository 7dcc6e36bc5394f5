//! What people and programs get to see: reporters, which turn the events of a run into text.

mod html;
mod json;
mod junit;
mod kept;
mod ktap;
mod levels;
mod live;
pub mod marked;
mod markup;
mod matrix;
pub mod matrix_docs;
mod paint;
mod rows;
#[cfg(test)]
mod snapshots;
mod summary;

use std::io::{self, IsTerminal, Stderr, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

pub use json::print as print_json;

use crate::events::{Reporter, Reporters};
use html::Html;
pub(crate) use json::Json;
use junit::Junit;
pub use kept::Kept;
use ktap::Ktap;
use live::Live;
use matrix::Table;
use paint::Paint;

/// After how long a native test is called slow: nearly all take less than a tenth of it.
const SLOW_TEST: Duration = Duration::from_secs(30);
/// After how long a cell is called slow.
const SLOW_CELL: Duration = Duration::from_secs(300);

/// What is reported, and where to.
#[derive(Debug, Clone, Args)]
pub struct ReportArgs {
    /// Print one JSON document on stdout
    #[arg(long)]
    pub json: bool,

    /// Write the results as JUnit's XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,

    /// Write the results as one HTML page that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

impl ReportArgs {
    /// What hears of a native run.
    pub fn native(&self) -> io::Result<Reporters> {
        let (stdout, stderr, mut reporters) = (io::stdout(), io::stderr(), self.files(None)?);
        let (on_stdout, on_stderr) = (Paint::of_stdout(&stdout), Paint::of_stderr(&stderr));
        let is_terminal = stdout.is_terminal();
        reporters.extend(match self.json {
            true if on_stderr.redraws => {
                vec![boxed(Live::new(Lossy(stderr), on_stderr, SLOW_TEST)), boxed(Json(stdout))]
            }
            true => vec![boxed(Json(stdout))],
            false if is_terminal => vec![boxed(Live::new(stdout, on_stdout, SLOW_TEST).with_summary())],
            false => vec![boxed(Ktap::new(stdout))],
        });
        Ok(Reporters::new(reporters))
    }

    /// What hears of boots. The report `read` is not written over.
    pub fn boots(&self, read: Option<&Path>) -> io::Result<Reporters> {
        let (stdout, stderr, mut reporters) = (io::stdout(), io::stderr(), self.files(read)?);
        let (on_stdout, on_stderr) = (Paint::of_stdout(&stdout), Paint::of_stderr(&stderr));
        reporters.push(boxed(Live::new(Lossy(stderr), on_stderr, SLOW_CELL)));
        reporters.push(if self.json { boxed(Json(stdout)) } else { boxed(Table::new(stdout, on_stdout)) });
        Ok(Reporters::new(reporters))
    }

    fn files(&self, read: Option<&Path>) -> io::Result<Vec<Box<dyn Reporter>>> {
        let mut others = vec![Kept::stdout()?];
        others.extend(read.map(Kept::read).transpose()?);
        let mut reporters = Vec::new();
        if let Some(path) = &self.junit {
            let file = Kept::open(path, &others)?;
            others.push(file.try_clone()?);
            reporters.push(boxed(Junit(file)));
        }
        if let Some(path) = &self.html {
            reporters.push(boxed(Html(Kept::open(path, &others)?)));
        }
        Ok(reporters)
    }
}

/// What cannot be written to it is lost: results do not depend on it.
struct Lossy(Stderr);

impl Write for Lossy {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn boxed(reporter: impl Reporter + 'static) -> Box<dyn Reporter> {
    Box::new(reporter)
}
