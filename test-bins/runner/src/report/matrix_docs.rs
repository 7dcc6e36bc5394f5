//! The matrix in `rseq-core/docs/kernels.md`.

use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::marked;
use super::matrix;
use super::paint::Paint;
use crate::guest::cell_result::{CellResult, Matrix};
use crate::host::Host;
use crate::ktap::Counts;
use crate::text::{printable, wrap};
use crate::verdict::Status;

/// Columns of the text.
const WIDTH: usize = 120;

/// Writes the table of a whole matrix and returns the path of the page.
pub fn write(root: &Path, matrix: &Matrix) -> anyhow::Result<PathBuf> {
    let path = root.join("rseq-core/docs/kernels.md");
    let text = marked::replace(&marked::read(&path)?, "boot", "matrix", &body(matrix, &Host::here())?)?;
    fs::write(&path, text)?;
    Ok(path)
}

fn body(matrix: &Matrix, host: &Host) -> io::Result<String> {
    let Matrix { command, cells, took, .. } = matrix;
    let runs = if took.runs > 1 { format!(" in {} runs", took.runs) } else { String::new() };
    let mut counts = Counts::default();
    cells.iter().for_each(|result| counts.merge(result.counts));
    let measured = format!(
        "Written on {} by `{command} --all --docs`, which took {:.0} minutes{} on {}: {}; {} results \
         passed, {} failed, {} failed as expected. Each cell has the results that passed or failed as expected, that \
         failed, and that were skipped:",
        host.date.split('T').next().unwrap_or_default(),
        took.seconds / 60.0,
        runs,
        host.line(),
        matrix::cells_sentence(cells),
        counts.passed,
        counts.failed + counts.xpassed,
        counts.xfailed,
    );
    let mut table = Vec::new();
    matrix::table(&mut table, Paint::PLAIN, cells)?;
    let table = String::from_utf8_lossy(&table).into_owned();
    Ok(format!("{}\n\n```text\n{table}```\n{}", wrap(&measured, WIDTH).join("\n"), exceptions(cells)))
}

/// What did not pass at once.
fn exceptions(cells: &[CellResult]) -> String {
    let flaky = cells.iter().filter(|result| result.verdict.status == Status::Flaky);
    let flaky = flaky
        .flat_map(|result| result.earlier.iter().map(move |boot| (result, "passed at a later boot", &boot.reasons)));
    let failed = cells.iter().filter(|result| result.verdict.status.is_bad());
    let failed = failed.map(|result| (result, "failed", &result.verdict.reasons));
    let items = flaky.chain(failed).map(|(result, how, reasons)| {
        let lines = wrap(&format!("{} {how}: {}", result.name(), printable(&reasons.join("; "))), WIDTH - 2);
        format!("* {}\n", lines.join("\n  "))
    });
    let items: String = items.collect();
    if items.is_empty() { items } else { format!("\n{items}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::cell_result::{Earlier, Took};
    use crate::verdict::Verdict;

    #[test]
    fn the_page_has_the_table_and_what_did_not_pass_at_once() {
        let result = |row: &str, verdict| CellResult::without_results(row.into(), "6.12".into(), None, 2, verdict);
        let counts = Counts { passed: 40, skipped: 1, xfailed: 2, ..Counts::default() };
        let timed_out = Earlier { reasons: vec!["silent for 90 s: ended".into()], console: None };
        let flaky = Verdict { status: Status::Flaky, reasons: Vec::new() };
        let cells = vec![
            CellResult { counts, earlier: vec![timed_out], ..result("x86_64", flaky) },
            result("s390x", Verdict::failed("the kernel panicked: x")),
        ];
        let host = Host {
            cpu: "A processor".into(),
            cpus: 2,
            kernel: "6.18.44".into(),
            arch: "x86_64",
            date: "2026-11-29T09:00:00Z".into(),
        };
        let expected = "\
Written on 2026-11-29 by `cargo run --release -- boot --all --docs`, which took 3 minutes on A processor, 2 CPUs,
x86_64, Linux 6.18.44: 2 cells: 1 passed (1 flaky), 1 failed, 0 skipped; 40 results passed, 0 failed, 2 failed as
expected. Each cell has the results that passed or failed as expected, that failed, and that were skipped:

```text
          6.12
x86_64  42/0/1
s390x     FAIL
```

* x86_64 6.12 passed at a later boot: silent for 90 s: ended
* s390x 6.12 failed: the kernel panicked: x
";
        let took = Took { seconds: 170.0, runs: 1 };
        let (command, names_cell) = ("cargo run --release -- boot".into(), false);
        let mut matrix = Matrix { cells, command, names_cell, names: Vec::new(), program: Vec::new(), took };
        assert_eq!(body(&matrix, &host).unwrap(), expected);
        matrix.took.runs = 2;
        assert!(body(&matrix, &host).unwrap().contains("which took 3 minutes in 2 runs on A processor"));
    }
}
