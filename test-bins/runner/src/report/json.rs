//! One JSON document for a whole run or a matrix.

use std::io::{self, Write};

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::events::{Event, Reporter};
use crate::guest::cell_result::{CellResult, Matrix, Took};
use crate::ktap::{Counts, Document, Outcome};
use crate::native::{End, Row, Size, Summary, Tested};
use crate::suite::Kind;
use crate::verdict::Verdict;

/// Grows when a field changes its meaning or goes.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Root<'a> {
    schema: u32,
    machine: &'static str,
    kernel: String,
    #[serde(serialize_with = "crate::ktap::json::outcome")]
    outcome: Outcome,
    complete: bool,
    seconds: f64,
    #[serde(serialize_with = "crate::ktap::json::counts")]
    counts: Counts,
    binaries: Vec<Binary<'a>>,
    runs: Vec<Run<'a>>,
    probe: Option<Value>,
}

#[derive(Serialize)]
struct Binary<'a> {
    name: &'a str,
    size: Option<Size>,
    seconds: f64,
    #[serde(serialize_with = "crate::ktap::json::counts")]
    counts: Counts,
    #[serde(serialize_with = "crate::ktap::json::outcome")]
    outcome: Outcome,
}

#[derive(Serialize)]
struct Run<'a> {
    binary: &'a str,
    args: &'a [&'static str],
    round: u32,
    #[serde(flatten)]
    verdict: &'a Verdict,
    #[serde(serialize_with = "end")]
    end: Option<End>,
    seconds: f64,
    ktap: Option<&'a Document>,
    stderr: &'a [String],
}

/// Prints the document at the end.
pub struct Json<W>(pub W);

impl<W: Write + Send> Reporter for Json<W> {
    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        match event {
            Event::RunEnded(summary) => print(&mut self.0, &root(summary)),
            Event::MatrixEnded(matrix) => {
                let Matrix { command, names, took, cells, .. } = matrix;
                print(&mut self.0, &Cells { schema: SCHEMA, command, names, took: *took, cells })
            }
            _ => Ok(()),
        }
    }
}

#[derive(Serialize)]
struct Cells<'a> {
    schema: u32,
    command: &'a str,
    names: &'a [String],
    #[serde(flatten)]
    took: Took,
    cells: &'a [CellResult],
}

/// Prints a value as a document.
pub fn print(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)?;
    out.flush()
}

fn root(summary: &Summary) -> Root<'_> {
    Root {
        schema: SCHEMA,
        machine: std::env::consts::ARCH,
        kernel: kernel_release(),
        outcome: summary.status().outcome(),
        complete: !summary.is_cut_short(),
        seconds: summary.elapsed.as_secs_f64(),
        counts: summary.counts(),
        binaries: summary.rows.iter().map(binary).collect(),
        runs: summary.tested.iter().map(run).collect(),
        probe: probe(summary),
    }
}

/// The release of the kernel that runs here.
pub fn kernel_release() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease");
    release.map(|text| text.trim().to_owned()).unwrap_or_default()
}

fn binary(row: &Row) -> Binary<'_> {
    let Row { name, size, elapsed, counts, status } = row;
    Binary { name, size: *size, seconds: elapsed.as_secs_f64(), counts: *counts, outcome: status.outcome() }
}

fn run(tested: &Tested) -> Run<'_> {
    Run {
        binary: tested.planned.entry.name,
        args: &tested.planned.args,
        round: tested.planned.round.0,
        verdict: &tested.verdict,
        end: tested.end,
        seconds: tested.elapsed.as_secs_f64(),
        ktap: tested.document.as_ref(),
        stderr: &tested.stderr,
    }
}

fn probe(summary: &Summary) -> Option<Value> {
    let report = summary.tested.iter().find(|run| run.planned.entry.kind == Kind::Report)?;
    serde_json::from_str(&report.text.join("\n")).ok()
}

/// `{"code": 0}`, `{"signal": 11}`, `"timeout"`, `"interrupted"` or null where it did not start.
fn end<S: Serializer>(end: &Option<End>, serializer: S) -> Result<S::Ok, S::Error> {
    let value = end.map(|end| match end {
        End::Code(code) => serde_json::json!({ "code": code }),
        End::Signal(signal) => serde_json::json!({ "signal": signal }),
        End::TimedOut => "timeout".into(),
        End::Interrupted => "interrupted".into(),
    });
    value.serialize(serializer)
}
