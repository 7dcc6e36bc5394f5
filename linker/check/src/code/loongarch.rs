//! LoongArch, 64 bits: the instructions that branch, store, order or enter the kernel, by the reference manual's tables
//! (volume 1, version 1.1). All other words continue with the next one.

use super::{Flow, Instruction, Meaning};

/// None for words that are not instructions.
pub fn decode(word: u32, address: u64) -> Option<(String, Meaning)> {
    if word == 0 || word == u32::MAX {
        return None;
    }
    let (d, j) = (word & 31, word >> 5 & 31);
    let near = |distance: i64| Some(address.wrapping_add_signed(distance));
    let (name, meaning) = match word >> 26 {
        0x10..=0x12 => {
            let target = near(signed(word >> 10 & 0xffff | d << 16, 21));
            ("b(eq|ne|c)z", Meaning::flow(Flow::Branch(target)))
        }
        0x13 if d == 0 => ("jirl", Meaning::flow(Flow::Jump(None))),
        0x13 => ("jirl", Meaning::flow(Flow::Call(None))),
        0x14 => ("b", Meaning::flow(Flow::Jump(near(wide(word))))),
        0x15 => ("bl", Meaning::flow(Flow::Call(near(wide(word))))),
        0x16..=0x1b => ("b(cond)", Meaning::flow(Flow::Branch(near(signed(word >> 10 & 0xffff, 16))))),
        _ => plain(word),
    };
    let target = meaning.flow.target().map(|target| format!(", {target:#x}")).unwrap_or_default();
    let rest = word >> 10 & 0xfff;
    let text = match touches_memory(word) {
        true => format!("{name} $r{d}, ($r{j}, {rest:#x})"),
        false => format!("{name} $r{d}, $r{j}, {rest:#x}{target}"),
    };
    Some((text, meaning))
}

fn plain(word: u32) -> (&'static str, Meaning) {
    match word & 0xffff_8000 {
        0x002b_0000 => ("syscall", Meaning::flow(Flow::System)),
        // Hints 0x12 and 0x10 keep loads and stores before later stores; those that are not known are full barriers.
        0x3872_0000 => ("dbar", Meaning { orders: matches!(word & 0x7fff, 0 | 0x10 | 0x12), ..Meaning::default() }),
        _ if stores(word) => ("st", Meaning::stores(true)),
        _ if touches_memory(word) => ("ld", Meaning::default()),
        _ => ("word", Meaning::default()),
    }
}

/// Whether it loads or stores, or may.
fn touches_memory(word: u32) -> bool {
    matches!(word >> 26, 0x08..=0x0c) || matches!(word >> 15, 0x7000..=0x70e3 | 0x70e8..=0x70ff)
}

fn stores(word: u32) -> bool {
    match word >> 22 {
        // st.b, st.h, st.w, st.d; fst.s, fst.d; vst, xvst
        0x0a4..=0x0a7 | 0x0ad | 0x0af | 0x0b1 | 0x0b3 => true,
        _ => match word >> 24 {
            // sc.w, sc.d, stptr.w, stptr.d; vstelm and xvstelm
            0x21 | 0x23 | 0x25 | 0x27 | 0x31 | 0x33 => true,
            // stx.b to stx.d, fstx, vstx, xvstx; sc.q, am*; stgt, stle
            _ => matches!(word >> 15,
                0x7020 | 0x7028 | 0x7030 | 0x7038 | 0x7070 | 0x7078 | 0x7088 | 0x7098
                | 0x70ae | 0x70b0..=0x70e3 | 0x70ec..=0x70ef | 0x70f8..=0x70ff),
        },
    }
}

/// The distance of `b` and `bl`: its upper bits are the lowest of the word.
fn wide(word: u32) -> i64 {
    signed(word >> 10 & 0xffff | (word & 0x3ff) << 16, 26)
}

/// Bytes from a count of words with so many bits.
fn signed(value: u32, bits: u32) -> i64 {
    let shift = 32 - bits;
    i64::from((value << shift) as i32 >> shift) * 4
}

/// `pcaddu18i r, high; jirl $zero, r, low`.
pub fn far(before: &[Instruction]) -> Option<u64> {
    let [.., high, low] = before else { return None };
    let pair = high.word >> 25 == 0x0f && low.word >> 26 == 0x13 && high.word & 31 == low.word >> 5 & 31;
    let upper = i64::from((high.word >> 5 << 12) as i32 >> 12) << 18;
    pair.then(|| high.address.wrapping_add_signed(upper).wrapping_add_signed(signed(low.word >> 10 & 0xffff, 16)))
}
