//! `export`: the suite as a bundle that machines without this repository run.

mod bundle;
mod files;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;

use crate::build::{Linking, Programs, Suite, announced};
use crate::exit::{self, FAILED, Stop};
use crate::kernels::machine::Target;
use crate::kernels::select;
use crate::suite::{GUEST_INIT, SUITE};
use crate::workspace;

/// Writes the suite as directories and archives in the layout of the kernel's installed selftests.
#[derive(Debug, Args)]
#[command(
    after_help = "For each architecture, DIR/rseq-ARCH and DIR/rseq-ARCH.tar.gz. On the machine, `run.sh` prints \
                  KTAP, and `run_kselftest.sh` has the options of the kernel's script of this name; both need a POSIX \
                  shell.\n\
                  Exit codes: 0 all is written, 1 something is not, 2 usage error."
)]
pub struct ExportArgs {
    /// Where to write
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,

    /// For this architecture (several times: these; default: this machine's)
    #[arg(long, value_name = "ARCH")]
    pub arch: Vec<String>,

    /// For every architecture
    #[arg(long, conflicts_with = "arch")]
    pub all: bool,

    /// The runs for emulated machines, which are shorter; some take CPUs offline and back
    #[arg(long)]
    pub short: bool,

    /// Link the programs as static-pie, which the kernel puts where it likes (not on MIPS)
    #[arg(long)]
    pub static_pie: bool,
}

/// Writes what the options ask for and says where it is.
pub fn run(args: &ExportArgs) -> ExitCode {
    exit::code(export_all(args))
}

fn export_all(args: &ExportArgs) -> Result<u8, Stop> {
    let mut code = 0;
    for target in targets(args).map_err(Stop::Usage)? {
        match export(args, &target) {
            Ok(directory) => writeln!(io::stdout(), "{0} and {0}.tar.gz", directory.display())?,
            Err(error) => {
                note!("error: {:#}", error.context(target.name));
                code = FAILED;
            }
        }
    }
    Ok(code)
}

fn targets(args: &ExportArgs) -> anyhow::Result<Vec<Target>> {
    let all = select::targets();
    if args.all {
        return Ok(all);
    }
    let own = [std::env::consts::ARCH.to_owned()];
    let names = if args.arch.is_empty() { &own[..] } else { &args.arch };
    let known = || all.iter().map(|target| target.name).collect::<Vec<_>>().join(", ");
    let find = |name: &String| all.iter().find(|target| target.name == name).copied();
    let find = |name| find(name).with_context(|| format!("no architecture is called '{name}': there are {}", known()));
    names.iter().map(find).collect()
}

fn export(args: &ExportArgs, target: &Target) -> anyhow::Result<PathBuf> {
    let root = workspace::root()?;
    let names: Vec<_> = SUITE.iter().map(|entry| entry.name).chain([GUEST_INIT]).collect();
    let suite = Suite { root: &root, names, linking: Linking::of(args.static_pie) };
    if let Some(message) = suite.unavailable_reason(target) {
        bail!(message);
    }
    let binaries = announced(target, &suite, &|note| note!("{note}"))?;
    suite.check(&binaries)?;
    let directory = args.directory.join(format!("rseq-{}", target.name));
    bundle::write(&directory, &bundle::runs(SUITE, args.short), &binaries)?;
    files::archive(&directory)?;
    Ok(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(arch: &[&str], all: bool) -> ExportArgs {
        let arch = arch.iter().map(|&name| name.to_owned()).collect();
        ExportArgs { directory: PathBuf::new(), arch, all, short: false, static_pie: false }
    }

    #[test]
    fn an_architecture_is_exported_once() {
        let names = |args| targets(&args).unwrap().iter().map(|target| target.name).collect::<Vec<_>>();
        assert_eq!(names(args(&["s390x", "i686"], false)), ["s390x", "i686"]);
        assert_eq!(names(args(&[], false)), [std::env::consts::ARCH]);
        let all = names(args(&[], true));
        assert_eq!((all.len(), all.iter().filter(|name| **name == "mips64el").count()), (10, 1));
        assert!(targets(&args(&["vax"], false)).unwrap_err().to_string().contains("there are x86_64, i686, aarch64,"));
    }
}
