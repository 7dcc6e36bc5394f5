//! Counter sections with a delay between the load and the committing store, armed and, as the control, unarmed.
//!
//! The delay is a copy into memory of the thread's own, so it costs the same steps on every architecture.

use rseq_core::ops::librseq;
use rseq_core::{Aborted, Committed, CompareFailed, OutOfRange, critical_section};

/// Bytes that a delayed section copies.
pub const DELAY: usize = 2048;

/// Delayed sections between two reads of the clock, which is a system call: signals should find sections.
pub const ROUNDS: usize = 16;

/// What a delayed section copies to and from; one per thread.
pub struct Delay {
    from: [u8; DELAY],
    to: [u8; DELAY],
}

impl Delay {
    /// Ready for use.
    pub const fn new() -> Self {
        Self { from: [1; DELAY], to: [0; DELAY] }
    }

    /// Where the copy comes from and goes to.
    pub fn ends(&mut self) -> (*const u8, *mut u8) {
        (self.from.as_ptr(), self.to.as_mut_ptr())
    }
}

impl Default for Delay {
    fn default() -> Self {
        Self::new()
    }
}

macro_rules! delayed_sections {
    ($(#![$variant:ident])? $add:ident $add_here:ident) => {
        critical_section! {
            $(#![$variant])?
            /// `*v += count` with a copy of `len` bytes between the load and the store.
            ///
            /// # Errors
            ///
            /// [`Aborted`].
            ///
            /// # Safety
            ///
            /// `v` is a valid word, `from` and `to` are `len` valid bytes apart from each other, `cpu` is not -1 or -2.
            pub unsafe fn $add(
                cpu: usize, v: *mut usize, count: usize, from: *const u8, to: *mut u8, len: usize
            ) -> Result<Committed, Aborted> {
                exits(Aborted) scratch(sum, i) abort(Aborted);
                check_index(cpu) else Aborted;
                load(sum, [v]);
                add(sum, count);
                repeatable copy([to], [from], len, i);
                commit store([v], sum);
            }

            /// As [`delayed_add`] on the slot of the index that the section loads itself. `*attempts` grows by `count`
            /// each time the section begins: what it has beyond the commits are restarts.
            ///
            /// # Errors
            ///
            /// [`OutOfRange`].
            ///
            /// # Safety
            ///
            /// `base` is the first of `slots` slots of `STRIDE` bytes, each beginning with a valid word; `attempts` is
            /// a valid word of this thread's own; `from` and `to` are `len` valid bytes apart from each other.
            pub unsafe fn $add_here(
                base: *mut usize, slots: usize, count: usize, attempts: *mut usize,
                from: *const u8, to: *mut u8, len: usize
            ) -> Result<Committed, OutOfRange> {
                exits(OutOfRange) scratch(slot, sum, i) abort(restart) stride(STRIDE);
                load_index(slot);
                bound(slot, slots) else OutOfRange;
                scale(slot, STRIDE);
                load(sum, [attempts]);
                add(sum, count);
                repeatable store([attempts], sum);
                load(sum, [base + slot]);
                add(sum, count);
                repeatable copy([to], [from], len, i);
                commit store([base + slot], sum);
            }
        }
    };
}

delayed_sections!(delayed_add delayed_add_here);
// Without their descriptors: the controls, which must lose counts.
delayed_sections!(#![unarmed] delayed_add_unarmed delayed_add_here_unarmed);

critical_section! {
    /// `if *t == u && *area + block == cs { *t = cs }`, with operand names that an architecture's own code might use.
    ///
    /// # Errors
    ///
    /// [`librseq::Error`].
    ///
    /// # Safety
    ///
    /// `t` and `area` are valid words, `index` is not -1 or -2.
    pub unsafe fn named_like_operands(
        index: usize, t: *mut usize, u: usize, area: *mut usize, block: usize, cs: usize
    ) -> Result<Committed, librseq::Error> {
        exits(Aborted, CompareFailed) scratch(token) abort(Aborted);
        check_index(index) else Aborted;
        cbne([t], u) else CompareFailed;
        load(token, [area]);
        add(token, block);
        cbne(token, cs) else CompareFailed;
        commit store([t], token);
    }

    /// `if *t == u { *t = area }`: few enough operands for a register each, everywhere.
    ///
    /// # Errors
    ///
    /// [`librseq::Error`].
    ///
    /// # Safety
    ///
    /// `t` is a valid word, `index` is not -1 or -2.
    pub unsafe fn few_named_like_operands(
        index: usize, t: *mut usize, u: usize, area: usize
    ) -> Result<Committed, librseq::Error> {
        exits(Aborted, CompareFailed) abort(Aborted);
        check_index(index) else Aborted;
        cbne([t], u) else CompareFailed;
        commit store([t], area);
    }
}
