//! The hosts.

/// What a program of the suite runs under.
#[derive(Debug, Clone, Copy)]
pub struct Host {
    /// For `--host` and rows.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// The program that it needs, and Debian's package with it; empty where it needs none.
    pub needs: (&'static str, &'static str),
    /// How a program is started.
    pub how: How,
    /// A program that fails for a fault of the host's own, and the fault; empty where there is none.
    pub fault: (&'static str, &'static str),
}

/// How a program is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// With these words before its path.
    Words(&'static [&'static str]),
    /// Below a filter of system calls as container engines install by default.
    Seccomp,
    /// In a root directory that holds programs and nothing else.
    Chroot,
    /// Where this text is the list of possible CPUs.
    PossibleCpus(&'static str),
    /// In a group with a fifth of a CPU's time.
    Quota,
    /// In a group whose CPUs change all the time.
    Cpuset,
    /// Dumped while it runs, and restored: one program only.
    Criu,
}

const HOST: Host = Host { name: "", about: "", needs: ("", ""), how: How::Words(&[]), fault: ("", "") };

/// All of them.
pub const HOSTS: &[Host] = &[
    Host { name: "plain", about: "this kernel, nothing around the programs", ..HOST },
    Host {
        name: "strace",
        about: "every system call stopped twice, children too",
        needs: ("strace", "strace"),
        how: How::Words(&["strace", "-f", "-qq", "-o", "/dev/null"]),
        ..HOST
    },
    Host {
        name: "gdb",
        about: "run by a debugger, without breakpoints",
        needs: ("gdb", "gdb"),
        // Not SIGTRAP, which ends the children of a program if gdb hands it on.
        how: How::Words(&[
            "gdb",
            "-q",
            "-nx",
            "-batch",
            "-iex",
            "set debuginfod enabled off",
            "-ex",
            "handle all nostop noprint pass",
            "-ex",
            "run",
            "-ex",
            "quit $_exitcode",
            "--args",
        ]),
        ..HOST
    },
    Host {
        name: "valgrind",
        about: "binary translation without a tool; no rseq",
        needs: ("valgrind", "valgrind"),
        how: How::Words(&["valgrind", "-q", "--tool=none"]),
        ..HOST
    },
    Host {
        name: "qemu-user",
        about: "binary translation of a process; no rseq",
        needs: ("qemu-x86_64", "qemu-user"),
        how: How::Words(&["qemu-x86_64"]),
        // Measured in 7.2.22: a handler's frame lies 8 bytes off, and its first aligned store of 16 bytes faults.
        fault: ("alloc_test", "QEMU gives signal handlers a stack that is not aligned"),
    },
    Host { name: "seccomp", about: "the calls that container engines refuse by default", how: How::Seccomp, ..HOST },
    Host {
        name: "chroot",
        about: "a root directory without /proc, /sys and /dev",
        needs: ("chroot", "coreutils"),
        how: How::Chroot,
        ..HOST
    },
    Host {
        name: "pid-namespace",
        about: "each program is the first process of its namespace",
        needs: ("unshare", "util-linux"),
        how: How::Words(&["unshare", "--pid", "--fork", "--mount-proc"]),
        ..HOST
    },
    Host {
        name: "user-namespace",
        about: "root in a user namespace alone",
        needs: ("unshare", "util-linux"),
        how: How::Words(&["unshare", "--user", "--map-root-user"]),
        ..HOST
    },
    Host {
        name: "one-cpu",
        about: "pinned to one CPU of several",
        needs: ("taskset", "util-linux"),
        how: How::Words(&["taskset", "-c", "0"]),
        ..HOST
    },
    Host { name: "quota", about: "a cgroup with a fifth of a CPU (CFS quota)", how: How::Quota, ..HOST },
    Host { name: "cpuset", about: "a cgroup whose CPUs change every 20 ms", how: How::Cpuset, ..HOST },
    Host {
        name: "possible-0",
        about: "a list of possible CPUs that says `0`, as of lxcfs",
        needs: ("unshare", "util-linux"),
        how: How::PossibleCpus("0\n"),
        ..HOST
    },
    Host {
        name: "possible-empty",
        about: "an empty list of possible CPUs",
        needs: ("unshare", "util-linux"),
        how: How::PossibleCpus(""),
        ..HOST
    },
    Host {
        name: "possible-5-7",
        about: "a list of possible CPUs without the CPUs in use",
        needs: ("unshare", "util-linux"),
        how: How::PossibleCpus("5-7\n"),
        ..HOST
    },
    Host {
        name: "rr",
        about: "recorded, all threads on one CPU",
        needs: ("rr", "rr"),
        how: How::Words(&["rr", "record"]),
        ..HOST
    },
    Host {
        name: "criu",
        about: "`param_test`, dumped inside of sections and restored",
        needs: ("criu", "criu"),
        how: How::Criu,
        ..HOST
    },
];
