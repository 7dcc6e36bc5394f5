//! Whoever unwinds from an abort handler sees the function that the section is in: profilers, by unwind information and
//! by frame pointers, and gdb.

use std::path::Path;
use std::process::{Command, Output};

use crate::build::{KEEP, VARIANTS, Variant, build};
use crate::skipped;

/// Frame pointers in every function of the program; the standard library's are not asked for.
const FRAME_POINTERS: Variant =
    Variant { name: "frame-pointers", flags: &["-Cforce-frame-pointers=yes"], ..VARIANTS[0] };

/// With what debuggers want.
const SYMBOLS: Variant = Variant { name: "symbols", flags: &[KEEP, "-Cstrip=none", "-Cdebuginfo=1"], ..VARIANTS[0] };

fn profiled(variant: Variant) -> std::path::PathBuf {
    build(["--bin", "profiled"], variant)
}

fn passes(program: &Path, args: &[&str]) {
    let Output { status, stdout, stderr } = Command::new(program).args(args).output().expect("it starts");
    let said = String::from_utf8_lossy(&stdout);
    if status.code() == Some(4) {
        return skipped(said);
    }
    assert!(status.success(), "{program:?}: {status}: {said}{}", String::from_utf8_lossy(&stderr));
}

#[test]
fn a_profiler_unwinds_from_abort_handlers() {
    for variant in [VARIANTS[0], VARIANTS[1], VARIANTS[2], VARIANTS[7]] {
        passes(&profiled(variant), &[]);
    }
}

#[test]
fn a_profiler_follows_frame_pointers_from_abort_handlers() {
    passes(&profiled(FRAME_POINTERS), &["--frame-pointers"]);
}

/// Stops at every abort handler that is reached, and prints the stack of the first.
const COMMANDS: &str = "
import gdb
gdb.execute('set pagination off')
gdb.execute('set confirm off')
gdb.execute('handle SIGPROF nostop noprint pass')
gdb.execute('set breakpoint pending on')
gdb.execute('starti')
gdb.execute('tbreak main')
gdb.execute('continue')
u64 = lambda at: int.from_bytes(gdb.selected_inferior().read_memory(at, 8).tobytes(), 'little')
start = int(gdb.parse_and_eval('(long)&__start___rseq_cs'))
stop = int(gdb.parse_and_eval('(long)&__stop___rseq_cs'))
for descriptor in range(start, stop, 32):
    gdb.execute('break *%d' % u64(descriptor + 24))
gdb.execute('continue')
gdb.execute('backtrace')
gdb.execute('kill')
";

#[test]
fn gdb_unwinds_from_abort_handlers() {
    if Command::new("gdb").arg("--version").output().is_err() {
        return skipped("no gdb here");
    }
    let script = Path::new(env!("CARGO_TARGET_TMPDIR")).join("unwind.py");
    std::fs::write(&script, COMMANDS).expect("the script is written");
    let mut gdb = Command::new("gdb");
    gdb.args(["-nx", "-batch", "-x"]).arg(&script).arg(profiled(SYMBOLS));
    let output = gdb.env("LC_ALL", "C").output().expect("gdb starts");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if said.contains("ptrace: Operation not permitted") {
        return skipped("gdb may not trace processes here");
    }
    if said.contains("Python scripting is not supported") {
        return skipped("this gdb has no Python");
    }
    if said.contains("skipped:") {
        return skipped("glibc has not registered this thread for rseq");
    }
    let frames: Vec<&str> = said.lines().filter(|line| line.starts_with('#')).collect();
    let has = |name: &str| frames.iter().any(|frame| frame.contains(name));
    assert!(has("profiled::work") && has("profiled::anchor") && has("profiled::main"), "{said}");
}
