//! The operations under both families of names, for every order and index.

use crate::header::HEAD;
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

/// What stands in C for the parameters of an operation.
fn parameters(section: &Section) -> (Vec<String>, String) {
    let is_bytes = |name: &str| {
        section.steps.iter().any(|(step, operands)| {
            *step == "repeatable copy" && operands.iter().any(|operand| operand.trim_matches(['[', ']']) == name)
        })
    };
    let declare = |&(name, pointer): &(&str, bool)| match (pointer, is_bytes(name)) {
        (true, true) => format!("void *{name}"),
        (true, false) => format!("intptr_t *{name}"),
        (false, true) => format!("size_t {name}"),
        (false, false) => format!("intptr_t {name}"),
    };
    let declared = section.parameters[1..].iter().map(declare).collect();
    let names: Vec<_> = section.parameters[1..].iter().map(|(name, _)| *name).collect();
    (declared, names.join(", "))
}

/// `rseq/operations.h`: librseq's functions, which take order and index as arguments.
pub fn operations(sections: &[Section]) -> String {
    let mut out = format!("{HEAD}#ifndef _RSEQ_OPERATIONS_H\n#define _RSEQ_OPERATIONS_H\n\n");
    out.push_str(
        "/*\n * Each returns 0 after its commit; 1 where a comparison failed; and -1 where it was aborted, where the \
         thread\n * runs elsewhere than cpu says, or where the operation has no such order.\n */\n\n",
    );
    for section in sections {
        let (declared, names) = parameters(section);
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

fn kernel_name(section: &Section) -> &'static str {
    KERNEL.iter().find(|(name, _)| *name == section.name).expect("the kernel has a name for each").1
}

/// `rseq/kernel-names.h`: the same operations as the kernel's selftests call them.
pub fn kernel(sections: &[Section]) -> String {
    let mut out = format!("{HEAD}#ifndef _RSEQ_KERNEL_NAMES_H\n#define _RSEQ_KERNEL_NAMES_H\n\n");
    out.push_str("#define RSEQ_ARCH_HAS_OFFSET_DEREF_ADDV\n\n/* The operations for one order and one index. */\n");
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
        "\n/* The operations that take both as arguments, which the kernel's rseq.h has itself. */\n#ifndef RSEQ_H\n",
    );
    for section in sections {
        out.push_str(&format!("#define rseq_{}\trseq_{}__ptr\n", kernel_name(section), section.name));
    }
    out + "#endif\n\n#endif\n"
}

/// `kernel/rseq-*.h`: what the kernel's `rseq.h` includes for an architecture.
pub fn shim() -> String {
    format!(
        "{HEAD}/* In place of the header of this name in tools/testing/selftests/rseq, whose rseq.h includes it. */\n\
         #ifndef RSEQ_H\n#error \"include rseq.h instead\"\n#endif\n\n\
         #include <rseq/arch.h>\n#include <rseq/kernel-names.h>\n"
    )
}
