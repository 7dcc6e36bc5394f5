//! Every fault of a section that a file can show, on every architecture: found, and nothing where there is none.

mod elf;

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
    found("where no code is", |plan| plan.abort = 0x8000);
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
    found("in the midst of", |plan| plan.length = -1);
    // On arm, the lowest bit of an address is the state of its code.
    let part = |arch: &Arch| if arch.name == "arm" { 2 } else { 1 };
    found("in the midst of an instruction", |plan| plan.start = part(plan.arch));
    found("in the midst of an instruction", |plan| plan.abort = part(plan.arch));
}

#[test]
fn calls_and_system_calls_are_found() {
    each_found("calls: ", |arch| arch.calls.to_vec());
    each_found("makes a system call: ", |arch| arch.systems.to_vec());
}

#[test]
fn branches_lead_to_known_instructions() {
    each_found("leaves to where a register says: ", |arch| arch.by_register.to_vec());
    clean(|plan| plan.slot = plan.arch.here.to_vec());
    // Into the branch before; elsewhere nothing leads between two words.
    for (name, back) in [
        ("x86_64", &[0xeb, 0xfd][..]),
        ("i686", &[0xeb, 0xfd]),
        ("riscv64", &[0x6f, 0xf0, 0xff, 0xff]),
        ("s390x", &[0xa7, 0xf4, 0xff, 0xff]),
    ] {
        let findings = checked(&Plan { slot: back.to_vec(), ..Plan::right(by_name(name)) }).findings;
        assert!(findings[0].message.contains("branches into the midst of an instruction"), "{name}: {findings:?}");
    }
}

#[test]
fn branches_out_are_recorded() {
    found("leaves where no exit point is recorded", |plan| plan.exit = None);
    found("inside its section", |plan| plan.exit = Some(-(plan.arch.distance as i64)));
    found("where no code is", |plan| plan.exit = Some(0x8000));
    found("belongs to no section", |plan| plan.exit_of = 4);
}

/// Instructions that put registers back, or a jump, may stand between a branch and its exit; not much may.
#[test]
fn exits_may_be_a_few_instructions_away() {
    let nops = |plan: &mut Plan, count| (plan.exit, plan.tail) = (Some(count * plan.arch.nop.len() as i64), 128);
    clean(|plan| nops(plan, 15));
    found("leaves where no exit point is recorded", |plan| nops(plan, 16));
    found("leaves where no exit point is recorded", |plan| {
        plan.behind = plan.arch.systems[0].to_vec();
        plan.exit = Some(plan.behind.len() as i64);
    });
    for (name, jump, distance) in [
        // Over a system call.
        ("x86_64", &[0xeb, 0x02, 0x0f, 0x05][..], 4),
        ("aarch64", &[0x02, 0x00, 0x00, 0x14, 0x01, 0x00, 0x00, 0xd4], 8),
        ("arm", &[0x00, 0x00, 0x00, 0xea, 0x00, 0x00, 0x00, 0xef], 8),
        ("powerpc64", &[0x08, 0x00, 0x00, 0x48, 0x02, 0x00, 0x00, 0x44], 8),
        ("riscv64", &RISCV_FAR, 40),
        ("loongarch64", &LOONGARCH_FAR, 40),
    ] {
        let (arch, behind) = (by_name(name), jump.to_vec());
        let plan = Plan { behind, tail: 64, exit: Some(distance), ..Plan::right(arch) };
        assert_eq!(checked(&plan).findings, [], "{name}");
        // So may the abort handler: linkers put a jump in between that reaches far.
        let section = checked(&plan).sections.remove(0);
        let abort = (section.start + arch.distance).wrapping_sub(section.abort) as i64 + distance;
        let findings = checked(&Plan { abort, exit: None, ..plan }).findings;
        assert!(findings.iter().all(|finding| finding.message.contains("signature")), "{name}: {findings:?}");
    }
}

/// `auipc t0, 0; jr 40(t0)`.
const RISCV_FAR: [u8; 8] = [0x97, 0x02, 0x00, 0x00, 0x67, 0x80, 0x82, 0x02];
/// `pcaddu18i $t0, 0; jirl $zero, $t0, 40`.
const LOONGARCH_FAR: [u8; 8] = [0x0c, 0x00, 0x00, 0x1e, 0x80, 0x29, 0x00, 0x4c];
/// `bal 1f; lw $25, 0($31); .word 32; 1: daddu $25, $25, $31; move $31, $2; jr $25; nop`.
const MIPS_FAR: [u32; 7] = [0x0411_0002, 0x8ff9_0000, 32, 0x033f_c82d, 0x0040_f825, 0x0320_0008, 0];

#[test]
fn far_jumps_are_followed() {
    let mips = MIPS_FAR.map(u32::to_le_bytes).concat();
    for (name, jump) in [("riscv64", &RISCV_FAR[..]), ("loongarch64", &LOONGARCH_FAR), ("mips64", &mips)] {
        let plan = Plan { slot: jump.to_vec(), ..Plan::right(by_name(name)) };
        assert_eq!(checked(&plan).findings, [], "{name}");
        let findings = checked(&Plan { exit: None, ..plan }).findings;
        assert_eq!(findings.len(), 2, "the branch and the jump: {name}: {findings:?}");
    }
}

/// A call over a constant has its address and returns from nowhere; what is in its delay slot is run.
#[test]
fn constants_among_instructions_are_passed_over() {
    let mips = |delay: u32| [0x0411_0002, delay, u32::MAX].map(u32::to_le_bytes).concat();
    let powerpc = [0x429f_0009, 0].map(u32::to_le_bytes).concat();
    for (name, slot) in [("mips64", mips(0)), ("powerpc64", powerpc)] {
        let findings = checked(&Plan { slot, ..Plan::right(by_name(name)) }).findings;
        assert_eq!(findings, [], "{name}");
    }
    // A call on a condition runs what is behind it: `bgezal $4, 1f`, `bnel 1f`.
    let mips_condition = [0x0481_0002 | 1 << 20, 0, 0].map(u32::to_le_bytes).concat();
    for (name, slot) in [("mips64", mips_condition), ("powerpc64", 0x4082_0009_u32.to_le_bytes().to_vec())] {
        let findings = checked(&Plan { slot, ..Plan::right(by_name(name)) }).findings;
        assert!(findings[0].message.contains("calls: "), "{name}: {findings:?}");
    }
    let findings = checked(&Plan { slot: mips(0x0000_000c), ..Plan::right(by_name("mips64")) }).findings;
    assert!(findings[0].message.contains("makes a system call"), "{findings:?}");
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
            assert!(findings[0].message.contains("entered in its midst"), "{}: {findings:?}", arch.name);
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
fn nothing_leads_into_the_midst() {
    found("is entered in its midst", |plan| plan.entered = Some(plan.arch.branch.len()));
    clean(|plan| plan.entered = Some(0));
}

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
        // A store behind the barrier is not ordered by it.
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

/// The codes of DynamoRIO's rules that a file with this in the slot breaks.
fn dynamorio(name: &str, slot: &[u8]) -> Vec<&'static str> {
    let plan = Plan { slot: slot.to_vec(), ..Plan::right(by_name(name)) };
    let findings = check_data(name, &plan.file(), Rule::DYNAMORIO).expect("it can be read").findings;
    let codes = findings.iter().map(|finding| finding.rule).filter(|rule| Rule::DYNAMORIO.contains(rule));
    codes.map(Rule::code).collect()
}

/// The branch at the section's start goes by flags from outside.
const RIGHT: &[&str] = &["RC0604"];

#[test]
fn dynamorio_is_asked_for() {
    each(Plan::right, |arch, checked| assert_eq!(checked.findings, [], "{}", arch.name));
    for arch in ARCHES {
        let expected: &[&str] = match arch.name {
            "x86_64" | "i686" | "aarch64" => RIGHT,
            _ => &["RC0601"],
        };
        assert_eq!(dynamorio(arch.name, &[]), expected, "{}", arch.name);
    }
    // Each rule by its own code.
    let file = Plan { slot: vec![0x50], ..Plan::right(by_name("x86_64")) }.file();
    let findings = check_data("push", &file, &[Rule::SideEffect]).expect("it can be read").findings;
    assert_eq!(findings.iter().map(|finding| finding.rule).collect::<Vec<_>>(), [Rule::SideEffect]);
}

#[test]
fn dynamorio_leaves_stores_out_whole() {
    for (slot, expected) in [
        (&[0x50][..], true),                     // push rax
        (&[0x48, 0x87, 0x13], true),             // xchg [rbx], rdx
        (&[0xf0, 0x48, 0x0f, 0xc1, 0x13], true), // lock xadd [rbx], rdx
        (&[0x48, 0x0f, 0xb1, 0x13], true),       // cmpxchg [rbx], rdx
        (&[0x8f, 0x03], true),                   // pop [rbx]
        (&[0xf3, 0xa4], true),                   // rep movsb
        (&[0xaa], true),                         // stosb
        (&[0xdd, 0x1b], true),                   // fstp [rbx]
        (&[0x48, 0x89, 0x13], false),            // mov [rbx], rdx
        (&[0x48, 0x01, 0x13], false),            // add [rbx], rdx
        (&[0x58], false),                        // pop rax
    ] {
        assert_eq!(dynamorio("x86_64", slot).contains(&"RC0602"), expected, "{slot:02x?}");
    }
    for (word, expected) in [
        (0xc802_7c41_u32, true), // stxr w2, x1, [x2]
        (0xf821_0062, true),     // ldadd x1, x2, [x3]
        (0xf821_8062, true),     // swp x1, x2, [x3]
        (0xf800_8461, false),    // str x1, [x3], #8
        (0xf900_0061, false),    // str x1, [x3]
    ] {
        assert_eq!(dynamorio("aarch64", &word.to_le_bytes()).contains(&"RC0602"), expected, "{word:08x}");
    }
}

#[test]
fn dynamorio_finds_no_value_where_a_store_was_left_out() {
    let (store, load): (&[u8], &[u8]) = (&[0x48, 0x89, 0x13], &[0x48, 0x8b, 0x13]); // mov [rbx], rdx; mov rdx, [rbx]
    for (slot, expected) in [
        ([store, load].concat(), true),
        ([store, &[0x48, 0x01, 0x13]].concat(), true), // add [rbx], rdx
        ([load, store].concat(), false),
        ([store, store].concat(), false),
        ([store, &[0x48, 0x83, 0xc3, 0x08], load].concat(), false), // add rbx, 8
        ([store, &[0x48, 0x8d, 0x13]].concat(), false),             // lea rdx, [rbx]
        ([store, &[0x48, 0x8b, 0x53, 0x08]].concat(), false),       // mov rdx, [rbx + 8]
    ] {
        assert_eq!(dynamorio("x86_64", &slot).contains(&"RC0603"), expected, "{slot:02x?}");
    }
    let code = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    let (store, load) = (0xf900_0061, 0xf940_0064); // str x1, [x3]; ldr x4, [x3]
    assert!(dynamorio("aarch64", &code(&[store, load])).contains(&"RC0603"));
    // str x1, [x3], #8
    assert!(!dynamorio("aarch64", &code(&[0xf800_8461, load])).contains(&"RC0603"));
    assert!(!dynamorio("aarch64", &code(&[load, store])).contains(&"RC0603"));
}

#[test]
fn dynamorio_puts_back_general_purpose_registers_alone() {
    let count = |name, slot: &[u8]| dynamorio(name, slot).iter().filter(|code| **code == "RC0604").count();
    for (slot, expected) in [
        (&[0x0f, 0x11, 0x03][..], 2),                     // movups [rbx], xmm0
        (&[0x0f, 0x10, 0x03, 0x0f, 0x11, 0x03], 1),       // movups xmm0, [rbx]; movups [rbx], xmm0
        (&[0x66, 0x0f, 0xef, 0xc0, 0x0f, 0x11, 0x03], 1), // pxor xmm0, xmm0; movups [rbx], xmm0
        (&[0x66, 0x0f, 0xef, 0xc1], 2),                   // pxor xmm0, xmm1
        (&[0xc5, 0xf5, 0xef, 0xc2], 2),                   // vpxor ymm0, ymm1, ymm2
    ] {
        assert_eq!(count("x86_64", slot), expected, "{slot:02x?}");
    }
    for (words, expected) in [
        (&[0x3d80_0060_u32][..], 1),      // str q0, [x3]
        (&[0x3dc0_0060, 0x3d80_0060], 0), // ldr q0, [x3]; str q0, [x3]
    ] {
        let slot = words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
        assert_eq!(count("aarch64", &slot), 1 + expected, "{words:08x?}");
    }
}
