//! The operations under librseq's names and under the kernel selftests' names, for every memory order and index.

use crate::header::HEAD;
use crate::section;
use crate::text::{self, Section};

/// The kernel selftests' name of each operation.
const KERNEL: [(&str, &str); 7] = [
    ("load_cbne_store", "cmpeqv_storev"),
    ("load_add_store", "addv"),
    ("load_cbeq_store_add_load_store", "cmpnev_storeoffp_load"),
    ("load_add_load_load_add_store", "offset_deref_addv"),
    ("load_cbne_load_cbne_store", "cmpeqv_cmpeqv_storev"),
    ("load_cbne_store_store", "cmpeqv_trystorev_storev"),
    ("load_cbne_memcpy_store", "cmpeqv_trymemcpy_storev"),
];

/// The declarations of an operation's parameters in C, and their names.
fn arguments(section: &Section) -> (Vec<String>, String) {
    let names: Vec<_> = section.arguments().iter().map(|(name, _)| *name).collect();
    (section.declarations(), names.join(", "))
}

/// `rseq/operations.h`: librseq's functions, which take the memory order and the index as arguments.
pub fn operations(sections: &[Section]) -> String {
    let mut out = format!("{HEAD}#ifndef _RSEQ_OPERATIONS_H\n#define _RSEQ_OPERATIONS_H\n\n");
    out.push_str(
        "/*\n * Each function returns 0 after its commit; 1 if a comparison failed; and -1 if it was aborted, if the\n \
         * thread's CPU number or concurrency ID is not cpu, or if it does not support the memory order.\n */\n\n",
    );
    for section in sections {
        let (declared, names) = arguments(section);
        out.push_str(&text::comment(&section.about.replace('`', "")));
        out.push_str("static inline __attribute__((always_inline))\n");
        let start = format!("int rseq_{}__ptr", section.name);
        let orders = ["enum rseq_mo rseq_mo", "enum rseq_percpu_mode percpu_mode"].map(str::to_owned).to_vec();
        out.push_str(&text::declaration(&start, &[orders, declared, vec!["int cpu".into()]].concat()));
        out.push_str("{\n");
        for (order, _) in section.texts {
            for (mode, index) in [("RSEQ_PERCPU_CPU_ID", "cpu_id"), ("RSEQ_PERCPU_MM_CID", "mm_cid")] {
                out.push_str(&format!(
                    "\tif (rseq_mo == RSEQ_MO_{} && percpu_mode == {mode})\n\
                     \t\treturn rseq_{}__ptr_{order}_{index}({names}, cpu);\n",
                    order.to_uppercase(),
                    section.name
                ));
            }
        }
        out.push_str("\treturn -1;\n}\n\n");
    }
    out + "#define rseq_arch_has_load_add_load_load_add_store\n\n#endif\n"
}

/// `rseq/this-cpu.h`: the operations that load the CPU number or concurrency ID themselves.
pub fn this_cpu(sections: &[Section]) -> String {
    let mut out = format!(
        "{HEAD}/* A program may include this header alone, or beside the kernel's rseq.h. */\n\
         #ifndef RSEQ_H\n#include <rseq/rseq.h>\n#endif\n\n\
         #ifndef _RSEQ_THIS_CPU_H\n#define _RSEQ_THIS_CPU_H\n\n"
    );
    out.push_str(
        "/*\n * Each function operates on one of len slots, which begin at base and are 1 << RSEQ_THIS_CPU_SHIFT \
         bytes\n * apart: that of the thread's CPU number or concurrency ID at the commit. It restarts after an abort. \
         It returns\n * 0 after its commit; 1 if a comparison failed; and -1 if there is no such slot, or if the \
         thread is not\n * registered.\n */\n\n",
    );
    for section in sections {
        let (declared, names) = arguments(section);
        out.push_str(&text::comment(&section.about.replace('`', "")));
        out.push_str("static inline __attribute__((always_inline))\n");
        let mode = vec!["enum rseq_percpu_mode percpu_mode".to_owned()];
        let start = format!("int rseq_this_cpu_{}", section.name);
        out.push_str(&text::declaration(&start, &[mode, declared].concat()));
        let [by_cpu, by_mm_cid] = ["cpu_id", "mm_cid"].map(|index| section::function_name(section, "", index));
        out.push_str(&format!(
            "{{\n\tif (percpu_mode == RSEQ_PERCPU_MM_CID)\n\t\treturn {by_mm_cid}({names});\n\
             \treturn {by_cpu}({names});\n}}\n\n"
        ));
    }
    out + "#endif\n"
}

fn kernel_name(section: &Section) -> &'static str {
    KERNEL.iter().find(|(name, _)| *name == section.name).expect("the kernel has a name for each").1
}

/// `rseq/kernel-names.h`: the same operations under the names in the kernel's selftests.
pub fn kernel(sections: &[Section]) -> String {
    let mut out = format!("{HEAD}#ifndef _RSEQ_KERNEL_NAMES_H\n#define _RSEQ_KERNEL_NAMES_H\n\n");
    out.push_str("#define RSEQ_ARCH_HAS_OFFSET_DEREF_ADDV\n\n");
    out.push_str("/* The operations for one memory order and one index. */\n");
    for section in sections {
        for (order, _) in section.texts {
            for index in ["cpu_id", "mm_cid"] {
                out.push_str(&format!(
                    "#define rseq_{}_{order}_{index}\trseq_{}__ptr_{order}_{index}\n",
                    kernel_name(section),
                    section.name
                ));
            }
        }
    }
    out.push_str(
        "\n/* The operations that take both as arguments. The kernel's rseq.h defines its own. */\n#ifndef RSEQ_H\n",
    );
    for section in sections {
        out.push_str(&format!("#define rseq_{}\trseq_{}__ptr\n", kernel_name(section), section.name));
    }
    out + "#endif\n\n#endif\n"
}

/// `kernel/rseq-*.h`: the headers that the kernel's `rseq.h` includes for each architecture.
pub fn shim() -> String {
    format!(
        "{HEAD}/* Replaces the header of this name in tools/testing/selftests/rseq, whose rseq.h includes it. */\n\
         #ifndef RSEQ_H\n#error \"include rseq.h instead\"\n#endif\n\n\
         #include <rseq/arch.h>\n#include <rseq/kernel-names.h>\n"
    )
}
