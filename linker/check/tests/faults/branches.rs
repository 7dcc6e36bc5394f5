//! Branches, exits, calls and system calls.

use super::*;

#[test]
fn calls_and_system_calls_are_found() {
    each_found("calls: ", |arch| arch.calls.to_vec());
    each_found("makes a system call: ", |arch| arch.systems.to_vec());
}

#[test]
fn branches_lead_to_known_instructions() {
    each_found("has an indirect branch: ", |arch| arch.by_register.to_vec());
    clean(|plan| plan.slot = plan.arch.here.to_vec());
    // Into the branch before; elsewhere nothing leads between two words.
    for (name, back) in [
        ("x86_64", &[0xeb, 0xfd][..]),
        ("i686", &[0xeb, 0xfd]),
        ("riscv64", &[0x6f, 0xf0, 0xff, 0xff]),
        ("s390x", &[0xa7, 0xf4, 0xff, 0xff]),
    ] {
        let findings = checked(&Plan { slot: back.to_vec(), ..Plan::right(by_name(name)) }).findings;
        assert!(findings[0].message.contains("branches into the middle of an instruction"), "{name}: {findings:?}");
    }
}

#[test]
fn branches_out_are_recorded() {
    found("leaves by an unrecorded exit", |plan| plan.exit = None);
    found("inside its section", |plan| plan.exit = Some(-(plan.arch.distance as i64)));
    found("which is not code", |plan| plan.exit = Some(0x8000));
    found("belongs to no section", |plan| plan.exit_of = 4);
}

/// Instructions that put registers back, or a jump, may stand between a branch and its exit; not much may.
#[test]
fn exits_may_be_a_few_instructions_away() {
    let nops = |plan: &mut Plan, count| (plan.exit, plan.tail) = (Some(count * plan.arch.nop.len() as i64), 128);
    clean(|plan| nops(plan, 15));
    found("leaves by an unrecorded exit", |plan| nops(plan, 16));
    found("leaves by an unrecorded exit", |plan| {
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
    // A call on a condition runs what follows it: `bgezal $4, 1f`, `bnel 1f`.
    let mips_condition = [0x0481_0002 | 1 << 20, 0, 0].map(u32::to_le_bytes).concat();
    for (name, slot) in [("mips64", mips_condition), ("powerpc64", 0x4082_0009_u32.to_le_bytes().to_vec())] {
        let findings = checked(&Plan { slot, ..Plan::right(by_name(name)) }).findings;
        assert!(findings[0].message.contains("calls: "), "{name}: {findings:?}");
    }
    let findings = checked(&Plan { slot: mips(0x0000_000c), ..Plan::right(by_name("mips64")) }).findings;
    assert!(findings[0].message.contains("makes a system call"), "{findings:?}");
}

#[test]
fn nothing_branches_into_a_section() {
    found("is entered after its start", |plan| plan.entered = Some(plan.arch.branch.len()));
    clean(|plan| plan.entered = Some(0));
}
