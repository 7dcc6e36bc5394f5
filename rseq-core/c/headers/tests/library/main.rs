//! C and C++ programs that use the headers and the library.

mod compile;
mod headers;
#[path = "../../../../tests/skipped/mod.rs"]
mod skipped;

use std::fs;
use std::path::Path;
use std::process::Command;

use compile::{compiled, is_there, libraries, package, passes, run};
use skipped::skipped;

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
