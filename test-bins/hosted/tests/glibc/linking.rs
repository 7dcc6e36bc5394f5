//! Each variant is linked as its name says.

use std::fs;

use object::elf::{FileHeader64, PT_INTERP};
use object::read::elf::{ElfFile, FileHeader, ProgramHeader};
use object::{Endianness, Object, ObjectKind};

use crate::build::{VARIANTS, Variant, build};

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

/// LLD leaves its name in `.comment`.
fn linked_by_lld(file: &ElfFile<'_, FileHeader64<Endianness>>) -> bool {
    use object::ObjectSection;
    let comment = file.section_by_name(".comment").and_then(|section| section.data().ok()).unwrap_or_default();
    String::from_utf8_lossy(comment).contains("LLD")
}
