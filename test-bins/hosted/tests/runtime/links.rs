//! Ways of linking.

use std::fs;

use object::{Object, ObjectSection};

use crate::build::{BFD_PIE, BFD_RELR_PIE, DEBUG_PIE, RELEASE_PIE, RELR_PIE, Variant, program, run};
use crate::skipped;

const PIES: [Variant; 5] = [DEBUG_PIE, RELEASE_PIE, BFD_PIE, RELR_PIE, BFD_RELR_PIE];

/// Whether the kernel loads a program at another address each time: the system's setting and the personality of this
/// process can turn that off.
fn randomizes() -> bool {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let personality = u32::from_str_radix(read("/proc/self/personality").trim(), 16).unwrap_or_default();
    let is_fixed = personality & libc::ADDR_NO_RANDOMIZE as u32 != 0;
    read("/proc/sys/kernel/randomize_va_space").trim() != "0" && !is_fixed
}

#[test]
fn the_kernel_chooses_where_a_static_pie_goes() {
    let randomizes = randomizes();
    if !randomizes {
        skipped("the kernel loads programs at fixed addresses here");
    }
    for variant in PIES {
        let data = fs::read(program(variant)).expect("it was built");
        let file = object::read::elf::ElfFile64::<object::Endianness>::parse(&*data).expect("it is an ELF file");
        let interpreter =
            file.elf_program_headers().iter().any(|header| header.p_type.get(file.endian()) == object::elf::PT_INTERP);
        assert!(!interpreter && file.elf_header().e_type.get(file.endian()) == object::elf::ET_DYN, "{}", variant.name);
        let addresses = [(); 3].map(|()| String::from_utf8_lossy(&run(variant, "address").stdout).into_owned());
        assert!(addresses.iter().all(|address| !address.is_empty()), "{}: {addresses:?}", variant.name);
        let differ = addresses.iter().any(|address| *address != addresses[0]);
        assert!(differ || !randomizes, "{}: always {addresses:?}", variant.name);
    }
}

#[test]
fn compact_relocations_are_applied() {
    for variant in [RELR_PIE, BFD_RELR_PIE] {
        let data = fs::read(program(variant)).expect("it was built");
        let file = object::File::parse(&*data).expect("it is an ELF file");
        let table = file.section_by_name(".relr.dyn").map_or(0, |section| section.size());
        assert!(table > 0, "{}: no compact table", variant.name);
        let output = run(variant, "constructors");
        assert!(output.status.success(), "{}: {output:#?}", variant.name);
    }
}

#[test]
fn a_forgotten_static_is_named() {
    for (name, release) in [("debug-dynamic", false), ("release-dynamic", true)] {
        let output = run(Variant { name, release, link: "-pie", origin: true }, "address");
        let says = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(101) && says.contains("link with -static"), "{name}: {output:#?}");
    }
}

#[test]
fn indirect_functions_are_refused() {
    let links = [
        ("indirect", "-static -no-pie indirect"),
        ("indirect-bfd", "-static -no-pie -fuse-ld=bfd indirect"),
        ("indirect-pie", "-static-pie indirect"),
        ("indirect-bfd-pie", "-static-pie -fuse-ld=bfd indirect"),
    ];
    for (name, link) in links {
        let output = run(Variant { name, release: true, link, origin: true }, "address");
        let says = String::from_utf8_lossy(&output.stderr);
        let is_refused = output.status.code() == Some(101) && says.contains("indirect functions (ifunc)");
        assert!(is_refused, "{name}: {output:#?}");
    }
}
