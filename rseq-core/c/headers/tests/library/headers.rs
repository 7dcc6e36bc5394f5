//! Compilers and programs that the headers are for.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::compile::{CROSS, compiled, is_cpp, is_there, package, passes, run};

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
