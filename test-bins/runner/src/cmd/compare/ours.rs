//! Our side of a comparison.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::args::Code;
use crate::build::{self, Linking, Purpose};
use crate::c::library::{self, Flavour};
use crate::process::succeed;
use crate::workspace;

/// Builds our program.
pub fn build(code: Code) -> anyhow::Result<PathBuf> {
    let root = workspace::root()?;
    match code {
        Code::Operations => return c_program(&root, "operations"),
        Code::Mempool => return c_program(&root, "mempool"),
        Code::ParamTest => {}
    }
    let binaries = build::build(&root, Purpose::Elsewhere, Linking::Fixed)?;
    binaries.get("param_test").cloned().context("param_test was not built")
}

/// Aligned branches and loops: where the compiler happens to put them costs more than an instruction.
const ALIGNED: [&str; 3] = ["-Wa,-mbranches-within-32B-boundaries", "-falign-functions=64", "-falign-loops=64"];

/// Builds a program of `benches` on our headers and library, which it finds by itself.
fn c_program(root: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let folder = workspace::target_dir(root)?.join("benches");
    library::build(root, Flavour::Librseq, &folder)?;
    let program = folder.join(name);
    let mut cc = Command::new("cc");
    cc.arg("-O2").arg("-I").arg(library::include(root));
    if cfg!(target_arch = "x86_64") {
        cc.args(ALIGNED);
    }
    cc.arg(root.join(format!("rseq-core/c/benches/{name}.c"))).arg("-o").arg(&program);
    cc.arg("-L").arg(&folder).args(["-lrseq", "-lpthread"]).arg(format!("-Wl,-rpath,{}", folder.display()));
    succeed(&mut cc)?;
    Ok(program)
}
