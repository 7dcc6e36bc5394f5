//! What is tried: the standard operations, sections of users, sections of every step and those of the per-CPU types,
//! each as the assembly is made from it.

use crate::types;
use rseq_core::testing::SectionIr;

mod librseq_ops {
    use rseq_core::*;
    __librseq_sections!(#![model]);
}

mod this_cpu_ops {
    use rseq_core::*;
    __this_cpu_sections!(#![model]);
}

mod every_step {
    use rseq_core::*;
    __every_step_sections!(#![model]);
}

/// Sections as users write them, with the forms of steps that no standard operation has.
mod user {
    use rseq_core::ops::{librseq, this_cpu};
    use rseq_core::*;

    critical_section! {
        #![model]

        /// `if *v != expectnot { *v = (*v + count) }`, with the old value stored in `old`.
        unsafe fn add_unless(cpu: usize, v: *mut usize, expectnot: usize, count: usize, old: *mut usize)
            -> Result<Committed, librseq::Error>
        {
            exits(Aborted, CompareFailed) scratch(sum) abort(Aborted);
            check_index(cpu) else Aborted;
            cbeq([v], expectnot) else CompareFailed;
            load(sum, [v]);
            repeatable store([old], sum);
            add(sum, count);
            commit store([v], sum);
        }

        /// `if slot != 0 && slot == expect { slot += count }`, with separate exits for the two comparisons.
        unsafe fn add_if(
            base: *mut usize, len: usize, expect: usize, count: usize
        ) -> Result<Committed, this_cpu::Error> {
            exits(OutOfRange, CompareFailed) scratch(i, seen) abort(restart) stride(S);
            load_index(i);
            bound(i, len) else OutOfRange;
            scale(i, S);
            load(seen, [base + i]);
            cbz(seen) else OutOfRange;
            cbne(seen, expect) else CompareFailed;
            cbeq([base + i], len) else CompareFailed;
            commit add([base + i], count);
        }

        /// `if *(v + at) == expect { *(w + at) = old; *(v + at) = newv }`: sums as addresses in each place.
        unsafe fn replace_at(
            cpu: usize, v: *mut usize, at: usize, expect: usize, newv: usize, w: *mut usize
        ) -> Result<Committed, librseq::Error> {
            exits(Aborted, CompareFailed) scratch(old) abort(Aborted) order(O);
            check_index(cpu) else Aborted;
            cbne([v + at], expect) else CompareFailed;
            load(old, [v + at]);
            repeatable store([w], old);
            commit store([v + at], newv);
        }

        /// `slot += index`, and a copy of bytes.
        unsafe fn add_index(
            base: *mut usize, len: usize, to: *mut u8, from: *const u8, n: usize
        ) -> Result<Committed, OutOfRange> {
            exits(OutOfRange) scratch(i, id, old, k) abort(restart) stride(S);
            load_index(i);
            load_index(id);
            bound(i, len) else OutOfRange;
            scale(i, S);
            load(old, [base + i]);
            add(id, old);
            repeatable copy([to], [from], n, k);
            commit store([base + i], id);
        }

        /// `*v = *v + *v2` if a sum of the two is not 0.
        unsafe fn fold(cpu: usize, v: *mut usize, v2: *mut usize) -> Result<Committed, librseq::Error> {
            exits(Aborted, CompareFailed) scratch(a, b) abort(Aborted);
            check_index(cpu) else Aborted;
            load(a, [v]);
            load(b, [v2]);
            add(a, b);
            cbz(a) else CompareFailed;
            commit store([v], a);
        }
    }
}

/// Sections that are wrong, some of them in a way that only the macro's checks keep from compiling.
mod wrong {
    use rseq_core::ops::librseq;
    use rseq_core::*;

    critical_section! {
        #![model, unchecked]

        /// A store that is marked as repeatable, and is not: the next attempt adds again.
        unsafe fn adds_before_the_commit(
            cpu: usize, v: *mut usize, count: usize, w: *mut usize
        ) -> Result<Committed, Aborted> {
            exits(Aborted) scratch(sum) abort(Aborted);
            check_index(cpu) else Aborted;
            load(sum, [v]);
            add(sum, count);
            repeatable store([v], sum);
            commit store([w], sum);
        }

        /// A store to the word that it has compared, before the commit.
        unsafe fn publishes_before_the_commit(
            cpu: usize, v: *mut usize, expect: usize, newv: usize, w: *mut usize
        ) -> Result<Committed, librseq::Error> {
            exits(Aborted, CompareFailed) abort(Aborted);
            check_index(cpu) else Aborted;
            cbne([v], expect) else CompareFailed;
            repeatable store([v], newv);
            commit store([w], newv);
        }

        /// Loads the index, and neither compares it nor goes by it.
        unsafe fn ignores_the_index(v: *mut usize, count: usize) -> Result<Committed, core::convert::Infallible> {
            exits() scratch(i) abort(restart);
            load_index(i);
            commit add([v], count);
        }

        /// Has a slot for each index, and takes the first.
        unsafe fn forgets_the_slot(base: *mut usize, len: usize, count: usize) -> Result<Committed, OutOfRange> {
            exits(OutOfRange) scratch(i, sum) abort(restart) stride(S);
            load_index(i);
            bound(i, len) else OutOfRange;
            scale(i, S);
            load(sum, [base]);
            add(sum, count);
            commit store([base], sum);
        }

        /// Adds to what a register happens to hold: before a restart, the sum of the attempt before.
        unsafe fn keeps_a_register(base: *mut usize, len: usize, count: usize) -> Result<Committed, OutOfRange> {
            exits(OutOfRange) scratch(i, sum) abort(restart) stride(S);
            load_index(i);
            bound(i, len) else OutOfRange;
            scale(i, S);
            add(sum, count);
            commit store([base + i], sum);
        }

        /// Changes a parameter, which the next attempt needs.
        unsafe fn changes_a_parameter(base: *mut usize, len: usize, count: usize) -> Result<Committed, OutOfRange> {
            exits(OutOfRange) scratch(i) abort(restart) stride(S);
            load_index(i);
            bound(i, len) else OutOfRange;
            scale(i, S);
            add(count, i);
            commit store([base + i], count);
        }

        /// Leaves with a word written that it loads first the next time.
        unsafe fn reads_what_it_left(
            cpu: usize, v: *mut usize, expect: usize, log: *mut usize
        ) -> Result<Committed, librseq::Error> {
            exits(Aborted, CompareFailed) scratch(n) abort(Aborted);
            check_index(cpu) else Aborted;
            load(n, [log]);
            repeatable store([log], expect);
            cbne([v], expect) else CompareFailed;
            commit store([v], n);
        }
    }
}

pub fn wrong() -> impl Iterator<Item = &'static SectionIr> {
    wrong::SECTIONS.iter().chain(types::wrong())
}

/// Those that are tried in any memory.
pub fn general() -> impl Iterator<Item = &'static SectionIr> {
    librseq_ops::SECTIONS.iter().chain(this_cpu_ops::SECTIONS).chain(user::SECTIONS).chain(every_step::SECTIONS)
}

/// All that are right.
pub fn all() -> impl Iterator<Item = &'static SectionIr> {
    general().chain(types::all())
}
