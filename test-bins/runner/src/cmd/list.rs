//! `--list`.

use std::io::{self, Write};

use crate::report::print_json;
use crate::suite::Entry;

/// Prints names and what they show, or the whole table as JSON.
pub fn print(out: &mut dyn Write, entries: &[&Entry], json: bool) -> io::Result<()> {
    if json {
        print_json(out, &entries)?;
    } else {
        let width = entries.iter().map(|entry| entry.name.len()).max().unwrap_or_default();
        for entry in entries {
            writeln!(out, "{:<width$}  {}", entry.name, entry.about)?;
        }
    }
    out.flush()
}
