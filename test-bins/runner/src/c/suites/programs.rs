//! The programs of `tools/testing/selftests/rseq` and its neighbours, as their Makefiles build them, and their modes.

/// A program of the kernel's.
#[derive(Debug)]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// Its source, below `tools/testing/selftests`.
    pub source: &'static str,
    /// What its source is compiled with.
    pub define: &'static str,
    /// How it is run.
    pub arguments: &'static [&'static [&'static str]],
    /// Whether it runs, or ends without a verdict, where glibc registers threads, because it wants to do so itself.
    pub with_libc: bool,
    /// Whether it runs only where it is named.
    pub by_name: bool,
    /// Whether it takes more than ten minutes on some emulated machine, and runs in guests only where it is named.
    pub slow_in_guests: bool,
    /// Whether it fails where the kernel checks what is registered (`rseq/debug`), because it writes to the kernel's
    /// fields.
    pub fails_checks: bool,
}

const fn program(name: &'static str, source: &'static str, define: &'static str) -> Program {
    Program {
        name,
        source,
        define,
        arguments: &[&[]],
        with_libc: true,
        by_name: false,
        slow_in_guests: false,
        fails_checks: false,
    }
}

/// Each of param_test's tests, with few threads, so that a run takes seconds: plain, and where the thread yields,
/// sleeps, is signalled, or is delayed inside of sections.
const PARAMETERS: &[&[&str]] = &[
    &["-T", "s"],
    &["-T", "l"],
    &["-T", "b"],
    &["-T", "b", "-M"],
    &["-T", "m"],
    &["-T", "m", "-M"],
    &["-T", "i"],
    &["-T", "s", "-m", "100", "-y"],
    &["-T", "s", "-m", "100", "-k"],
    &["-T", "s", "-m", "1000", "-s", "1"],
    &["-T", "l", "-m", "100", "-y", "-k"],
    &["-T", "b", "-m", "100", "-y", "-k"],
    &["-T", "m", "-M", "-m", "100", "-y", "-k"],
    &["-T", "i", "-m", "100", "-y", "-k"],
    &["-T", "s", "-1", "1000"],
    &["-T", "s", "-2", "1000"],
    &["-T", "s", "-3", "1000"],
    &["-T", "l", "-4", "1000"],
    &["-T", "b", "-5", "1000"],
    &["-T", "m", "-6", "1000"],
    &["-T", "r"],
];

const BENCHMARK: &[&[&str]] = &[
    &["-T", "s"],
    &["-T", "l"],
    &["-T", "b"],
    &["-T", "b", "-M"],
    &["-T", "m"],
    &["-T", "m", "-M"],
    &["-T", "i"],
    &["-T", "r"],
];

/// All of them.
pub const PROGRAMS: [Program; 17] = [
    program("basic_test", "rseq/basic_test.c", ""),
    // 200 threads take one lock a million times.
    Program { slow_in_guests: true, ..program("basic_percpu_ops_test", "rseq/basic_percpu_ops_test.c", "") },
    Program {
        slow_in_guests: true,
        ..program("basic_percpu_ops_mm_cid_test", "rseq/basic_percpu_ops_test.c", "-DBUILDOPT_RSEQ_PERCPU_MM_CID")
    },
    Program { arguments: PARAMETERS, with_libc: false, ..program("param_test", "rseq/param_test.c", "") },
    Program { arguments: BENCHMARK, ..program("param_test_benchmark", "rseq/param_test.c", "-DBENCHMARK") },
    Program {
        arguments: PARAMETERS,
        with_libc: false,
        ..program("param_test_compare_twice", "rseq/param_test.c", "-DRSEQ_COMPARE_TWICE")
    },
    Program {
        arguments: PARAMETERS,
        with_libc: false,
        ..program("param_test_mm_cid", "rseq/param_test.c", "-DBUILDOPT_RSEQ_PERCPU_MM_CID")
    },
    Program {
        arguments: BENCHMARK,
        ..program("param_test_mm_cid_benchmark", "rseq/param_test.c", "-DBUILDOPT_RSEQ_PERCPU_MM_CID -DBENCHMARK")
    },
    Program {
        arguments: PARAMETERS,
        with_libc: false,
        ..program(
            "param_test_mm_cid_compare_twice",
            "rseq/param_test.c",
            "-DBUILDOPT_RSEQ_PERCPU_MM_CID -DRSEQ_COMPARE_TWICE",
        )
    },
    Program { with_libc: false, ..program("syscall_errors_test", "rseq/syscall_errors_test.c", "") },
    Program { with_libc: false, ..program("check_optimized", "rseq/check_optimized.c", "") },
    Program { with_libc: false, fails_checks: true, ..program("legacy_check", "rseq/legacy_check.c", "") },
    Program { with_libc: false, ..program("slice_test", "rseq/slice_test.c", "") },
    program("membarrier_test_single_thread", "membarrier/membarrier_test_single_thread.c", ""),
    program("membarrier_test_multi_thread", "membarrier/membarrier_test_multi_thread.c", ""),
    // For 20 s it throttles the machine's tasks by control groups. It has nothing of ours, and a registration of its
    // own.
    Program { by_name: true, ..program("membarrier_rseq_stress", "membarrier/membarrier_rseq_stress.c", "") },
    // Without the check that a machine which does nothing else would pass: how often the guest was entered.
    Program { arguments: &[&["-u"]], slow_in_guests: true, ..program(KVM, "kvm/rseq_test.c", "") },
];

/// The test that needs KVM, and a library of its own.
pub const KVM: &str = "rseq_test";

/// glibc's own registration: on, and off.
pub const MODES: [(&str, &str); 2] =
    [("glibc registers", "glibc.pthread.rseq=1"), ("glibc does not", "glibc.pthread.rseq=0")];

/// Why a program does not run where glibc registers threads.
pub const GIVES_UP: &str = "it registers threads itself, which glibc has done";
