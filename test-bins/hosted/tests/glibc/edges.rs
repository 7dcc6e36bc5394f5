//! Some compiler flags put code on the edges between blocks, also on those from a section to its exits. What a section
//! records as an exit is where its branch goes all the same.

use crate::build::{VARIANTS, Variant, build};

/// Counters on edges and blocks, for profiles, coverage and fuzzers.
const SPLITTING: [Variant; 3] = [
    Variant { name: "profile-generate", flags: &["-Cprofile-generate=/dev/null"], ..VARIANTS[0] },
    Variant { name: "coverage", flags: &["-Cinstrument-coverage"], ..VARIANTS[0] },
    Variant {
        name: "sanitizer-coverage",
        flags: &[
            "-Cpasses=sancov-module",
            "-Cllvm-args=-sanitizer-coverage-level=3",
            "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
            // The fuzzer's, which is not linked.
            "-Clink-arg=-Wl,--defsym=__sanitizer_cov_8bit_counters_init=0",
        ],
        ..VARIANTS[0]
    },
];

#[test]
fn recorded_exits_are_where_branches_go_under_every_flag() {
    for variant in SPLITTING {
        let program = build(["--bin", "profiled"], variant);
        let checked = rseq_check::check(&program, &[]).unwrap_or_else(|error| panic!("{}: {error}", variant.name));
        assert!(checked.sections.len() >= 2, "{}: {checked:?}", variant.name);
        assert!(checked.findings.is_empty(), "{}: {:#?}", variant.name, checked.findings);
    }
}
