//! 30 critical sections that never run, in functions of their own beside a `main` without one: what a linker keeps of
//! them.

use rseq_core::ThreadArea;
use rseq_core::ops::this_cpu;

macro_rules! dead {
    ($($name:ident $addend:literal)*) => {
        $(
            /// Adds a number that no other function adds, or they would become one.
            ///
            /// # Safety
            ///
            /// `words` is the first of `slots` slots of 64 bytes, each beginning with a valid word.
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name(words: *mut usize, slots: usize) -> bool {
                let Some(token) = ThreadArea::current() else { return false };
                // SAFETY: the caller's contract is the section's.
                unsafe { this_cpu::add::<64, _, _>(token, words, slots, $addend) }.is_ok()
            }
        )*
    };
}

dead!(dead_00 0 dead_01 1 dead_02 2 dead_03 3 dead_04 4 dead_05 5);
dead!(dead_06 6 dead_07 7 dead_08 8 dead_09 9 dead_10 10 dead_11 11);
dead!(dead_12 12 dead_13 13 dead_14 14 dead_15 15 dead_16 16 dead_17 17);
dead!(dead_18 18 dead_19 19 dead_20 20 dead_21 21 dead_22 22 dead_23 23);
dead!(dead_24 24 dead_25 25 dead_26 26 dead_27 27 dead_28 28 dead_29 29);

fn main() {}
