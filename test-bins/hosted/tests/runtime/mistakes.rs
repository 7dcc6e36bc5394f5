//! What newcomers do wrong: each mistake is made in a copy of `rseq-rt/examples/hello`, what they see is what the
//! README says, and its cure helps.

use std::fs;
use std::path::{Path, PathBuf};

use crate::package::{Builds, lacks_registry, repository};

/// A change of a file.
enum Edit {
    /// A text for another one.
    Replace(&'static str, &'static str, &'static str),
    /// More at its end.
    Append(&'static str, &'static str),
    /// The file is not there.
    Remove(&'static str),
}

use Edit::{Append, Remove, Replace};

/// A row of the README's table.
struct Mistake {
    /// Its first cell.
    name: &'static str,
    edits: &'static [Edit],
    /// What cargo, the compiler, the linker or the program says.
    says: &'static str,
    /// What cargo is asked for.
    command: &'static [&'static str],
    /// What the README has of `says`, if not all of it.
    seen: &'static str,
    /// Changes of the mistaken package that mend it; none where undoing the mistake does.
    cure: &'static [Edit],
}

const MISTAKE: Mistake = Mistake { name: "", edits: &[], says: "", command: &["run"], seen: "", cure: &[] };

const FEATURES: &str = r#"features = ["alloc"]"#;

const MISTAKES: &[Mistake] = &[
    Mistake { name: "no `build.rs`", edits: &[Remove("build.rs")], says: "duplicate symbol: _start", ..MISTAKE },
    Mistake {
        name: "no `-nostdlib` in it",
        edits: &[Replace("build.rs", r#"&["-nostdlib", "-static", "-no-pie"]"#, r#"&["-static", "-no-pie"]"#)],
        says: "crt1.o:(_start)",
        ..MISTAKE
    },
    Mistake {
        name: "no `-static` in it",
        edits: &[Replace("build.rs", r#"&["-nostdlib", "-static", "-no-pie"]"#, r#"&["-nostdlib"]"#)],
        says: "link with -static or -static-pie",
        cure: &[Replace("build.rs", r#"&["-nostdlib"]"#, r#"&["-nostdlib", "-static-pie"]"#)],
        ..MISTAKE
    },
    Mistake {
        name: "no `entry!`",
        edits: &[Replace("src/main.rs", "rseq_rt::entry!(main);\n", "")],
        says: "undefined symbol: __rseq_rt_main",
        ..MISTAKE
    },
    Mistake {
        name: "`entry!` with a function of another type",
        edits: &[
            Replace("src/main.rs", "entry!(main)", "entry!(other)"),
            Append("src/main.rs", "\nfn other() -> u8 {\n    0\n}\n"),
        ],
        says: "`u8: Termination` is not satisfied",
        seen: "Termination",
        ..MISTAKE
    },
    Mistake {
        name: "no `panic = \"abort\"`",
        edits: &[Replace("Cargo.toml", "[profile.dev]\npanic = \"abort\"\n", "")],
        says: "unwinding panics are not supported without std",
        ..MISTAKE
    },
    Mistake {
        name: "no `#![no_std]`",
        edits: &[Replace("src/main.rs", "#![no_std]\n", "")],
        says: "duplicate lang item in crate",
        ..MISTAKE
    },
    Mistake {
        name: "no `#![no_main]`",
        edits: &[Replace("src/main.rs", "#![no_main]\n", "")],
        says: "`main` function has wrong type",
        seen: "main",
        ..MISTAKE
    },
    Mistake {
        name: "a dependency that uses std",
        edits: &[
            Append("src/main.rs", "\nuse helper as _;\n"),
            Replace("Cargo.toml", "[dependencies]\n", "[dependencies]\nhelper = { path = \"helper\" }\n"),
        ],
        says: "(which `helper` depends on)",
        seen: "duplicate lang item",
        cure: &[Replace(
            "Cargo.toml",
            "helper = { path = \"helper\" }",
            "helper = { path = \"helper\", default-features = false }",
        )],
        ..MISTAKE
    },
    Mistake {
        name: "`alloc` without the feature",
        edits: &[Replace("Cargo.toml", ", features = [\"alloc\"]", "")],
        says: "no global memory allocator found",
        ..MISTAKE
    },
    Mistake {
        name: "a second allocator",
        edits: &[Append("src/main.rs", ALLOCATOR)],
        says: "conflicts with global allocator in: rseq_rt",
        cure: &[Replace("Cargo.toml", ", features = [\"alloc\"]", "")],
        ..MISTAKE
    },
    Mistake {
        name: "a second panic handler",
        edits: &[Append(
            "src/main.rs",
            "\n#[panic_handler]\nfn panic(_: &core::panic::PanicInfo<'_>) -> ! {\n    loop {}\n}\n",
        )],
        says: "found duplicate lang item `panic_impl`",
        seen: "panic_impl",
        ..MISTAKE
    },
    Mistake {
        name: "a rustix that origin does not take",
        edits: &[Replace(
            "Cargo.toml",
            "[dependencies]\n",
            "[dependencies]\nrustix = { version = \"1.1.5\", default-features = false }\n",
        )],
        says: "failed to select a version for",
        cure: &[Replace("Cargo.toml", FEATURES, r#"default-features = false, features = ["alloc", "panic-handler"]"#)],
        ..MISTAKE
    },
    Mistake {
        name: "no panic handler",
        edits: &[Replace("Cargo.toml", FEATURES, r#"default-features = false, features = ["alloc", "origin"]"#)],
        says: "`#[panic_handler]` function required",
        seen: "#[panic_handler]",
        cure: &[Append("src/main.rs", "\nrseq_rt::panic_handler!();\n")],
        ..MISTAKE
    },
    Mistake {
        name: "a function of the libc",
        edits: &[
            Append("src/main.rs", "\nunsafe extern \"C\" {\n    safe fn printf(_: usize);\n}\n"),
            Replace("src/main.rs", "    Ok(())\n}\n", "    printf(0);\n    Ok(())\n}\n"),
        ],
        says: "undefined symbol: printf",
        ..MISTAKE
    },
    Mistake {
        name: "an indirect function in C (`ifunc`)",
        edits: &[
            Replace("build.rs", "    for argument", "    indirect();\n    for argument"),
            Append("build.rs", INDIRECT),
            Append("src/main.rs", "\nunsafe extern \"C\" {\n    safe fn indirect();\n}\n"),
            Replace("src/main.rs", "    Ok(())\n}\n", "    indirect();\n    Ok(())\n}\n"),
        ],
        says: "indirect functions (ifunc) are not supported",
        cure: &[Replace("build.rs", "__attribute__((ifunc(\\\"choose\\\")));", "{ chosen(); }")],
        ..MISTAKE
    },
    Mistake {
        name: "archives of C in the wrong order, with GNU ld",
        edits: &[
            Replace(
                "build.rs",
                "    for argument",
                "    archive(\"first\");\n    archive(\"second\");\n    for argument",
            ),
            Append("build.rs", ARCHIVE),
            Append("src/main.rs", "\nunsafe extern \"C\" {\n    safe fn second();\n}\n"),
            Replace("src/main.rs", "    Ok(())\n}\n", "    second();\n    Ok(())\n}\n"),
        ],
        says: "undefined reference to `first'",
        seen: "undefined reference to",
        cure: &[Replace(
            "build.rs",
            "archive(\"first\");\n    archive(\"second\");",
            "archive(\"second\");\n    archive(\"first\");",
        )],
        ..MISTAKE
    },
    Mistake {
        name: "no `test = false`",
        edits: &[Replace("Cargo.toml", "test = false\n", "")],
        says: "duplicate lang item in crate",
        command: &["test"],
        ..MISTAKE
    },
    Mistake {
        name: "a target that is not installed",
        edits: &[],
        says: "can't find crate for `core`",
        seen: "core",
        // A target of Rust's with which rustup never comes.
        command: &["run", "--target", "s390x-unknown-linux-musl"],
        ..MISTAKE
    },
    Mistake {
        name: "`-C target-cpu` of another machine",
        edits: &[],
        says: "SIGILL: illegal instruction",
        // Its XOP and TBM are in no processor since.
        command: &["run", "--config", "build.rustflags=['-Ctarget-cpu=bdver2']"],
        ..MISTAKE
    },
];

const ALLOCATOR: &str = r"
struct Nothing;

// SAFETY: it gives nothing away.
unsafe impl core::alloc::GlobalAlloc for Nothing {
    unsafe fn alloc(&self, _: core::alloc::Layout) -> *mut u8 {
        core::ptr::null_mut()
    }
    unsafe fn dealloc(&self, _: *mut u8, _: core::alloc::Layout) {}
}

#[global_allocator]
static NOTHING: Nothing = Nothing;
";

/// Archives of one function each, of which the second calls the first. LLD takes them in any order.
const ARCHIVE: &str = r#"
fn archive(name: &str) {
    let path = |end: &str| format!("{}/{name}.{end}", env::var("OUT_DIR").unwrap());
    let run = |program: &str, arguments: &[&str]| {
        assert!(std::process::Command::new(program).args(arguments).status().unwrap().success(), "{program}");
    };
    let text = if name == "first" { "void first(void) {}" } else { "void first(void); void second(void) { first(); }" };
    std::fs::write(path("c"), text).unwrap();
    run("cc", &["-c", &path("c"), "-o", &path("o")]);
    run("ar", &["crs", &path("a"), &path("o")]);
    println!("cargo::rustc-link-arg-bins={}", path("a"));
    println!("cargo::rustc-link-arg-bins=-fuse-ld=bfd");
}
"#;

/// A function that another one chooses.
const INDIRECT: &str = r#"
fn indirect() {
    let path = |end: &str| format!("{}/indirect.{end}", env::var("OUT_DIR").unwrap());
    let chosen = "static void chosen(void) {} static void (*choose(void))(void) { return chosen; }";
    let text = "void indirect(void) __attribute__((ifunc(\"choose\")));";
    std::fs::write(path("c"), [chosen, text].concat()).unwrap();
    let arguments = ["-c", "-ffreestanding", &path("c"), "-o", &path("o")];
    assert!(std::process::Command::new("cc").args(arguments).status().unwrap().success(), "cc");
    println!("cargo::rustc-link-arg-bins={}", path("o"));
}
"#;

/// A dependency of which only its feature is of interest.
const HELPER: &str = "[package]\nname = \"helper\"\nedition = \"2024\"\n[features]\ndefault = [\"std\"]\nstd = []\n";

/// A fresh copy of the example.
fn copy() -> PathBuf {
    let from = repository().join("rseq-rt/examples/hello");
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mistaken");
    for directory in ["src", "helper/src"] {
        fs::create_dir_all(to.join(directory)).expect("the target directory is writable");
    }
    for name in ["Cargo.toml", "Cargo.lock", "build.rs", "src/main.rs"] {
        let text = fs::read_to_string(from.join(name)).expect("the example has it");
        let place = format!("{}/", repository().display());
        let text = text.replace("../../../rseq-core", &format!("{place}rseq-core"));
        fs::write(to.join(name), text.replace("\"../..\"", &format!("\"{place}rseq-rt\""))).expect("it is written");
    }
    fs::write(to.join("helper/Cargo.toml"), HELPER).expect("it is written");
    fs::write(to.join("helper/src/lib.rs"), "#![cfg_attr(not(feature = \"std\"), no_std)]\n").expect("it is written");
    to
}

fn edit(package: &Path, edits: &[Edit]) {
    for edit in edits {
        let (Replace(name, ..) | Append(name, _) | Remove(name)) = edit;
        let path = package.join(name);
        let text = fs::read_to_string(&path).expect("the example has it");
        let changed = match edit {
            Replace(_, from, to) => {
                assert!(text.contains(from), "{name} has no {from:?}");
                text.replace(from, to)
            }
            Append(_, more) => text + more,
            Remove(_) => {
                fs::remove_file(&path).expect("it is removed");
                continue;
            }
        };
        fs::write(path, changed).expect("it is written");
    }
}

#[test]
#[ignore = "builds some thirty programs, of which some rebuild all crates"]
fn each_mistake_shows_what_the_readme_says_and_its_cure_helps() {
    let readme = fs::read_to_string(repository().join("rseq-rt/README.md")).expect("it is there");
    let builds = Builds::begin();
    for mistake in MISTAKES {
        let name = mistake.name;
        let row = readme.lines().find(|line| line.starts_with(&format!("| {name} | ")));
        let row = row.unwrap_or_else(|| panic!("the README has no row of {name:?}"));
        let seen = if mistake.seen.is_empty() { mistake.says } else { mistake.seen };
        assert!(row.contains(&format!("`{seen}`")), "the README has {row:?}, not {seen:?}");

        let package = copy();
        edit(&package, mistake.edits);
        let output = builds.cargo(&package, mistake.command);
        if lacks_registry(&output) {
            continue;
        }
        let says = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && says.contains(mistake.says), "{name}: {output:#?}");

        // The example itself is what other tests build.
        if mistake.cure.is_empty() {
            continue;
        }
        edit(&package, mistake.cure);
        let output = builds.cargo(&package, &["run"]);
        // Nothing to allocate from ends with a panic, not with an error of the build.
        let is_cured = if name == "a second allocator" {
            String::from_utf8_lossy(&output.stderr).contains("memory allocation of")
        } else {
            output.stdout == b"Hello, world!\n1 greetings\n"
        };
        assert!(is_cured, "{name}, mended: {output:#?}");
    }
    let rows = readme.split_once("\n## Mistakes\n").expect("the chapter").1;
    let rows =
        rows.split_once("\n## ").expect("the next chapter").0.lines().filter(|line| line.starts_with("| ")).count();
    assert_eq!(rows, MISTAKES.len() + 1, "rows of the README, with its head");
}
