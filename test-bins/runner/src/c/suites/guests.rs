//! The kernel's programs for other architectures: static, checked, and booted in the cells of the matrix.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use fs_err as fs;
use protocol::list;

use super::args::{SuitesArgs, TIMEOUT};
use super::compile::{self, Compiler, Sources};
use super::kvm;
use super::programs::{GIVES_UP, KVM, MODES, Program};
use crate::boot::{self, BootArgs};
use crate::build::check::{self, Counts};
use crate::build::{Binaries, Linking, Programs, toolchain};
use crate::c::library;
use crate::guest::payload::Run;
use crate::kernels::machine::Target;
use crate::kernels::select;
use crate::suite::GUEST_INIT;
use crate::{exit, shell, workspace};

/// Loops of each of param_test's tests: emulation is 10 to 50 times slower.
const LOOPS: u32 = 100;

/// Threads of each of param_test's tests.
const THREADS: &str = "4";

/// Builds for the cells' architectures, and boots or checks what came of it.
pub fn run(args: &SuitesArgs) -> ExitCode {
    match Built::new(args) {
        Ok(built) => boot::run_programs(&boot_args(args), built.runs(args), built.has_kvm(), &built, again(args)),
        Err(error) => exit::stop(2, error),
    }
}

/// The command line of a run like this one, up to the cell.
fn again(args: &SuitesArgs) -> String {
    let mut words = vec!["cargo run --release -- suites --kernel-source".to_owned()];
    words.extend(args.kernel_source.iter().flatten().map(shell::word));
    words.extend(args.loops.map(|loops| format!("--loops {loops}")));
    words.extend((args.timeout != TIMEOUT).then(|| format!("--timeout {}", args.timeout)));
    words.join(" ")
}

fn boot_args(args: &SuitesArgs) -> BootArgs {
    BootArgs {
        choice: args.guests.choice.clone(),
        names: args.names.clone(),
        all: args.guests.all,
        check: args.guests.check,
        jobs: args.guests.jobs,
        retries: args.guests.retries,
        ..BootArgs::default()
    }
}

/// The programs, from a tree.
struct Built {
    root: PathBuf,
    scratch: PathBuf,
    tree: PathBuf,
    programs: Vec<&'static Program>,
}

impl Built {
    fn new(args: &SuitesArgs) -> anyhow::Result<Self> {
        let root = workspace::root()?;
        let scratch = workspace::target_dir(&root)?.join("suites");
        let tree = args.tree(&scratch)?;
        let sources = Sources { root: &root, tree: &tree };
        let has_kvm = select::cells(&args.guests.choice)?.iter().all(|cell| kvm::has(cell.target.name));
        let is_left_out = |program: &Program| is_left_out(program, !args.names.is_empty(), has_kvm);
        let (left_out, mut programs): (Vec<_>, Vec<_>) =
            args.wanted()?.into_iter().partition(|program| is_left_out(program));
        for program in left_out {
            let condition = if program.name == KVM { ", and each of the cells has KVM" } else { "" };
            note!("left out: {}, which runs in guests only if it is named{condition}", program.name);
        }
        programs.retain(|program| sources.has(program));
        Ok(Self { root, scratch, tree, programs })
    }

    fn has_kvm(&self) -> bool {
        self.names().contains(&KVM)
    }

    /// Each program with all of its arguments, with and without glibc's registration.
    fn runs(&self, args: &SuitesArgs) -> Vec<Run> {
        let mut runs = Vec::new();
        for (mode, tunable) in MODES {
            for program in &self.programs {
                if tunable == MODES[0].1 && !program.with_libc {
                    note!("skipped where {mode}: {}: {GIVES_UP}", program.name);
                    continue;
                }
                runs.extend(program.arguments.iter().map(|arguments| guest_run(program, arguments, tunable, args)));
            }
        }
        runs
    }

    fn names(&self) -> Vec<&'static str> {
        self.programs.iter().map(|program| program.name).collect()
    }
}

/// Whether a program does not run in guests: a slow one if it is not named, that of KVM if some guest has none.
fn is_left_out(program: &Program, is_named: bool, has_kvm: bool) -> bool {
    (program.slow_in_guests && !is_named) || (program.name == KVM && !has_kvm)
}

fn guest_run(program: &Program, arguments: &[&str], tunable: &str, args: &SuitesArgs) -> Run {
    let mut words = vec![format!("GLIBC_TUNABLES={tunable}"), format!("/bin/{}", program.name)];
    words.extend(arguments.iter().map(|&word| word.to_owned()));
    if program.name.starts_with("param_test") {
        let loops = args.loops.unwrap_or(LOOPS).to_string();
        words.extend(["-t", THREADS, "-r", &loops].map(str::to_owned));
    }
    // The kernel's checks of areas have no say in KVM.
    let once = program.fails_checks || program.name == KVM;
    Run { kind: list::Kind::Report, once, timeout: args.timeout, words }
}

impl Programs for Built {
    fn unavailable_reason(&self, target: &Target) -> Option<String> {
        if let Err(error) = toolchain::find(target) {
            return Some(error.to_string());
        }
        let compiler = Compiler::name_for(target);
        let mut command = Command::new(&compiler);
        let found = command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).status();
        let is_there = found.is_ok_and(|status| status.success());
        let package = compiler.strip_suffix("-gcc").unwrap_or(&compiler);
        (!is_there).then(|| format!("there is no {compiler}: on Debian, install gcc-{package}"))
    }

    fn build(&self, target: &Target) -> anyhow::Result<Binaries> {
        let libraries = library::build_for(&self.root, target)?;
        let compiler = Compiler::of_static(target, libraries);
        let folder = self.scratch.join(target.name);
        fs::create_dir_all(&folder)?;
        let sources = Sources { root: &self.root, tree: &self.tree };
        let mut binaries = Binaries::new();
        for program in &self.programs {
            let built = match program.name {
                KVM => kvm::build(&sources, target.name, &compiler, &folder),
                _ => compile::build(program, &sources, &compiler, &folder),
            };
            binaries.insert(program.name.to_owned(), built?);
        }
        let init = toolchain::build(target, &self.root, &[GUEST_INIT], Linking::Fixed)?;
        binaries.extend(init.into_iter().filter(|(name, _)| name == GUEST_INIT));
        Ok(binaries)
    }

    fn check(&self, binaries: &Binaries) -> anyhow::Result<Counts> {
        check::check(binaries, &self.names())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::programs::PROGRAMS;
    use super::*;

    /// The arguments of `suites --kernel-source` with these words more.
    fn suites_args(words: &[&str]) -> SuitesArgs {
        SuitesArgs::parse_from([&["suites"], words, &["--kernel-source"]].concat())
    }

    fn runs(words: &[&str]) -> Vec<String> {
        let args = suites_args(words);
        let programs = args.wanted().unwrap();
        let built = Built { root: PathBuf::new(), scratch: PathBuf::new(), tree: PathBuf::new(), programs };
        built.runs(&args).iter().map(|run| run.words.join(" ")).collect()
    }

    #[test]
    fn each_program_runs_with_and_without_glibcs_registration_if_it_can() {
        let both = runs(&["basic_test"]);
        assert_eq!(both, MODES.map(|(_, tunable)| format!("GLIBC_TUNABLES={tunable} /bin/basic_test")));
        let one = runs(&["syscall_errors_test"]);
        assert_eq!(one, ["GLIBC_TUNABLES=glibc.pthread.rseq=0 /bin/syscall_errors_test"]);
        let loops = runs(&["param_test_benchmark", "--loops", "7"]);
        assert!(loops.iter().all(|words| words.ends_with(" -t 4 -r 7")), "{loops:?}");
    }

    #[test]
    fn what_is_run_again_is_built_from_the_same_source() {
        let mut args = suites_args(&["--timeout", "9", "--loops", "7"]);
        assert_eq!(again(&args), "cargo run --release -- suites --kernel-source --loops 7 --timeout 9");
        args.kernel_source = Some(Some("/src/linux".into()));
        assert_eq!(again(&args), "cargo run --release -- suites --kernel-source /src/linux --loops 7 --timeout 9");
        assert_eq!(again(&suites_args(&[])), "cargo run --release -- suites --kernel-source");
    }

    #[test]
    fn what_runs_by_name_runs_by_name_alone() {
        let is_by_name = |words: &String| words.contains("membarrier_rseq_stress");
        assert!(PROGRAMS.iter().any(|program| program.by_name) && !runs(&[]).iter().any(is_by_name));
        assert!(runs(&["membarrier_rseq"]).iter().all(is_by_name));
    }

    #[test]
    fn a_name_that_no_program_has_is_refused() {
        let error = suites_args(&["basic_test", "nonsense"]).wanted().unwrap_err().to_string();
        assert!(error.starts_with("no program has 'nonsense' in its name: there are basic_test, "), "{error}");
    }

    #[test]
    fn what_is_slow_runs_in_guests_by_name_alone() {
        let left_out = |is_named, has_kvm| {
            let programs = PROGRAMS.iter().filter(|program| is_left_out(program, is_named, has_kvm));
            programs.map(|program| program.name).collect::<Vec<_>>()
        };
        let slow = ["basic_percpu_ops_test", "basic_percpu_ops_mm_cid_test", KVM];
        assert_eq!(left_out(false, true), slow);
        assert_eq!(left_out(true, false), [KVM]);
        assert!(left_out(true, true).is_empty());
    }
}
