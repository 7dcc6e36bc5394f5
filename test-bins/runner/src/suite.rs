//! The one table of the suite: which binaries there are, with which arguments, for how long.
//!
//! `.github/CONTRIBUTING.md` has all places that a new test program needs.

mod names;

pub use names::{exactly, select};

use rseq_check::Rule;
use serde::Serialize;

/// Argument lists; a binary runs once for each.
pub type Runs = &'static [&'static [&'static str]];

/// A binary of the suite.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// The name of the `[[bin]]`.
    pub name: &'static str,
    /// What it shows, in at most 50 characters.
    pub about: &'static str,
    /// How its output is read.
    pub kind: Kind,
    /// Runs on this machine.
    pub native: Runs,
    /// Runs inside an emulated machine, which is 10 to 50 times slower.
    pub guest: Runs,
    /// Runs under `--full`.
    pub full: Runs,
    /// Short runs beside all of these, with a registration of the original 32 bytes.
    pub legacy: Runs,
    /// Seconds after which a native or guest run counts as hung: more than all of its tests may wait.
    pub timeout: u64,
    /// Seconds after which a `--full` run counts as hung.
    pub full_timeout: u64,
    /// What the machine must have for more than a skip.
    pub needs: &'static [Need],
    /// The rules that its sections break which are wrong on purpose, each as often as it stands here.
    pub wrong_sections: &'static [Rule],
}

impl Entry {
    /// `runs`, then those with the original registration.
    pub fn with_legacy(&self, runs: Runs) -> impl Iterator<Item = &'static [&'static str]> {
        runs.iter().chain(self.legacy).copied()
    }
}

/// How a binary's output is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// KTAP on stdout, kselftest's exit codes.
    Test,
    /// A text for people, or JSON with `--json`; exit code 0, or 4 where there is nothing to report on.
    Report,
}

/// What a test wants from a machine; without it, it skips by itself and says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// Two CPUs or more.
    Cpus,
    /// A working `/dev/kvm`.
    Kvm,
}

/// The runs of a binary that takes no arguments.
const PLAIN: Runs = &[&[]];

/// The runs in a guest: fewer events, shorter deadlines.
const SHORT: Runs = &[&["--short"]];

/// No runs.
const NONE: Runs = &[];

/// One run of each test, in turn by CPU and by concurrency ID, with loops at each point that there is.
const PARAM_GUEST: Runs = &[
    &["-T", "s", "-t", "8", "-r", "500", "-1", "500", "-2", "1000"],
    &["-T", "l", "-t", "8", "-r", "500", "-5", "500", "-6", "1000", "--mm-cid"],
    &["-T", "b", "-t", "8", "-r", "500", "-4", "1000", "-M"],
    &["-T", "m", "-t", "8", "-r", "500", "-5", "1000", "--mm-cid", "-M"],
    &["-T", "i", "-t", "8", "-r", "500", "-3", "1000", "--compare-twice"],
    &["-T", "b", "-t", "8", "-r", "500", "-3", "500", "-4", "1000", "--compare-twice", "--mm-cid"],
    &["-T", "r", "-t", "4", "-r", "20000", "-3", "200", "-5", "200"],
    &["-T", "l", "-t", "8", "-r", "500", "-D", "2", "--mm-cid"],
];

/// One run of each test, each blocked in one of the ways that there are, by the index that [`PARAM_GUEST`] leaves out.
const PARAM_LEGACY: Runs = &[
    &["--legacy", "-T", "s", "-t", "8", "-r", "200", "-7", "-1", "-m", "2", "-y", "--mm-cid"],
    &["--legacy", "-T", "l", "-t", "8", "-r", "200", "-8", "-1", "-m", "2", "-k"],
    &["--legacy", "-T", "b", "-t", "8", "-r", "50", "-9", "-1", "-m", "4", "-s", "1", "-M"],
    &["--legacy", "-T", "m", "-t", "8", "-r", "200", "-8", "-1", "-m", "1", "-y"],
    &["--legacy", "-T", "i", "-t", "8", "-r", "200", "-7", "-1", "-m", "1", "-k", "--compare-twice", "--mm-cid"],
    &["--legacy", "-T", "r", "-t", "8", "-r", "50", "-8", "-1", "-m", "4", "-s", "1", "--mm-cid"],
];

/// What most binaries have; the table below states the differences.
const TEST: Entry = Entry {
    name: "",
    about: "",
    kind: Kind::Test,
    native: PLAIN,
    guest: SHORT,
    full: PLAIN,
    legacy: &[&["--short", "--legacy"]],
    timeout: 60,
    full_timeout: 600,
    needs: &[],
    wrong_sections: &[],
};

/// Every binary of `test-bins` but `init`, in the order in which they run.
pub const SUITE: &[Entry] = &[
    Entry {
        name: "probe",
        about: "what this kernel's rseq can do",
        kind: Kind::Report,
        guest: PLAIN,
        legacy: NONE,
        timeout: 20,
        ..TEST
    },
    Entry {
        name: "start_test",
        about: "what the runtime does before and after main",
        guest: PLAIN,
        legacy: NONE,
        ..TEST
    },
    Entry { name: "basic_test", about: "registration, the area's fields, aborts", legacy: NONE, timeout: 120, ..TEST },
    Entry {
        name: "basic_percpu_ops_test",
        about: "spinlock, list and counter per CPU, under load",
        timeout: 240,
        ..TEST
    },
    Entry {
        name: "percpu_test",
        about: "per-CPU data without a token, registered or not",
        native: &[&[], &["--short", "--off"]],
        guest: &[&["--short"], &["--short", "--off"]],
        timeout: 240,
        ..TEST
    },
    Entry { name: "syscall_errors_test", about: "what each wrong call of rseq(2) returns", ..TEST },
    Entry {
        name: "no_syscall_test",
        about: "a kernel without rseq, or one that hides it",
        legacy: NONE,
        timeout: 240, // it executes a hundred programs
        ..TEST
    },
    Entry { name: "unregistered_test", about: "operations in threads that are not registered", ..TEST },
    Entry { name: "fork_test", about: "registration over fork, vfork, exec and clone", timeout: 240, ..TEST },
    Entry { name: "ptrace_test", about: "what a debugger reads of the registration", ..TEST },
    Entry {
        name: "thread_test",
        about: "registration from a thread's start to its end",
        native: &[&["--detached", "20000", "--joined", "5000"]],
        timeout: 240,
        ..TEST
    },
    Entry {
        name: "local_test",
        about: "thread-locals, names, numbers, early ends",
        legacy: NONE,
        timeout: 240,
        ..TEST
    },
    Entry { name: "stack_test", about: "stacks that are used up, other faults", legacy: NONE, ..TEST },
    Entry {
        name: "alloc_test",
        about: "the heap and its caches for each CPU",
        native: &[&[], &["--short", "--off"]],
        guest: &[&["--short"], &["--short", "--off"]],
        legacy: NONE,
        timeout: 240,
        wrong_sections: &[Rule::Unarmed; 2],
        ..TEST
    },
    Entry {
        name: "sync_test",
        about: "the runtime's locks, conditions and barriers",
        legacy: NONE,
        timeout: 240, // its threads yield thousands of times, to whatever else runs
        ..TEST
    },
    Entry {
        name: "param_test",
        about: "operations under delays, yields, signals, sleeps",
        native: &[&["--grid", "short"], &["-T", "i", "-t", "8", "-r", "2000", "-D", "3"], &["-d", "-t", "8"]],
        guest: PARAM_GUEST,
        full: &[&["--grid", "full"], &["--grid", "blocking", "-L"]],
        legacy: PARAM_LEGACY,
        timeout: 300,
        full_timeout: 7200,
        ..TEST
    },
    Entry {
        name: "kvm_rseq_test",
        about: "cpu_id after KVM_RUN in a thread that is moved",
        native: &[&["--migrations", "20000"], &["--migrations", "2000", "--legacy"]],
        guest: &[&["--migrations", "1000"]],
        full: &[&[], &["--latency", "0"], &["--stale-control", "--migrations", "20000"]],
        legacy: NONE,
        timeout: 180,
        needs: &[Need::Cpus, Need::Kvm],
        ..TEST
    },
    Entry { name: "membarrier_test", about: "fences that restart sections on other CPUs", timeout: 120, ..TEST },
    Entry {
        name: "membarrier_stress",
        about: "fences, sections and CFS throttling at once",
        native: &[&["--seconds", "1"]],
        full: &[&[], &["--threads", "64", "--seconds", "20"]],
        legacy: NONE, // a fence does not look at the registration's length
        timeout: 120,
        ..TEST
    },
    Entry {
        name: "robust_test",
        about: "robust futexes of the vDSO beside sections",
        legacy: NONE,
        timeout: 120,
        ..TEST
    },
    Entry { name: "signal_test", about: "sections and signal handlers in each other's way", timeout: 240, ..TEST },
    Entry {
        name: "mm_cid_test",
        about: "concurrency IDs: small, one thread's at a time",
        native: &[&["--seconds", "1"]],
        timeout: 180,
        ..TEST
    },
    Entry { name: "operand_test", about: "indexes and operands of sections", ..TEST },
    Entry { name: "step_test", about: "what each step of a section does", ..TEST },
    Entry { name: "self_test", about: "whether this kernel restarts sections at all", ..TEST },
    Entry { name: "node_test", about: "node_id against sysfs, on every CPU", ..TEST },
    Entry { name: "slice_test", about: "time slice extensions, from request to yield", timeout: 180, ..TEST },
    Entry {
        name: "arch_memory_order",
        about: "what a section stored is seen before its commit",
        native: &[&["--seconds", "1"]],
        timeout: 120,
        needs: &[Need::Cpus],
        ..TEST
    },
    Entry {
        name: "abort_points",
        about: "an abort at every instruction of every section",
        guest: PLAIN,
        legacy: &[&["--legacy"]],
        timeout: 420,
        wrong_sections: &[Rule::RepeatedCommit, Rule::Unarmed],
        ..TEST
    },
    Entry {
        name: "percpu_abort_points",
        about: "the same for the sections of per-CPU types",
        guest: PLAIN,
        legacy: &[&["--legacy"]],
        timeout: 420,
        wrong_sections: &[Rule::Unarmed],
        ..TEST
    },
    Entry {
        name: "hotplug_test",
        about: "sections on CPUs that come and go",
        native: &[&[], &["--short", "--legacy"]],
        guest: &[&["--short", "--hotplug"], &["--short", "--legacy", "--hotplug"]],
        full: &[&[], &["--short", "--legacy"]],
        legacy: NONE,
        timeout: 240,
        needs: &[Need::Cpus],
        ..TEST
    },
    Entry { name: "bad_descriptors", about: "what the kernel makes of wrong descriptors", ..TEST },
    Entry { name: "readonly_test", about: "the kernel's fields, written by user space", needs: &[Need::Cpus], ..TEST },
    Entry {
        name: "far_handler_test",
        about: "handlers 2 MiB off; the linker's lists of sections",
        timeout: 120,
        ..TEST
    },
    Entry { name: "uprobe_test", about: "uprobes in sections, and after them", legacy: NONE, timeout: 240, ..TEST },
    Entry {
        name: "negative_control",
        about: "unarmed sections lose counts, armed ones do not",
        timeout: 240,
        wrong_sections: &[Rule::Unarmed; 4],
        ..TEST
    },
];

/// The binary that is a guest's PID 1 and no test.
pub const GUEST_INIT: &str = "init";

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn built() -> BTreeSet<String> {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/Cargo.toml");
        crate::workspace::binaries(manifest.as_ref()).expect("cargo metadata lists the binaries")
    }

    #[test]
    fn the_table_lists_what_test_bins_builds() {
        let built: BTreeSet<_> = built().into_iter().filter(|name| name != GUEST_INIT).collect();
        let listed: BTreeSet<_> = SUITE.iter().map(|entry| entry.name.to_owned()).collect();
        let only = |these: &BTreeSet<String>, those| these.difference(those).cloned().collect::<Vec<_>>().join(", ");
        let (unlisted, unbuilt) = (only(&built, &listed), only(&listed, &built));
        assert!(unlisted.is_empty(), "without an Entry in {}: {unlisted}", file!());
        assert!(unbuilt.is_empty(), "without a [[bin]] in test-bins/tests/Cargo.toml: {unbuilt}");
        assert_eq!(listed.len(), SUITE.len(), "a name stands twice in the table");
    }

    #[test]
    fn every_entry_runs_and_ends() {
        for entry in SUITE {
            for runs in [entry.native, entry.guest, entry.full] {
                assert!(!runs.is_empty(), "{} never runs", entry.name);
            }
            assert!(entry.timeout > 0 && entry.full_timeout >= entry.timeout, "{}", entry.name);
            assert!(entry.about.len() <= 50 && !entry.about.is_empty(), "{}", entry.name);
        }
    }

    #[test]
    fn there_is_one_report() {
        let reports = SUITE.iter().filter(|entry| entry.kind == Kind::Report).count();
        assert_eq!(reports, 1);
    }
}
