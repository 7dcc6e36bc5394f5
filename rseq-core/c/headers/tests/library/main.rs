//! C and C++ programs that use the headers and the library.

#[path = "../../../../tests/skipped/mod.rs"]
mod skipped;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::{env, fs};

use skipped::skipped;

/// Settings that switch glibc's registration on and off.
const TUNABLES: [&str; 2] = ["glibc.pthread.rseq=1", "glibc.pthread.rseq=0"];

/// Debian's cross compilers.
const CROSS: [&str; 9] = [
    "i686-linux-gnu-gcc",
    "aarch64-linux-gnu-gcc",
    "arm-linux-gnueabihf-gcc",
    "riscv64-linux-gnu-gcc",
    "s390x-linux-gnu-gcc",
    "powerpc64le-linux-gnu-gcc",
    "powerpc64-linux-gnu-gcc",
    "loongarch64-linux-gnu-gcc",
    "mips64el-linux-gnuabi64-gcc",
];

fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn is_there(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        skipped(format!("there is no {program}"));
    }
    found
}

#[track_caller]
fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}: {text}", output.status);
    output
}

/// Builds the libraries once, and returns their directory.
fn libraries() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("library");
        let manifest = package().join("Cargo.toml");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--release", "--package", "rseq-c", "--quiet", "--manifest-path"]).arg(manifest);
        run(cargo.arg("--target-dir").arg(&target));
        let folder = target.join("release");
        fs::copy(folder.join("librseq.so"), folder.join("librseq.so.0")).unwrap();
        folder
    })
}

/// Runs a program with and without glibc's registration. An exit code of 4 is a skip, whose reason it prints.
#[track_caller]
fn passes(program: &Path, arguments: [&[&str]; 2]) {
    for (tunable, arguments) in TUNABLES.into_iter().zip(arguments) {
        let mut command = Command::new(program);
        command.args(arguments).env("GLIBC_TUNABLES", tunable).env("LD_LIBRARY_PATH", libraries());
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        match output.status.code() {
            Some(0) => {}
            Some(4) => println!("{}: {text}", program.display()),
            _ => panic!("{} with {tunable}: {}: {text}", program.display(), output.status),
        }
    }
}

fn is_cpp(compiler: &str) -> bool {
    compiler.ends_with("++")
}

/// Compiles a program of this package, and returns its path.
fn compiled(source: &Path, compiler: &str, flags: &[&str], name: &str) -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut command = Command::new(compiler);
    command.args(["-Wall", "-Wextra", "-Werror"]).args(flags).arg("-I").arg(package().join("include"));
    if is_cpp(compiler) {
        command.args(["-x", "c++", "-std=c++17"]);
    }
    run(command.arg(source).arg("-o").arg(&program).arg("-L").arg(libraries()).args(["-lrseq", "-lpthread"]));
    program
}

#[test]
fn each_operation_does_in_c_and_in_cpp_what_it_says() {
    let source = package().join("headers/tests/programs/operations.c");
    for (compiler, flags, name) in [
        ("cc", &["-O2"][..], "operations"),
        ("cc", &["-O0"], "operations-O0"),
        ("cc", &["-O2", "-DRSEQ_COMPARE_TWICE"], "operations-twice"),
        ("cc", &["-O2", "-static"], "operations-static"),
        ("cc", &["-O1", "-fsanitize=alignment", "-fsanitize-undefined-trap-on-error"], "operations-aligned"),
        ("c++", &["-O2"], "operations-cpp"),
        ("clang", &["-O2"], "operations-clang"),
        ("clang", &["-O0"], "operations-clang-O0"),
        ("clang++", &["-O2"], "operations-clang-cpp"),
    ] {
        if is_there(compiler) {
            passes(&compiled(&source, compiler, flags, name), [&[], &[]]);
        }
    }
}

/// Each translation unit has a copy of such a function, in a COMDAT group.
#[test]
fn inline_functions_that_are_not_inlined_link() {
    let source = package().join("headers/tests/programs/inline.cpp");
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for compiler in ["c++", "clang++"].into_iter().filter(|compiler| is_there(compiler)) {
        for flags in [&["-O0"][..], &["-O2"], &["-O2", "-fPIE", "-ffunction-sections", "-Wl,--gc-sections"]] {
            let units = [&[][..], &["-DSECOND"]].map(|unit| {
                let object = directory.join(format!("inline-{compiler}-{}.o", unit.len()));
                let mut command = Command::new(compiler);
                command.args(["-std=c++17", "-Wall", "-Wextra", "-c"]).args(flags).args(unit);
                run(command.arg("-I").arg(package().join("include")).arg(&source).arg("-o").arg(&object));
                object
            });
            let program = directory.join(format!("inline-{compiler}"));
            let mut command = Command::new(compiler);
            command.args(flags).args(units).arg("-o").arg(&program);
            run(command.arg("-L").arg(libraries()).arg("-lrseq"));
            passes(&program, [&[], &[]]);
        }
    }
}

/// The program's signal handler reads the interrupted program counter.
#[test]
fn operations_on_this_cpu_begin_again_after_aborts() {
    let source = package().join("headers/tests/programs/restart.c");
    if !cfg!(target_arch = "x86_64") {
        skipped("the program is for x86-64");
    } else if is_there("cc") {
        passes(&compiled(&source, "cc", &["-O2"], "restart"), [&[], &[]]);
    }
}

#[test]
fn threads_are_registered_by_the_libc_or_by_the_library() {
    let source = package().join("headers/tests/programs/registration.c");
    for (flags, name) in [(&["-O2"][..], "registration"), (&["-O2", "-static"], "registration-static")] {
        if is_there("cc") {
            passes(&compiled(&source, "cc", flags, name), [&["libc"], &[]]);
        }
    }
}

/// The vDSO has getcpu, so a filter that refuses the system call has no effect. One that refuses rseq is an answer.
#[test]
fn refused_calls_end_no_program() {
    if !cfg!(target_arch = "x86_64") {
        skipped("not every architecture's vDSO has getcpu");
    } else if is_there("cc") {
        let source = package().join("headers/tests/programs/fallback.c");
        passes(&compiled(&source, "cc", &["-O2"], "fallback"), [&[], &[]]);
    }
}

#[test]
fn pools_allocate_memory_and_refuse_invalid_arguments() {
    let source = package().join("headers/tests/programs/mempool.c");
    for (compiler, flags, name) in [
        ("cc", &["-O2"][..], "mempool"),
        ("cc", &["-O2", "-static"], "mempool-static"),
        ("c++", &["-O2"], "mempool-c++"),
    ] {
        if is_there(compiler) {
            passes(&compiled(&source, compiler, flags, name), [&[], &[]]);
        }
    }
}

#[test]
fn the_examples_run() {
    for (source, compiler) in [("counter.c", "cc"), ("stack.cpp", "c++")] {
        if is_there(compiler) {
            let source = package().join("examples").join(source);
            passes(&compiled(&source, compiler, &["-O2"], &format!("example-{compiler}")), [&[], &[]]);
        }
    }
}

#[test]
fn each_header_of_programs_can_be_included_alone() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for (name, use_of_it) in [
        ("rseq", "return rseq_register_current_thread();"),
        ("this-cpu", "intptr_t count = 0; return rseq_this_cpu_inc(RSEQ_PERCPU_CPU_ID, &count, 0);"),
        ("mempool", "return rseq_mempool_destroy(NULL);"),
    ] {
        let source = directory.join(format!("alone-{name}.c"));
        fs::write(&source, format!("#include <rseq/{name}.h>\nint main(void)\n{{\n\t{use_of_it}\n}}\n")).unwrap();
        for (compiler, standard) in [
            ("cc", "-std=c99"),
            ("cc", "-std=gnu11"),
            ("c++", "-std=c++17"),
            ("c++", "-std=c++20"),
            ("clang", "-std=gnu11"),
            ("clang++", "-std=c++20"),
        ] {
            if is_there(compiler) {
                let mut command = Command::new(compiler);
                command.args(["-x", if is_cpp(compiler) { "c++" } else { "c" }, standard]);
                command.args(["-Wall", "-Wextra", "-Werror"]);
                // Macros of mempool.h have a named variable argument, as librseq's.
                command.args((name != "mempool").then_some("-pedantic"));
                run(command.arg("-I").arg(package().join("include")).arg("-fsyntax-only").arg(&source));
            }
        }
    }
}

#[test]
fn what_else_programs_take_from_librseqs_headers_is_there() {
    let source = package().join("headers/tests/programs/names.c");
    for compiler in ["cc", "c++", "clang", "clang++"].into_iter().filter(|compiler| is_there(compiler)) {
        passes(&compiled(&source, compiler, &["-O2"], &format!("names-{compiler}")), [&[], &[]]);
    }
    for compiler in CROSS.into_iter().filter(|compiler| is_there(compiler)) {
        let mut command = Command::new(compiler);
        command.args(["-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I"]).arg(package().join("include"));
        run(command.arg(&source));
    }
}

/// A program that was written for librseq may have given the kernel's names to its own functions.
#[test]
fn a_program_may_do_without_the_kernels_names() {
    let source = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wrapper.c");
    let wrapper = "#define RSEQ_NO_KERNEL_NAMES\n#include <rseq/rseq.h>\n\
        int rseq_addv(intptr_t *v, intptr_t count, int cpu);\n\
        int rseq_addv(intptr_t *v, intptr_t count, int cpu)\n\
        {\n\treturn rseq_load_add_store__ptr(RSEQ_MO_RELAXED, RSEQ_PERCPU_CPU_ID, v, count, cpu);\n}\n";
    fs::write(&source, wrapper).unwrap();
    for compiler in ["cc", "c++"].into_iter().filter(|compiler| is_there(compiler)) {
        let mut command = Command::new(compiler);
        command.args(["-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I"]).arg(package().join("include"));
        run(command.arg(&source));
    }
}

#[test]
fn each_architecture_compiles_with_and_without_optimization() {
    let source = package().join("headers/tests/programs/operations.c");
    let object = Path::new(env!("CARGO_TARGET_TMPDIR")).join("operations.o");
    for compiler in CROSS.into_iter().filter(|compiler| is_there(compiler)) {
        for flags in [
            &["-O2"][..],
            &["-O2", "-fPIC"],
            &["-O2", "-DRSEQ_COMPARE_TWICE"],
            &["-O0"],
            &["-O0", "-fPIC"],
            &["-O0", "-DRSEQ_COMPARE_TWICE"],
            &["-Os"],
        ] {
            let mut command = Command::new(compiler);
            command.args(["-Wall", "-Wextra", "-Werror", "-c"]).args(flags).arg("-I").arg(package().join("include"));
            run(command.arg(&source).arg("-o").arg(&object));
        }
    }
}

#[test]
fn tests_inject_code_with_six_operands() {
    let source = package().join("headers/tests/programs/injected.c");
    let object = Path::new(env!("CARGO_TARGET_TMPDIR")).join("injected.o");
    for compiler in ["cc", "clang"].into_iter().chain(CROSS).filter(|compiler| is_there(compiler)) {
        let mut command = Command::new(compiler);
        command.args(["-O2", "-Wall", "-Wextra", "-Werror", "-c", "-I"]).arg(package().join("include"));
        run(command.arg(&source).arg("-o").arg(&object));
    }
}

#[test]
fn no_code_of_the_library_panics() {
    if !is_there("nm") {
        return;
    }
    let symbols = run(Command::new("nm").arg(libraries().join("librseq.so")));
    let symbols = String::from_utf8(symbols.stdout).unwrap();
    assert!(symbols.contains("rseq_status"), "{symbols}");
    let panics: Vec<_> = symbols.lines().filter(|line| line.contains("panic")).collect();
    assert!(panics.is_empty(), "{panics:#?}");
}

#[test]
fn a_shared_library_can_have_all_of_the_archive() {
    if !["cc", "nm"].into_iter().all(is_there) {
        return;
    }
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("all.so");
    let mut command = Command::new("cc");
    command.args(["-shared", "-u", "rseq_init", "-o"]).arg(&library);
    run(command.arg(libraries().join("librseq.a")));
    let symbols = run(Command::new("nm").args(["-D", "--defined-only"]).arg(&library));
    let symbols = String::from_utf8(symbols.stdout).unwrap();
    ["rseq_status", "rseq_mempool_create"].iter().for_each(|name| assert!(symbols.contains(name), "{symbols}"));
}

/// Its own copy of the libc is the only one that a library in another namespace can use.
#[test]
fn the_library_loads_into_another_namespace() {
    let source = package().join("headers/tests/programs/namespace.c");
    if !cfg!(target_env = "gnu") {
        skipped("only glibc has dlmopen");
    } else if is_there("cc") {
        passes(&compiled(&source, "cc", &["-O2", "-ldl"], "namespace"), [&[], &[]]);
    }
}

#[test]
fn the_library_has_the_documented_symbols_only() {
    if !is_there("nm") {
        return;
    }
    let symbols = run(Command::new("nm").args(["-D", "--defined-only"]).arg(libraries().join("librseq.so")));
    let symbols = String::from_utf8(symbols.stdout).unwrap();
    let names: Vec<_> = symbols.lines().filter_map(|line| line.split_whitespace().last()).collect();
    let expected = [
        "__rseq_register_current_thread",
        "librseq_mempool_percpu_free",
        "rseq_available",
        "rseq_fallback_current_cpu",
        "rseq_fallback_current_node",
        "rseq_flags",
        "rseq_get_max_nr_cpus",
        "rseq_init",
        "rseq_mempool_attr_create",
        "rseq_mempool_attr_destroy",
        "rseq_mempool_attr_set_global",
        "rseq_mempool_attr_set_init",
        "rseq_mempool_attr_set_max_nr_ranges",
        "rseq_mempool_attr_set_percpu",
        "rseq_mempool_attr_set_poison",
        "rseq_mempool_attr_set_populate_policy",
        "rseq_mempool_attr_set_robust",
        "rseq_mempool_create",
        "rseq_mempool_destroy",
        "rseq_mempool_get_max_nr_cpus",
        "rseq_mempool_percpu_malloc",
        "rseq_mempool_percpu_malloc_init",
        "rseq_mempool_percpu_zmalloc",
        "rseq_mempool_range_init_numa",
        "rseq_mempool_set_add_pool",
        "rseq_mempool_set_create",
        "rseq_mempool_set_destroy",
        "rseq_mempool_set_percpu_malloc",
        "rseq_mempool_set_percpu_malloc_init",
        "rseq_mempool_set_percpu_zmalloc",
        "rseq_offset",
        "rseq_register_current_thread",
        "rseq_size",
        "rseq_slice_extension_enable",
        "rseq_status",
        "rseq_unregister_current_thread",
    ];
    assert_eq!(names, expected);
    let read = |name: &str| fs::read_to_string(package().join("include/rseq").join(name)).unwrap();
    let headers = [read("rseq.h"), read("mempool.h")].concat();
    let is_declared = |name: &str| ["(", ";"].iter().any(|end| headers.contains(&format!("{name}{end}")));
    expected.iter().for_each(|name| assert!(is_declared(name), "{name} is in no header"));
}
