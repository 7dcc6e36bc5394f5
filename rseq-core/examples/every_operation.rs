//! Every operation in a separate function, for tests that read the machine code.

#![no_std]
#![expect(missing_docs, reason = "each function is named after the operation that it calls")]
#![expect(clippy::too_many_arguments, reason = "an operation takes what its steps name")]
#![expect(clippy::missing_safety_doc, reason = "the contract is the operation's")]

use rseq_core::ops::{librseq, this_cpu};
use rseq_core::percpu::{Item, SlotCounter, SlotPool};
use rseq_core::{
    ByCpu, ByMmCid, KernelRseq, Mode, Options, OwnArea, Registration, Release, SliceGuard, SliceOutcome, ThreadArea,
    Token,
};

type Own<'r> = Token<'r, OwnArea>;
type OwnByMmCid<'r> = Token<'r, OwnArea, ByMmCid>;

macro_rules! probes {
    ($($name:ident($token:ty; $($arg:ident: $type:ty),*) => $call:expr;)*) => {
        $(#[unsafe(no_mangle)]
        pub unsafe fn $name(token: $token, $($arg: $type),*) {
            // SAFETY: the contract of this function is the operation's.
            let _ = unsafe { $call(token, $($arg),*) };
        })*
    };
}

probes! {
    probe_load_cbne_store(Own; cpu: usize, v: *mut usize, e: usize, n: usize) => librseq::load_cbne_store;
    probe_load_add_store(Own; cpu: usize, v: *mut usize, n: usize) => librseq::load_add_store;
    probe_load_add_store_mm_cid(OwnByMmCid; cid: usize, v: *mut usize, n: usize) => librseq::load_add_store;
    probe_load_add_store_adopted(Token<ThreadArea>; cpu: usize, v: *mut usize, n: usize)
        => librseq::load_add_store;
    probe_load_cbeq_store_add_load_store(
        Own; cpu: usize, v: *mut usize, e: usize, o: usize, l: *mut usize
    ) => librseq::load_cbeq_store_add_load_store;
    probe_load_add_load_load_add_store(Own; cpu: usize, a: *mut usize, o: usize, n: usize)
        => librseq::load_add_load_load_add_store;
    probe_load_cbne_load_cbne_store(
        Own; cpu: usize, v: *mut usize, e: usize, v2: *mut usize, e2: usize, n: usize
    ) => librseq::load_cbne_load_cbne_store;
    probe_load_cbne_store_store(
        Own; cpu: usize, v: *mut usize, e: usize, v2: *mut usize, n2: usize, n: usize
    ) => librseq::load_cbne_store_store::<Release, _, _>;
    probe_load_cbne_memcpy_store(
        Own; cpu: usize, v: *mut usize, e: usize, d: *mut u8, s: *const u8, l: usize, n: usize
    ) => librseq::load_cbne_memcpy_store::<Release, _, _>;
    probe_this_cpu_add(Own; base: *mut usize, len: usize, n: usize) => this_cpu::add::<64, _, _>;
    probe_this_cpu_inc(Own; base: *mut usize, len: usize) => this_cpu::inc::<64, _, _>;
    probe_this_cpu_add_unchecked(Own; base: *mut usize, n: usize) => this_cpu::add_unchecked::<64, _, _>;
    probe_this_cpu_cmpxchg(Own; base: *mut usize, len: usize, e: usize, n: usize)
        => this_cpu::cmpxchg::<64, _, _>;
    probe_this_cpu_push(Own; base: *mut usize, len: usize, node: *mut usize) => this_cpu::push::<64, _, _>;
    probe_this_cpu_pop(Own; base: *mut usize, len: usize) => this_cpu::pop::<64, _, _>;
}

#[unsafe(no_mangle)]
pub fn probe_slot(token: Own<'_>, words: *mut usize) -> *mut usize {
    words.wrapping_add(token.slot() as usize)
}

#[unsafe(no_mangle)]
pub fn probe_slot_mm_cid(token: OwnByMmCid<'_>, words: *mut usize) -> *mut usize {
    words.wrapping_add(token.slot() as usize)
}

#[unsafe(no_mangle)]
pub fn probe_cpu_id(token: Own<'_>) -> u32 {
    token.cpu_id()
}

/// # Safety
///
/// That of the operation.
#[unsafe(no_mangle)]
pub unsafe fn probe_current_add(base: *mut usize, len: usize) -> bool {
    // SAFETY: the contract of this function is the operation's.
    ThreadArea::current().is_some_and(|token| unsafe { this_cpu::inc::<64, _, _>(token, base, len) }.is_ok())
}

#[unsafe(no_mangle)]
pub fn probe_counter(counter: &SlotCounter<'_>, token: Own<'_>) -> usize {
    let _ = counter.add(token, 1);
    counter.sum()
}

#[unsafe(no_mangle)]
pub fn probe_counter_add(counter: &SlotCounter<'_>, token: Own<'_>, count: usize) -> bool {
    counter.add(token, count).is_ok()
}

#[unsafe(no_mangle)]
pub fn probe_counter_increment(counter: &SlotCounter<'_>, token: Own<'_>) -> bool {
    counter.increment(token).is_ok()
}

#[unsafe(no_mangle)]
pub fn probe_pool<'a>(pool: &SlotPool<'a, u64, ByCpu>, token: Own<'_>) -> Option<Item<'a, u64>> {
    let item = pool.pop(token).ok()??;
    pool.push(token, item).err().map(|(_, item)| item)
}

#[unsafe(no_mangle)]
pub unsafe fn probe_registration(feature_size: usize, align: usize) -> u32 {
    // SAFETY: the contract of this function is that of the facts.
    let kernel = unsafe { KernelRseq::from_auxv(Some(feature_size), Some(align)) };
    // SAFETY: the contract of this function is the registration's.
    let own = unsafe { Registration::own(Options::new(Mode::Extended).kernel(kernel)) };
    let seen = own.as_ref().map_or(0, |own| own.token().mm_cid().unwrap_or(0));
    let adopted = Registration::adopt().map_or(0, |adopted| adopted.token().cpu_id());
    let _ = own.map(Registration::release);
    seen + adopted
}

#[unsafe(no_mangle)]
pub fn probe_slice(token: Own<'_>, word: &mut usize) {
    let _slice = SliceGuard::request(token);
    *word += 1;
}

#[unsafe(no_mangle)]
pub fn probe_slice_adopted(token: Token<ThreadArea>, word: &mut usize) {
    let _slice = SliceGuard::request(token);
    *word += 1;
}

#[unsafe(no_mangle)]
pub fn probe_slice_end(token: Own<'_>, word: &mut usize) -> SliceOutcome {
    let slice = SliceGuard::request(token);
    *word += 1;
    slice.end()
}
