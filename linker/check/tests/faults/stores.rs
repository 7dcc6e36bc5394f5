//! Stores before the commit, and the commit.

use super::*;

#[test]
fn a_store_to_the_place_of_the_commit_is_a_fault() {
    found("stores where it commits to", |plan| plan.slot = plan.arch.store.to_vec());
    // By the same register, but not to the same place.
    clean(|plan| plan.slot = [plan.arch.store, plan.arch.advance].concat());
}

#[test]
fn the_stack_is_the_threads_own() {
    each(
        |arch| Plan { slot: arch.stack.to_vec(), ..Plan::right(arch) },
        |arch, checked| {
            assert_eq!((checked.findings, checked.notes), (Vec::new(), Vec::new()), "{}", arch.name);
        },
    );
    found("ends with a store to its own stack", |plan| ends_with(plan, plan.arch.stack));
}

/// Makes an instruction in the slot the last one.
fn ends_with(plan: &mut Plan, instruction: &[u8]) {
    plan.slot = instruction.to_vec();
    plan.length = (plan.arch.branch.len() + instruction.len()) as i64 - plan.length();
}

#[test]
fn every_kind_of_store_is_one() {
    for arch in ARCHES {
        for store in arch.stores {
            let early = checked(&Plan { slot: store.to_vec(), ..Plan::right(arch) }).sections[0].repeated_stores.len();
            assert_eq!(early, 1, "{}: {store:02x?}", arch.name);
        }
        for read in arch.reads {
            let early = checked(&Plan { slot: read.to_vec(), ..Plan::right(arch) }).sections[0].repeated_stores.len();
            assert_eq!(early, 0, "{}: {read:02x?}", arch.name);
        }
    }
}

#[test]
fn another_store_is_noted_and_a_fault_for_those_who_repeat_none() {
    let early = |arch: &'static Arch| Plan { slot: arch.elsewhere.to_vec(), ..Plan::right(arch) };
    each(early, |arch, checked| {
        assert_eq!(checked.findings, [], "{}", arch.name);
        assert!(checked.notes[0].message.contains("store before their commit"), "{}: {:?}", arch.name, checked.notes);
        assert_eq!(checked.sections[0].repeated_stores.len(), 1, "{}", arch.name);
        let strict = check_data(arch.name, &early(arch).file(), &[Rule::EarlyStore]).expect("it can be read");
        assert!(strict.findings[0].message.contains("stores 1 times before its commit"), "{:?}", strict.findings);
    });
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
        // A store after the barrier is not ordered by it.
        let slot = [arch.barrier, arch.elsewhere].concat();
        assert_eq!(release(&slot), strong, "{}", arch.name);
        // Nor is a load.
        let slot = [arch.barrier, arch.load].concat();
        assert_eq!(release(&slot), strong, "{}", arch.name);
    }
    // stlr x0, [x1]; stl r0, [r1]
    for (name, store) in [("aarch64", [0x20, 0xfc, 0x9f, 0xc8]), ("arm", [0x90, 0xfc, 0x81, 0xe1])] {
        let mut plan = Plan::right(by_name(name));
        ends_with(&mut plan, &store);
        assert!(checked(&plan).sections[0].release, "{name}");
    }
}
