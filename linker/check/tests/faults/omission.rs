//! The rules for sections that DynamoRIO runs without their stores.

use super::*;

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
