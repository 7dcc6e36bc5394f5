//! Verifies every critical section in linked ELF files, of any of the nine architectures: the program `rseq-check`, and
//! the subcommand `check` of the runner.
//!
//! A file's relocations are applied first, as the descriptors of position-independent files may be zero on disk. Then,
//! by its sections:
//!
//! * `__rseq_cs`: each descriptor is aligned, of version 0 and without flags; it covers one piece of code, from one
//!   instruction's start to another's, and aborts to a signed handler outside.
//! * `__rseq_cs_ptr_array`: points to each descriptor once.
//! * `__rseq_exit_point_array`: every branch out of a section is recorded, and every record belongs to a section.
//! * The code: a store stands right before a section, the one that arms it. The section calls nothing, makes no system
//!   call, stores once, as its last instruction, and nothing branches into it. A store before the last one that may
//!   be repeated (to a buffer that the commit publishes) cannot be told from one that may not: such stores are noted,
//!   or findings with `--one-store`; one to the very place of the commit is always a finding.
//!
//! A finding is a fault; a note is something to know. Each has a code that stays the same, a [`Rule`]. Rules hold for
//! each section by itself: a program may hold those of several libraries. Time and memory are bounded by a file's
//! length.

mod args;
mod body;
mod code;
mod descriptor;
mod dynamorio;
mod entry;
mod error;
mod image;
mod isa;
mod packed;
mod rule;
mod sections;

pub use args::CheckArgs;
pub use error::{Error, Result};
pub use rule::{Finding, Rule, UnknownRule};
pub use sections::Described;

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

/// The longest file that is read, in bytes.
const LONGEST: u64 = 4 << 30;

/// What was found in one file.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// The file, as it was named.
    pub file: String,
    /// The machine that it is for.
    pub machine: &'static str,
    /// Whether every store of that machine is a release.
    pub strong: bool,
    /// Its sections, in the order of their descriptors.
    pub sections: Vec<Described>,
    /// How many branches out of sections it records.
    pub exit_points: usize,
    /// What is wrong with them.
    pub findings: Vec<Finding>,
    /// What is not wrong, but worth knowing.
    pub notes: Vec<Finding>,
}

/// Checks the files that the arguments name. Exit codes: 0 nothing found, 1 a finding, 2 a file that cannot be read, or
/// an answer that cannot be written.
pub fn main(args: &CheckArgs) -> ExitCode {
    if let Some(code) = &args.explain {
        return if answer(&explanation(*code)) { ExitCode::SUCCESS } else { ExitCode::from(2) };
    }
    let deny = args.denied();
    let mut checked = Vec::new();
    let mut unreadable = false;
    for file in &args.files {
        match check(file, &deny) {
            Ok(result) => checked.push(result),
            Err(error) => {
                complain(&format!("{}: {error}", file.display()));
                unreadable = true;
            }
        }
    }
    let written = answer(&if args.json { json(&checked) } else { report(&checked) });
    match () {
        () if unreadable || !written => ExitCode::from(2),
        () if checked.iter().any(|result| !result.findings.is_empty()) => ExitCode::from(1),
        () => ExitCode::SUCCESS,
    }
}

/// Checks one file. What `deny` names is a fault where it would be noted; rules of [`Rule::DYNAMORIO`] are only checked
/// if it names them.
///
/// # Errors
///
/// Why it cannot be read as a linked ELF file of a machine with rseq.
pub fn check(file: &Path, deny: &[Rule]) -> Result<Checked> {
    let metadata = fs::metadata(file)?;
    // Reading from a pipe or a device might never end.
    if !metadata.is_file() {
        return Err(Error::NotRegular);
    }
    if metadata.len() > LONGEST {
        return Err(Error::TooLong(metadata.len()));
    }
    let data = fs::read(file)?;
    check_data(&file.display().to_string(), &data, deny)
}

/// Checks the bytes of a file.
///
/// # Errors
///
/// As for [`check`].
pub fn check_data(name: &str, data: &[u8], deny: &[Rule]) -> Result<Checked> {
    let image = image::Image::read(data)?;
    let sections::Found { sections, exit_points, findings, notes } = sections::check(&image, deny)?;
    let isa::Machine { name: machine, .. } = image.machine;
    Ok(Checked {
        file: name.to_owned(),
        machine,
        strong: image.machine.strong(),
        sections,
        exit_points,
        findings,
        notes,
    })
}

/// The README's section on a rule, or on all of them.
fn explanation(rule: Option<Rule>) -> String {
    let rules = rule.map_or(Rule::ALL.to_vec(), |rule| vec![rule]);
    rules.into_iter().map(Rule::explanation).collect::<Vec<_>>().join("\n")
}

/// Writes it to stdout, and returns whether it got there. A reader that went away needs no answer.
fn answer(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            complain(&format!("cannot write the answer: {error}"));
            false
        }
        _ => true,
    }
}

/// Says it where somebody listens.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "error: {text}");
}

fn json(checked: &[Checked]) -> String {
    // Nothing in it can fail to be JSON: the keys are strings, and there are no other maps.
    serde_json::to_string_pretty(checked).map(|text| text + "\n").unwrap_or_default()
}

fn report(checked: &[Checked]) -> String {
    let mut text = String::new();
    for Checked { file, machine, sections, exit_points, findings, notes, .. } in checked {
        let count = sections.len();
        let verdict = match (findings.is_empty(), count) {
            (false, _) => "faulty",
            (true, 0) => "nothing to check",
            (true, _) => "clean",
        };
        text += &format!("{file}: {machine}, {count} sections, {exit_points} exit points: {verdict}\n");
        text.extend(findings.iter().map(|finding| format!("  {finding}\n")));
        text.extend(notes.iter().map(|note| format!("  note: {note}\n")));
    }
    text
}
