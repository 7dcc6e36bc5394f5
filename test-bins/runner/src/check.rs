//! `check FILE...`: verifies every critical section's descriptor in linked ELF files, of any of the nine architectures.

mod args;
mod image;
mod machine;
mod sections;

pub use args::CheckArgs;

use serde::Serialize;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// What was found in one file.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// The file, as it was named.
    pub file: String,
    /// The machine that it is for.
    pub machine: &'static str,
    /// How many descriptors it has.
    pub sections: usize,
    /// How many branches out of sections it records.
    pub exit_points: usize,
    /// What is wrong with them.
    pub findings: Vec<String>,
}

/// Checks the files that the arguments name. Exit codes: 0 nothing found, 1 a finding, 2 a file that cannot be read.
pub fn main(args: &CheckArgs) -> ExitCode {
    let mut checked = Vec::new();
    let mut unreadable = false;
    for file in &args.files {
        match check(file) {
            Ok(result) => checked.push(result),
            Err(error) => {
                eprintln!("error: {}: {error}", file.display());
                unreadable = true;
            }
        }
    }
    print(args.json, &checked);
    match () {
        () if unreadable => ExitCode::from(2),
        () if checked.iter().any(|result| !result.findings.is_empty()) => ExitCode::from(1),
        () => ExitCode::SUCCESS,
    }
}

/// Checks one file.
///
/// # Errors
///
/// Why it cannot be read as a linked ELF file of a machine with rseq.
pub fn check(file: &Path) -> Result<Checked, String> {
    let data = fs::read(file).map_err(|error| error.to_string())?;
    let image = image::Image::read(&data)?;
    let found = sections::check(&image)?;
    Ok(Checked {
        file: file.display().to_string(),
        machine: image.machine.name,
        sections: found.sections,
        exit_points: found.exit_points,
        findings: found.findings,
    })
}

fn print(json: bool, checked: &[Checked]) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    // A reader that went away needs no answer.
    let _ = if json {
        serde_json::to_string_pretty(checked).map(|text| writeln!(out, "{text}")).map(drop)
    } else {
        for Checked { file, machine, sections, exit_points, findings } in checked {
            let verdict = if findings.is_empty() { "clean" } else { "faulty" };
            let _ = writeln!(out, "{file}: {machine}, {sections} sections, {exit_points} exit points: {verdict}");
            findings.iter().for_each(|finding| drop(writeln!(out, "  {finding}")));
        }
        Ok(())
    };
}

#[cfg(test)]
mod tests;
