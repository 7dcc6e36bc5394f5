//! Counts from threads without preparation: in the user's package of `user/`, which has the feature `std`, and in a
//! program without it.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::build::{DEFAULT, VARIANTS, build};
use crate::recorder::record;

/// glibc's own registration, as most systems have it, and off.
const ON: &str = "glibc.pthread.rseq=1";
const OFF: &str = "glibc.pthread.rseq=0";

/// What a filter may return: 0 looks like success.
const ERRNOS: [i32; 4] = [libc::ENOSYS, libc::EPERM, libc::EACCES, 0];

/// The files of the user's package, which is built once.
struct User {
    program: PathBuf,
    ambient: PathBuf,
    plugin: PathBuf,
}

fn user() -> &'static User {
    static USER: OnceLock<User> = OnceLock::new();
    USER.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("user");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--release", "--bins", "--examples", "--target-dir"]).arg(&target);
        cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("user")).env_remove("RUSTFLAGS");
        let output = cargo.output().expect("cargo starts");
        assert!(output.status.success(), "{cargo:?}:\n{}", String::from_utf8_lossy(&output.stderr));
        let release = target.join("release");
        User {
            program: release.join("user"),
            ambient: release.join("ambient"),
            plugin: release.join("examples/libcounting_plugin.so"),
        }
    })
}

/// A command that the kernel answers rseq(2) with `errno`, from before the dynamic linker's first instruction on.
fn refused(mut command: Command, errno: i32) -> Command {
    let install = move || {
        let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
        let mut filter = [
            step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
            step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, libc::SYS_rseq as u32),
            step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32),
            step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
        ];
        let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
        // SAFETY: prctl takes numbers only here; seccomp reads the program, which lives across the call.
        let result = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program)
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    // SAFETY: between fork and exec the closure makes system calls only.
    unsafe { command.pre_exec(install) };
    command
}

fn command(program: &Path, args: &[&str], tunable: &str) -> Command {
    let mut command = Command::new(program);
    command.args(args).env("GLIBC_TUNABLES", tunable);
    command
}

#[track_caller]
fn output(mut command: Command) -> String {
    let output: Output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:#?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a mode of the user's program, which judges by itself; None where this machine has no rseq.
#[track_caller]
fn ambient(args: &[&str], tunable: &str) -> Option<String> {
    let ambient = &user().ambient;
    let status = output(command(ambient, &["count"], tunable));
    if !status.starts_with("status: on") {
        crate::skipped(format_args!("{args:?}: {status}"));
        return None;
    }
    let text = output(command(ambient, args, tunable));
    println!("{args:?} {tunable}: {text}");
    Some(text)
}

fn name_of(errno: i32) -> &'static str {
    match errno {
        libc::ENOSYS => "a filter refuses rseq(2) with ENOSYS (38): allow",
        libc::EPERM => "a filter refuses rseq(2) with EPERM (1): allow",
        libc::EACCES => "a filter refuses rseq(2) with EACCES (13): allow",
        _ => "a filter fakes the success of rseq(2): allow",
    }
}

/// The kernel says by the auxiliary vector (Linux 6.3) that it has rseq: ENOSYS comes from a filter then.
fn kernel_says_that_it_has_rseq() -> bool {
    rseq_core::KernelRseq::read().has_feature_size()
}

#[test]
fn a_new_project_counts_from_eight_threads_everywhere() {
    for tunable in [ON, OFF] {
        let run = || command(&user().program, &[], tunable);
        assert_eq!(output(run()).trim(), "800000", "{tunable}");
        for errno in ERRNOS {
            assert_eq!(output(refused(run(), errno)).trim(), "800000", "{tunable}, refused with {errno}");
        }
    }
}

#[test]
fn a_filter_from_the_start_is_named() {
    for errno in ERRNOS {
        if errno == libc::ENOSYS && !kernel_says_that_it_has_rseq() {
            crate::skipped("before Linux 6.3 ENOSYS may be the kernel's");
            continue;
        }
        for tunable in [ON, OFF] {
            // glibc believes a filter that fakes success: its threads look unregistered, and are.
            let text = output(refused(command(&user().ambient, &["count"], tunable), errno));
            assert!(text.contains(name_of(errno)), "{tunable}: {text}");
        }
    }
}

#[test]
fn without_std_the_cause_is_named_too() {
    // Sections are on where glibc registers, whatever the way of linking.
    for variant in VARIANTS {
        let program = build(["--bin", "status"], *variant);
        let on = output(command(&program, &[], ON));
        assert!(on.starts_with("on: the libc") || on.starts_with("off: "), "{}: {on}", variant.name);
        let off = output(command(&program, &[], OFF));
        if on.starts_with("on") {
            let wanted = "off: glibc leaves threads unregistered: remove glibc.pthread.rseq=0 from GLIBC_TUNABLES";
            assert!(off.starts_with(wanted), "{}: {off}", variant.name);
        }
    }
    let program = build(["--bin", "status"], DEFAULT);
    for errno in ERRNOS.into_iter().filter(|&errno| errno != libc::ENOSYS || kernel_says_that_it_has_rseq()) {
        let text = output(refused(command(&program, &[], ON), errno));
        assert!(text.contains(name_of(errno)), "{text}");
    }
}

/// valgrind has no rseq(2), and hides what the auxiliary vector says of it.
#[test]
fn under_valgrind_counts_are_exact_and_it_is_named() {
    if !Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return crate::skipped("no valgrind");
    }
    let status = build(["--bin", "status"], DEFAULT);
    for (program, args) in [(&status, &[][..]), (&user().ambient, &["count"])] {
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--quiet", "--tool=none"]).arg(program).args(args);
        let text = output(valgrind);
        assert!(text.contains("off: the kernel was built without CONFIG_RSEQ, or valgrind"), "{text}");
    }
}

#[test]
fn ten_thousand_detached_threads_are_released() {
    ambient(&["detached"], ON);
    let Some(_) = ambient(&["detached"], OFF) else { return };
    let mut command = command(&user().ambient, &["detached"], OFF);
    let (output, calls) = record(&mut command).expect("seccomp lets the calls be counted");
    assert!(output.status.success(), "{output:#?}");
    let mut threads = BTreeMap::<u32, Vec<u64>>::new();
    for call in calls {
        threads.entry(call.thread).or_default().push(call.flags);
    }
    // Numbers of threads come again.
    let balanced = |flags: &[u64]| flags.chunks(2).all(|pair| pair == [0, 1]);
    let number: usize = threads.values().map(|flags| flags.len() / 2).sum();
    assert!(threads.values().all(|flags| balanced(flags)), "{threads:?}");
    // main sums up only, and is not registered.
    assert_eq!(number, 10_000, "registrations");
}

#[test]
fn destructors_count_before_and_after_the_release() {
    for tunable in [ON, OFF] {
        ambient(&["destructors"], tunable);
    }
}

#[test]
fn a_filter_that_comes_later_takes_nothing_from_registered_threads() {
    for errno in ERRNOS.map(|errno| errno.to_string()) {
        let Some(text) = ambient(&["late-filter", &errno], OFF) else { return };
        assert!(text.contains("status of a later thread: off: a filter"), "{text}");
    }
    // With another error glibc itself ends the process when it starts a thread.
    let Some(text) = ambient(&["late-filter", "0"], ON) else { return };
    assert!(text.contains("status of a later thread: off: a filter fakes"), "{text}");
}

#[test]
fn children_of_fork_count_while_other_threads_allocate() {
    for tunable in [ON, OFF] {
        ambient(&["fork"], tunable);
    }
}

#[test]
fn a_child_of_vfork_does_not_register_its_parents_area() {
    ambient(&["vfork"], OFF);
}

#[test]
fn signal_handlers_count() {
    for tunable in [ON, OFF] {
        ambient(&["storm"], tunable);
        ambient(&["first-in-handler"], tunable);
    }
}

#[test]
fn a_registration_that_other_code_released_is_made_again_or_done_without() {
    for tunable in [ON, OFF] {
        ambient(&["released"], tunable);
    }
}

#[test]
fn a_plugin_with_its_own_copy_counts() {
    let plugin = user().plugin.to_str().expect("a path of letters");
    for tunable in [ON, OFF] {
        for mode in ["plugin-first", "program-first"] {
            ambient(&[mode, plugin], tunable);
        }
    }
}

/// The user's package on musl, whose threads only the core registers. Debian's compiler builds std for it from
/// source.
#[test]
#[ignore = "builds std for musl, which takes minutes"]
fn on_musl_threads_are_registered_and_released() {
    for part in ["/usr/bin/rustc", "/usr/lib/rustlib/src/rust/library/std", "/usr/bin/musl-gcc"] {
        if !Path::new(part).exists() {
            return crate::skipped(format_args!("no {part}: install rustc-web, rust-web-src and musl-tools"));
        }
    }
    let program = musl();
    let status = output(command(&program, &["count"], ON));
    if !status.starts_with("status: on: this program") {
        return crate::skipped(status);
    }
    let modes = ["detached", "destructors", "fork", "vfork", "storm", "first-in-handler", "released"];
    for args in modes.map(|mode| vec![mode]).into_iter().chain(["1", "13", "0"].map(|errno| vec!["late-filter", errno]))
    {
        println!("{args:?}: {}", output(command(&program, &args, ON)));
    }
    for errno in ERRNOS {
        let text = output(refused(command(&program, &["count"], ON), errno));
        assert!(text.contains(name_of(errno)) || !kernel_says_that_it_has_rseq(), "{text}");
    }
}

/// The modes, built for musl.
fn musl() -> PathBuf {
    const TARGET: &str = "x86_64-unknown-linux-musl";
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("musl");
    std::fs::create_dir_all(&target).expect("the target directory is writable");
    // Rust's own start-up files and libunwind come with rustup's target only: musl-gcc has the former, and gcc's
    // library the functions of the latter. Nothing unwinds.
    let library = Command::new("gcc").arg("-print-file-name=libgcc_eh.a").output().expect("gcc is there").stdout;
    let unwind = target.join("libunwind.a");
    let _ = std::fs::remove_file(&unwind);
    std::os::unix::fs::symlink(String::from_utf8_lossy(&library).trim(), &unwind).expect("a link");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["rustc", "--quiet", "--release", "--bin", "ambient", "-Zbuild-std=std,panic_abort"]);
    cargo.args(["--target", TARGET, "--target-dir"]).arg(&target);
    cargo.args(["--", "-Clink-arg=-Wl,--defsym=_dl_find_object=abort"]);
    cargo.env("RUSTFLAGS", format!("-Clink-self-contained=no -Cpanic=abort -L{}", target.display()));
    cargo.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
    cargo.env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER", "musl-gcc");
    cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("user"));
    let output = cargo.output().expect("cargo starts");
    assert!(output.status.success(), "{cargo:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    target.join(TARGET).join("release/ambient")
}
