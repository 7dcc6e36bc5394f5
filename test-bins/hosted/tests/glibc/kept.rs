//! What `linker/rseq.ld` does for a program, and a debugger that finds the program's sections by it.

use std::fs;
use std::path::Path;
use std::process::Command;

use object::elf::{FileHeader64, PT_GNU_RELRO, PT_LOAD};
use object::read::elf::{ElfFile, ProgramHeader};
use object::{Endianness, Object, ObjectSection};

use crate::build::{KEPT, VARIANTS, Variant, build};
use crate::debugger::gdb;
use crate::skipped;

const DESCRIPTORS: &str = "__rseq_cs";
const POINTERS: &str = "__rseq_cs_ptr_array";
const EXIT_POINTS: &str = "__rseq_exit_point_array";

type Elf<'d> = ElfFile<'d, FileHeader64<Endianness>>;

fn program(variant: Variant) -> Vec<u8> {
    fs::read(build(["--bin", "percpu"], variant)).expect("it was built")
}

/// Address and bytes of a section.
fn section<'d>(file: &Elf<'d>, name: &str) -> Option<(u64, &'d [u8])> {
    let section = file.section_by_name(name)?;
    Some((section.address(), section.data().expect("it is in the file")))
}

fn words(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().expect("eight bytes"))).collect()
}

#[test]
fn without_the_script_the_linkers_drop_the_arrays() {
    for variant in &VARIANTS[..4] {
        let data = program(*variant);
        let file = Elf::parse(&*data).expect("it was linked");
        assert!(section(&file, DESCRIPTORS).is_some(), "{}", variant.name);
        assert!(section(&file, POINTERS).is_none(), "{}: the script is for nothing", variant.name);
        assert!(section(&file, EXIT_POINTS).is_none(), "{}: the script is for nothing", variant.name);
    }
}

#[test]
fn with_it_they_are_there_and_read_only() {
    for variant in KEPT {
        let name = variant.name;
        let data = program(*variant);
        let file = Elf::parse(&*data).expect("it was linked");
        let sizes = [DESCRIPTORS, POINTERS, EXIT_POINTS].map(|section_name| {
            let (address, bytes) = section(&file, section_name).unwrap_or_else(|| panic!("{name} has {section_name}"));
            assert!(in_relro(&file, address, bytes.len()), "{name}: {section_name} stays writable");
            bytes.len()
        });
        assert!(sizes[0] > 0 && sizes[0] == 4 * sizes[1] && sizes[2] > 0, "{name}: {sizes:?}");
    }
}

/// What the script costs where no section of an object file with 30 ever runs.
#[test]
fn dead_sections_stay_with_it() {
    for (without, with) in VARIANTS[..2].iter().zip(&KEPT[..2]) {
        let [dropped, kept] = [without, with].map(|variant| Loaded::of(["--example", "dead"], *variant));
        assert_eq!(dropped.sections, 0, "{}", with.name);
        // The core's own memory has some too, which stay with these.
        assert!((30..60).contains(&kept.sections), "{}: {}", with.name, kept.sections);
        println!("{}: {} bytes for each section", with.name, (kept.bytes - dropped.bytes) / kept.sections);
    }
}

/// What is loaded of a program.
struct Loaded {
    sections: u64,
    bytes: u64,
}

impl Loaded {
    fn of(target: [&'static str; 2], variant: Variant) -> Self {
        let data = fs::read(build(target, variant)).expect("it was built");
        let file = Elf::parse(&*data).expect("it was linked");
        let endian = file.endian();
        let loaded = file.elf_program_headers().iter().filter(|header| header.p_type(endian) == PT_LOAD);
        let descriptors = section(&file, DESCRIPTORS).map_or(0, |(_, bytes)| bytes.len() as u64 / 32);
        Self { sections: descriptors, bytes: loaded.map(|header| header.p_filesz(endian)).sum() }
    }
}

fn in_relro(file: &Elf<'_>, address: u64, length: usize) -> bool {
    let endian = file.endian();
    let region = file.elf_program_headers().iter().find(|header| header.p_type(endian) == PT_GNU_RELRO);
    let region = region.expect("programs have a RELRO region");
    let (start, end) = (region.p_vaddr(endian), region.p_vaddr(endian) + region.p_memsz(endian));
    (start..end).contains(&address) && address + length as u64 <= end
}

#[test]
fn programs_with_it_run() {
    for variant in KEPT {
        let output = Command::new(build(["--bin", "percpu"], *variant)).arg("adopt").output().expect("it starts");
        let printed = String::from_utf8_lossy(&output.stdout);
        match output.status.code() {
            Some(4) => skipped(format_args!("{}: {printed}", variant.name)),
            code => assert_eq!(code, Some(0), "{}: {printed}", variant.name),
        }
    }
}

#[test]
fn a_debugger_lists_all_sections() {
    for variant in KEPT {
        let path = build(["--bin", "percpu"], *variant);
        let listing = match listing(&path) {
            Ok(listing) => listing,
            Err(reason) => {
                skipped(format_args!("{}: {reason:#}", variant.name));
                continue;
            }
        };
        let data = fs::read(&path).expect("it was built");
        let file = Elf::parse(&*data).expect("it was linked");
        let [pointers, exits] = [POINTERS, EXIT_POINTS].map(|name| words(section(&file, name).expect("kept").1));
        let totals = format!("{} sections, {} exit points", pointers.len(), exits.len() / 2);
        assert_eq!(listing.last(), Some(&totals), "{}", variant.name);
        if variant.pie {
            // The dynamic linker fills in what is 0 in the file.
            assert!(listing.iter().all(|line| !line.contains("0x0,")), "{}: {listing:?}", variant.name);
            assert_eq!(listing.len(), pointers.len() + exits.len() / 2 + 1, "{}: {listing:?}", variant.name);
        } else {
            assert_eq!(listing[..listing.len() - 1], expected(&file, &pointers, &exits), "{}", variant.name);
        }
    }
}

/// What the script prints at the end of the program, without the names of functions; or why gdb could not run it.
fn listing(program: &Path) -> anyhow::Result<Vec<String>> {
    let printed = gdb(program, &["catch syscall exit_group", "run", "rseq-sections"])?;
    let ours =
        |line: &&str| line.starts_with("section ") || line.starts_with("    leaves") || line.contains(" exit points");
    let listing = printed.lines().filter(ours).map(|line| line.split(", in ").next().unwrap_or_default().to_owned());
    let listing: Vec<_> = listing.collect();
    assert!(!listing.is_empty(), "gdb lists nothing: {printed}");
    Ok(listing)
}

/// What is in the file: each section, and where it leaves to.
fn expected(file: &Elf<'_>, pointers: &[u64], exits: &[u64]) -> Vec<String> {
    let (base, descriptors) = section(file, DESCRIPTORS).expect("kept");
    assert_eq!(pointers.len(), descriptors.len() / 32);
    let mut lines = Vec::new();
    for address in pointers {
        let fields = words(&descriptors[(address - base) as usize..][..32]);
        let [start, length, abort] = [fields[1], fields[2], fields[3]];
        let end = start + length;
        lines.push(format!("section {start:#x} to {end:#x}, aborts to {abort:#x}, descriptor {address:#x}"));
        let leaves = exits.chunks_exact(2).filter(|pair| pair[0] == start);
        lines.extend(leaves.map(|pair| format!("    leaves to {:#x}", pair[1])));
    }
    lines
}
