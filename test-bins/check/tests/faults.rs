//! Every fault of a section that a file can show, on every architecture: found, and nothing where there is none.

mod elf;

use elf::{ARCHES, Arch, Plan};
use rseq_check::{Checked, check_data};

fn checked(plan: &Plan) -> Checked {
    check_data(plan.arch.name, &plan.file(), false).unwrap_or_else(|error| panic!("{}: {error}", plan.arch.name))
}

/// On every architecture, the changed file has a finding that says this.
fn found(expected: &str, change: impl Fn(&mut Plan)) {
    for arch in ARCHES {
        let mut plan = Plan::right(arch);
        change(&mut plan);
        let findings = checked(&plan).findings;
        assert!(findings.iter().any(|finding| finding.contains(expected)), "{}: {expected}: {findings:?}", arch.name);
    }
}

fn each(change: impl Fn(&'static Arch) -> Plan, test: impl Fn(&Arch, Checked)) {
    ARCHES.iter().for_each(|arch| test(arch, checked(&change(arch))));
}

#[test]
fn what_is_right_is_clean() {
    each(Plan::right, |arch, checked| {
        assert_eq!(checked.findings, Vec::<String>::new(), "{}", arch.name);
        assert_eq!(checked.notes, Vec::<String>::new(), "{}", arch.name);
        assert_eq!((checked.machine, checked.sections.len(), checked.exit_points), (arch.name, 1, 2));
        let section = &checked.sections[0];
        assert!(section.commit.is_some() && section.repeated_stores.is_empty(), "{section:?}");
    });
}

#[test]
fn addresses_that_only_relocations_have_are_right_too() {
    for arch in ARCHES.iter().filter(|arch| arch.relative != 0) {
        let checked = checked(&Plan { relocated: true, ..Plan::right(arch) });
        assert_eq!(checked.findings, Vec::<String>::new(), "{}", arch.name);
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
}

#[test]
fn the_signature_stands_before_the_handler() {
    found("not the signature", |plan| plan.signature = 1);
    // A right signature that is not the word before the handler.
    found("not the signature", |plan| plan.abort = 4);
}

#[test]
fn sections_lie_in_code() {
    found("not within one executable section", |plan| plan.start = -0x8000);
    found("not within one executable section", |plan| plan.length = 0x8000);
    found("not within one executable section", |plan| plan.length = -plan.length());
    found("where no code is", |plan| plan.abort = 0x8000);
    found("inside itself", |plan| plan.length = 64);
}

#[test]
fn a_commit_is_the_last_instruction() {
    // One instruction too long, and one too short.
    found("does not end with a store", |plan| plan.length = plan.arch.nop.len() as i64);
    found("does not end with a store", |plan| plan.length = -(plan.arch.store.len() as i64));
}

#[test]
fn bounds_are_between_instructions() {
    found("in the midst of", |plan| plan.length = -1);
    // On arm, the lowest bit of an address is the state of its code.
    let part = |arch: &Arch| if arch.name == "arm" { 2 } else { 1 };
    found("in the midst of an instruction", |plan| plan.start = part(plan.arch));
    found("in the midst of an instruction", |plan| plan.abort = -part(plan.arch));
}

#[test]
fn calls_and_system_calls_are_found() {
    found("calls: ", |plan| plan.slot = plan.arch.call.to_vec());
    found("makes a system call: ", |plan| plan.slot = plan.arch.system.to_vec());
}

#[test]
fn branches_out_are_recorded() {
    found("leaves where no exit point is recorded", |plan| plan.exit = None);
    found("inside its section", |plan| plan.exit = Some(-(plan.arch.distance as i64)));
    found("where no code is", |plan| plan.exit = Some(0x8000));
}

#[test]
fn nothing_leads_into_the_midst() {
    found("is entered in its midst", |plan| plan.entered = true);
}

#[test]
fn a_store_to_the_place_of_the_commit_is_a_fault() {
    found("stores where it commits to", |plan| plan.slot = plan.arch.store.to_vec());
}

#[test]
fn another_store_is_noted_and_a_fault_for_those_who_repeat_none() {
    let early = |arch: &'static Arch| Plan { slot: arch.elsewhere.to_vec(), ..Plan::right(arch) };
    each(early, |arch, checked| {
        assert_eq!(checked.findings, Vec::<String>::new(), "{}", arch.name);
        assert!(checked.notes[0].contains("store before their commit"), "{}: {:?}", arch.name, checked.notes);
        assert_eq!(checked.sections[0].repeated_stores.len(), 1, "{}", arch.name);
        let strict = check_data(arch.name, &early(by_name(arch.name)).file(), true).expect("it can be read");
        assert!(strict.findings[0].contains("stores 1 times before its commit"), "{:?}", strict.findings);
    });
}

fn by_name(name: &str) -> &'static Arch {
    ARCHES.iter().find(|arch| arch.name == name).expect("a name of the table")
}

#[test]
fn a_release_is_told_from_a_plain_store() {
    let with = |slot: &[u8], arch| Plan { slot: slot.to_vec(), ..Plan::right(arch) };
    for arch in ARCHES {
        let release = |slot: &[u8]| checked(&with(slot, arch)).sections[0].release;
        let strong = arch.barrier.is_empty();
        assert_eq!(release(&[]), strong, "{}", arch.name);
        assert!(release(arch.barrier), "{}", arch.name);
        assert_eq!(release(arch.weaker), strong, "{}", arch.name);
        // A store behind the barrier is not ordered by it.
        let slot = [arch.barrier, arch.elsewhere].concat();
        assert_eq!(release(&slot), strong, "{}", arch.name);
    }
}
