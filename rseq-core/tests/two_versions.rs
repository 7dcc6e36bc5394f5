//! Two versions of this crate in one program: they share the own area and what is known of the kernel.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod skipped;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use skipped::skipped;

const CORE: &str = env!("CARGO_MANIFEST_DIR");

/// One program, which is linked once for all.
const MAIN: &str = r#"
mod area;
mod facts;
mod threads;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("area") => area::main(),
        Some("facts") => facts::main(),
        Some("threads") => threads::main(),
        other => panic!("{other:?} is none of area, facts and threads"),
    }
}
"#;

/// Registers through the one, and looks through the other.
const AREA: &str = r#"
use newer::Area;
use std::process::exit;

pub fn main() {
    // SAFETY: released below, in the same thread.
    let registered = unsafe { newer::Registration::<newer::OwnArea>::own(newer::Mode::Extended) };
    let registered = match registered {
        Ok(registered) => registered,
        Err(error) if error.is_unavailable() => {
            println!("{error}");
            exit(4)
        }
        Err(error) => panic!("{error}"),
    };
    let token = older::OwnArea::current().expect("the other version sees the registration");
    assert_eq!(newer::arch::own_area().addr(), older::arch::own_area().addr());
    assert_eq!(newer::OwnArea.active_size(), older::Area::active_size(older::OwnArea));
    assert_eq!(token.mm_cid().is_some(), registered.token().mm_cid().is_some());
    // SAFETY: refused.
    let second = unsafe { older::Registration::<older::OwnArea>::own(older::Mode::Extended) };
    let error = second.expect_err("a second registration");
    assert_eq!(error, older::RegisterError::OtherOwner(Some(older::Owner::Own)));
    registered.release().unwrap();
    assert!(older::OwnArea::current().is_none());
}
"#;

/// Hands facts to the one, and reads them from the other.
const FACTS: &str = r#"
pub fn main() {
    // SAFETY: nothing is registered in this program.
    let invented = unsafe { newer::KernelRseq::from_auxv(Some(100), Some(128)) };
    assert_eq!(invented.provide(), invented);
    let read = older::KernelRseq::read();
    assert_eq!((read.active_size(), read.registration_align()), (100, 128));
}
"#;

/// Counts by both in threads that each of them registers, also where the threads end.
const THREADS: &str = r#"
static NEWER: newer::percpu::Counter = newer::percpu::Counter::new();
static OLDER: older::percpu::Counter = older::percpu::Counter::new();

/// Counts by the one that registers the thread, if it is the first, and by the other.
fn count(newer_first: bool, count: u64) {
    for newer in [newer_first, !newer_first] {
        if newer { NEWER.add(count) } else { OLDER.add(count) }
    }
}

struct AtEnd(bool);

impl Drop for AtEnd {
    fn drop(&mut self) {
        count(self.0, 1);
    }
}

thread_local!(static AT_END: std::cell::Cell<Option<AtEnd>> = const { std::cell::Cell::new(None) });

pub fn main() {
    if let older::Status::Off(cause) = older::status() {
        println!("{cause}");
        std::process::exit(4)
    }
    for _ in 0..25 {
        std::thread::scope(|scope| {
            for thread in 0..8 {
                scope.spawn(move || {
                    // Its destructor runs before those of the registrations in half of the threads, and after them in
                    // the others.
                    if thread < 4 {
                        AT_END.set(Some(AtEnd(thread % 2 == 0)));
                    }
                    (0..100).for_each(|_| count(thread % 2 == 0, 1));
                    AT_END.set(Some(AtEnd(thread % 2 == 0)));
                    assert!(newer::OwnArea::current().is_some(), "not registered");
                });
            }
        });
    }
    // A scope waits for the threads' functions, not for their destructors.
    let threads = |status: &str| status.lines().find_map(|line| line.strip_prefix("Threads:").map(|n| n.trim() == "1"));
    while !threads(&std::fs::read_to_string("/proc/self/status").unwrap()).unwrap_or(true) {
        std::thread::yield_now();
    }
    // Of the first four of each round, one value was replaced and dropped.
    let expected = 25 * (8 * 101 + 4);
    assert_eq!((NEWER.sum(), OLDER.sum()), (expected, expected));
}
"#;

/// A package with both versions: this one, and a copy of it that calls itself older.
fn write_package() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("two-versions");
    let _ = fs::remove_dir_all(dir.join("older"));
    for folder in ["src", "docs", "linker"] {
        copy(&Path::new(CORE).join(folder), &dir.join("older").join(folder));
    }
    for file in ["README.md", "build.rs"] {
        fs::copy(Path::new(CORE).join(file), dir.join("older").join(file)).expect("a file is copied");
    }
    let features = r#"["general", "errno", "auxvec", "prctl", "no_std"]"#;
    let older = format!(
        "[package]\nname = \"rseq-core\"\nversion = \"0.0.1\"\nedition = \"2024\"\n\n[features]\nstd = []\n\n\
         [dependencies]\nlinux-raw-sys = {{ version = \"0.12\", default-features = false, features = {features} }}\n"
    );
    let both = format!(
        "[package]\nname = \"two-versions\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
         newer = {{ package = \"rseq-core\", path = {CORE:?}, features = [\"std\"] }}\n\
         older = {{ package = \"rseq-core\", path = \"older\", features = [\"std\"] }}\n\n\
         [profile.release]\nopt-level = 1\nlto = \"fat\"\ncodegen-units = 1\n"
    );
    fs::create_dir_all(dir.join("src")).expect("the target directory is writable");
    for (path, text) in [
        ("older/Cargo.toml", older.as_str()),
        ("Cargo.toml", both.as_str()),
        ("src/main.rs", MAIN),
        ("src/area.rs", AREA),
        ("src/facts.rs", FACTS),
        ("src/threads.rs", THREADS),
    ] {
        fs::write(dir.join(path), text).expect("the package is written");
    }
    let lock = Path::new(CORE).join("../Cargo.lock");
    if lock.exists() {
        fs::copy(lock, dir.join("Cargo.lock")).expect("the lock file is copied");
    }
    dir
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the target directory is writable");
    for entry in fs::read_dir(from).expect("the sources are readable") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("a source is copied");
        }
    }
}

/// Builds the program, with these flags for its last step, and runs it without a registration of glibc's.
fn run(package: &Path, profile: &str, flags: &[&str]) {
    let target = package.join("target");
    let output = Command::new(env!("CARGO"))
        .args(["rustc", "--quiet", "--color=never", "--profile", profile, "--"])
        .args(flags)
        .current_dir(package)
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo runs");
    let what = format!("{profile} {flags:?}");
    assert!(output.status.success(), "{what} does not link:\n{}", String::from_utf8_lossy(&output.stderr));
    let program = target.join(if profile == "dev" { "debug" } else { profile }).join("two-versions");
    for part in ["facts", "area", "threads"] {
        let mut program = Command::new(&program);
        let output = program.arg(part).env("GLIBC_TUNABLES", "glibc.pthread.rseq=0").output().expect("it starts");
        if output.status.code() == Some(4) {
            skipped(format!("{part}: {}", String::from_utf8_lossy(&output.stdout)));
            continue;
        }
        assert!(output.status.success(), "{what}: {part}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn they_share_one_area_and_its_facts() {
    let package = write_package();
    run(&package, "dev", &[]);
    run(&package, "release", &[]);
    run(&package, "release", &["-Ctarget-feature=+crt-static", "-Crelocation-model=static"]);
    if cfg!(target_arch = "x86_64") && Command::new("ld.bfd").arg("--version").output().is_ok() {
        run(&package, "dev", &["-Clinker-features=-lld", "-Clink-arg=-fuse-ld=bfd"]);
    }
}
