//! Every fault of a section that a file can show, on every architecture: found, and nothing where there is none.

mod branches;
#[path = "../elf/mod.rs"]
mod elf;
mod omission;
mod stores;

use elf::{ARCHES, Arch, Plan};
use rseq_check::{Checked, Rule, check_data};

fn checked(plan: &Plan) -> Checked {
    check_data(plan.arch.name, &plan.file(), &[]).unwrap_or_else(|error| panic!("{}: {error}", plan.arch.name))
}

/// On every architecture, the changed file has a finding that says this.
fn found(expected: &str, change: impl Fn(&mut Plan)) {
    for arch in ARCHES {
        let mut plan = Plan::right(arch);
        change(&mut plan);
        let findings = checked(&plan).findings;
        assert!(
            findings.iter().any(|finding| finding.message.contains(expected)),
            "{}: {expected}: {findings:?}",
            arch.name
        );
    }
}

/// On every architecture, the changed file has no finding.
fn clean(change: impl Fn(&mut Plan)) {
    for arch in ARCHES {
        let mut plan = Plan::right(arch);
        change(&mut plan);
        assert_eq!(checked(&plan).findings, [], "{}", arch.name);
    }
}

/// Every architecture's, in the slot, have a finding that says this.
fn each_found(expected: &str, instructions: impl Fn(&Arch) -> Vec<&'static [u8]>) {
    for arch in ARCHES {
        for instruction in instructions(arch) {
            let findings = checked(&Plan { slot: instruction.to_vec(), ..Plan::right(arch) }).findings;
            let is_found = findings.iter().any(|finding| finding.message.contains(expected));
            assert!(is_found, "{}: {expected}: {instruction:02x?}: {findings:?}", arch.name);
        }
    }
}

fn by_name(name: &str) -> &'static Arch {
    ARCHES.iter().find(|arch| arch.name == name).expect("a name of the table")
}

fn each(change: impl Fn(&'static Arch) -> Plan, test: impl Fn(&'static Arch, Checked)) {
    ARCHES.iter().for_each(|arch| test(arch, checked(&change(arch))));
}

#[test]
fn what_is_right_is_clean() {
    each(Plan::right, |arch, checked| {
        assert_eq!(checked.findings, [], "{}", arch.name);
        assert_eq!(checked.notes, [], "{}", arch.name);
        assert_eq!((checked.machine, checked.sections.len(), checked.exit_points), (arch.name, 1, 2));
        let section = &checked.sections[0];
        assert!(section.commit.is_some() && section.repeated_stores.is_empty(), "{section:?}");
    });
}

#[test]
fn addresses_that_only_relocations_have_are_right_too() {
    for arch in ARCHES.iter().filter(|arch| arch.relative != 0) {
        let checked = checked(&Plan { relocated: true, ..Plan::right(arch) });
        assert_eq!(checked.findings, [], "{}", arch.name);
        // Another kind of relocation does something else.
        let other: &Arch = Box::leak(Box::new(Arch { relative: arch.relative + 1, ..*arch }));
        assert_ne!(self::checked(&Plan { relocated: true, ..Plan::right(other) }).findings, []);
    }
}

#[test]
fn version_and_flags_are_nought() {
    found("has version 1 and flags 0x0", |plan| plan.version = 1);
    found("has version 0 and flags 0x4", |plan| plan.flags = 4);
}

#[test]
fn descriptors_are_aligned_and_pointed_to_once() {
    found("is not aligned to 32 bytes", |plan| plan.misaligned = 8);
    found("does not point to", |plan| plan.pointers = 0);
    found("2 times", |plan| plan.pointers = 2);
    found("where no descriptor is", |plan| plan.pointer = 32);
}

#[test]
fn the_signature_stands_before_the_handler() {
    found("not the signature", |plan| plan.signature = 1);
    // A right signature that is not the word before the handler.
    found("not the signature", |plan| plan.abort = 4);
    found("no signature before", |plan| plan.abort = -0x8000);
}

#[test]
fn sections_lie_in_code() {
    found("not within one executable section", |plan| plan.start = -0x8000);
    found("not within one executable section", |plan| plan.length = 0x8000);
    found("not within one executable section", |plan| plan.length = -plan.length());
    found("which is not code", |plan| plan.abort = 0x8000);
    found("inside itself", |plan| plan.length = 128);
}

#[test]
fn what_arms_a_section_stands_before_it() {
    found("is not armed", |plan| plan.arming = Vec::new());
    found("is not armed", |plan| plan.arming = plan.arch.load.to_vec());
    // One's own stack is no area.
    found("is not armed", |plan| plan.arming = plan.arch.stack.to_vec());
    // The store is not the last before it.
    found("is not armed", |plan| plan.arming = [plan.arch.elsewhere, plan.arch.nop].concat());
}

#[test]
fn a_commit_is_the_last_instruction() {
    // One instruction too long, and one too short.
    found("does not end with a store", |plan| plan.length = plan.arch.nop.len() as i64);
    found("does not end with a store", |plan| plan.length = -(plan.arch.store.len() as i64));
}

#[test]
fn bounds_are_between_instructions() {
    found("in the middle of", |plan| plan.length = -1);
    // On arm, the lowest bit of an address is the state of its code.
    let part = |arch: &Arch| if arch.name == "arm" { 2 } else { 1 };
    found("in the middle of an instruction", |plan| plan.start = part(plan.arch));
    found("in the middle of an instruction", |plan| plan.abort = part(plan.arch));
}

#[test]
fn the_abort_handler_needs_no_exit_point() {
    for arch in ARCHES {
        let right = checked(&Plan::right(arch)).sections.remove(0);
        let abort = (right.start + arch.distance).wrapping_sub(right.abort) as i64;
        let findings = checked(&Plan { abort, exit: None, ..Plan::right(arch) }).findings;
        assert!(findings.iter().all(|finding| finding.message.contains("signature")), "{}: {findings:?}", arch.name);
    }
}

/// Local labels are addresses without the bit for Thumb.
#[test]
fn symbols_or_the_entry_say_what_is_thumb() {
    let thumb = ARCHES.iter().find(|arch| arch.state == 1).expect("one in Thumb state");
    let finds = |symbols: &[(&'static str, i64)], begins| {
        let plan = Plan { state: false, symbols: symbols.to_vec(), begins, ..Plan::right(thumb) };
        !checked(&plan).findings.is_empty()
    };
    assert!(finds(&[], false), "ARM and Thumb look alike");
    assert!(!finds(&[], true), "the entry");
    assert!(!finds(&[("$t", -64)], false) && !finds(&[("$t.1", -64)], false), "a symbol");
    assert!(finds(&[("$a", -64)], true) && finds(&[("$t", -64), ("$a", 0)], false), "another symbol");
    assert!(finds(&[("$time", -64)], false) && finds(&[("t", -64)], false), "no mapping symbol");
}

#[test]
fn what_symbols_call_data_leads_nowhere() {
    for arch in ARCHES {
        let code = if arch.state == 1 { "$t" } else { "$x" };
        let mut plan = Plan { entered: Some(arch.branch.len()), ..Plan::right(arch) };
        plan.symbols = vec![("$d", -64), (code, -(plan.arming.len() as i64))];
        assert_eq!(checked(&plan).findings, [], "{}", arch.name);
        // Data before the section of code says nothing of it.
        for symbols in [vec![(code, -64)], vec![("$d", -65)]] {
            let findings = checked(&Plan { symbols, ..plan.clone() }).findings;
            assert!(findings[0].message.contains("entered after its start"), "{}: {findings:?}", arch.name);
        }
    }
}

#[test]
fn missing_arrays_are_noted() {
    each(
        |arch| Plan { arrays: false, ..Plan::right(arch) },
        |arch, checked| {
            assert_eq!(checked.findings, [], "{}", arch.name);
            assert!(checked.notes[0].message.contains("no __rseq_cs_ptr_array"), "{:?}", checked.notes);
            assert!(checked.notes[1].message.contains("1 branches out of sections"), "{:?}", checked.notes);
        },
    );
}

/// As of a library that records none, beside another one that does.
#[test]
fn a_section_without_exit_points_is_noted_beside_others_that_have_them() {
    let strangers = |arch| Plan { exit: None, exits_of_others: true, ..Plan::right(arch) };
    each(strangers, |arch, checked| {
        assert_eq!((checked.findings.len(), checked.exit_points), (1, 1), "{}: {:?}", arch.name, checked.findings);
        assert_eq!(checked.findings[0].rule, Rule::StrayExit, "{}", arch.name);
        assert_eq!(checked.notes[0].rule, Rule::UnrecordedExit, "{}", arch.name);
        let denied = check_data(arch.name, &strangers(arch).file(), &[Rule::UnrecordedExit]).expect("it can be read");
        let branches = denied.findings.iter().filter(|finding| finding.rule == Rule::UnrecordedExit);
        assert_eq!((branches.count(), denied.notes.len()), (1, 0), "{}: {:?}", arch.name, denied.findings);
    });
}

#[test]
fn arrays_are_whole() {
    for name in ["__rseq_cs", "__rseq_cs_ptr_array", "__rseq_exit_point_array"] {
        found("are not a multiple of", |plan| plan.resized = Some((name, 4)));
    }
}

#[test]
fn a_section_is_no_longer_than_64_kib() {
    found("too long to be looked at", |plan| {
        plan.tail = 0x1_1000;
        plan.length = 0x1_0800;
    });
}

#[test]
fn what_is_not_linked_or_not_whole_is_refused() {
    let refused = |expected: &str, change: &dyn Fn(&mut Plan), spoil: &dyn Fn(&mut [u8])| {
        let mut plan = Plan::right(by_name("x86_64"));
        change(&mut plan);
        let mut data = plan.file();
        spoil(&mut data);
        let error = check_data("spoilt", &data, &[]).expect_err(expected);
        assert!(error.to_string().contains(expected), "{error}");
    };
    // e_type, e_shnum, and the segment's p_filesz.
    refused("not linked", &|_| {}, &|data| data[0x10] = 1);
    refused("no section headers", &|_| {}, &|data| data[0x3c] = 0);
    refused("a segment lies outside", &|_| {}, &|data| data[64 + 0x24] = 1);
    refused("more than the file has", &|plan| plan.resized = Some(("__rseq_cs", 1 << 20)), &|_| {});
    let huge = |plan: &mut Plan| (plan.resized, plan.length) = (Some((".text", 1 << 20)), 1 << 19);
    refused("critical sections overlap", &huge, &|_| {});
}
