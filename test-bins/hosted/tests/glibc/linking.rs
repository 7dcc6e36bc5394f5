//! Each variant is linked as its name says.

use std::fs;
use std::path::Path;

use object::elf::{FileHeader64, PT_INTERP};
use object::read::elf::{ElfFile, FileHeader, ProgramHeader};
use object::{Endianness, Object, ObjectKind, ObjectSymbol};

use crate::build::{BFD, Crates, VARIANTS, Variant, build};

#[test]
fn each_variant_is_what_its_name_says() {
    VARIANTS.iter().copied().for_each(check);
}

fn check(variant: Variant) {
    let data = fs::read(build(["--bin", "percpu"], variant)).unwrap();
    let file = ElfFile::<FileHeader64<Endianness>>::parse(&*data).unwrap();
    let name = variant.name;
    let kind = if variant.pie { ObjectKind::Dynamic } else { ObjectKind::Executable };
    assert_eq!(file.kind(), kind, "{name}");
    let interpreted = file.elf_program_headers().iter().any(|header| header.p_type(file.endian()) == PT_INTERP);
    assert_eq!(interpreted, variant.dynamic, "{name}: whether there is an interpreter");
    assert_eq!(linked_by_lld(&file), variant.lld, "{name}: whether LLD linked it");
    assert!(file.elf_header().is_supported());
}

/// With this flag the compiler makes code of every function of rseq-core, those for own areas too, and the linker keeps
/// it.
#[test]
fn a_library_that_adopts_links_with_dead_code_too() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dead-code");
    let crates = Crates::build(&directory, &[], "-Clink-dead-code");
    let [library, _] = [("lld", &[][..]), ("bfd", &BFD)].map(|(linker, flags)| {
        let flags = [&["-Clink-dead-code"], flags].concat();
        fs::read(crates.link(["--example", "plugin"], &flags, linker)).expect("it was linked")
    });
    let file = ElfFile::<FileHeader64<Endianness>>::parse(&*library).unwrap();
    let kept = file.symbols().filter_map(|symbol| symbol.name().ok()).any(|name| name == "__rseq_core_area");
    assert!(kept, "the own area is not in the library, so this shows nothing");
}

/// LLD leaves its name in `.comment`.
fn linked_by_lld(file: &ElfFile<'_, FileHeader64<Endianness>>) -> bool {
    use object::ObjectSection;
    let comment = file.section_by_name(".comment").and_then(|section| section.data().ok()).unwrap_or_default();
    String::from_utf8_lossy(comment).contains("LLD")
}
