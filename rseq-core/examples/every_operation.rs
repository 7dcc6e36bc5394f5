//! Every operation in a function of its own, for tests that read the machine code.

#![no_std]
#![expect(missing_docs, reason = "each function is named after the operation that it calls")]
#![expect(clippy::too_many_arguments, reason = "an operation takes what its steps name")]
#![expect(clippy::missing_safety_doc, reason = "the contract is the operation's")]

use rseq_core::percpu::{Counter, Item, Pool};
use rseq_core::section::{here, operations};
use rseq_core::{
    ByCpu, CpuId, KernelRseq, MmCid, Mode, Options, OwnArea, Registration, Release, SliceGuard, SliceOutcome,
    ThreadArea, Token,
};

type Own<'r> = Token<'r, OwnArea>;

macro_rules! probes {
    ($($name:ident($token:ty, $index:ty; $($arg:ident: $type:ty),*) => $call:expr;)*) => {
        $(#[unsafe(no_mangle)]
        pub unsafe fn $name(token: $token, index: $index, $($arg: $type),*) {
            // SAFETY: the contract of this function is the operation's.
            let _ = unsafe { $call(token, index, $($arg),*) };
        })*
    };
}

probes! {
    probe_load_cbne_store(Own, CpuId; cpu: usize, v: *mut usize, e: usize, n: usize) => operations::load_cbne_store;
    probe_load_add_store(Own, CpuId; cpu: usize, v: *mut usize, n: usize) => operations::load_add_store;
    probe_load_add_store_mm_cid(Own, MmCid; cid: usize, v: *mut usize, n: usize) => operations::load_add_store;
    probe_load_add_store_adopted(Token<ThreadArea>, CpuId; cpu: usize, v: *mut usize, n: usize)
        => operations::load_add_store;
    probe_load_cbeq_store_add_load_store(
        Own, CpuId; cpu: usize, v: *mut usize, e: usize, o: usize, l: *mut usize
    ) => operations::load_cbeq_store_add_load_store;
    probe_load_add_load_load_add_store(Own, CpuId; cpu: usize, a: *mut usize, o: usize, n: usize)
        => operations::load_add_load_load_add_store;
    probe_load_cbne_load_cbne_store(
        Own, CpuId; cpu: usize, v: *mut usize, e: usize, v2: *mut usize, e2: usize, n: usize
    ) => operations::load_cbne_load_cbne_store;
    probe_load_cbne_store_store(
        Own, CpuId; cpu: usize, v: *mut usize, e: usize, v2: *mut usize, n2: usize, n: usize
    ) => operations::load_cbne_store_store::<Release, _, _>;
    probe_load_cbne_memcpy_store(
        Own, CpuId; cpu: usize, v: *mut usize, e: usize, d: *mut u8, s: *const u8, l: usize, n: usize
    ) => operations::load_cbne_memcpy_store::<Release, _, _>;
    probe_add_here(Own, CpuId; base: *mut usize, len: usize, n: usize) => here::add_here::<64, _, _>;
    probe_increment_here(Own, CpuId; base: *mut usize, len: usize) => here::increment_here::<64, _, _>;
    probe_add_here_unchecked(Own, CpuId; base: *mut usize, n: usize) => here::add_here_unchecked::<64, _, _>;
    probe_compare_store_here(Own, CpuId; base: *mut usize, len: usize, e: usize, n: usize)
        => here::compare_store_here::<64, _, _>;
    probe_push_here(Own, CpuId; base: *mut usize, len: usize, node: *mut usize) => here::push_here::<64, _, _>;
    probe_pop_here(Own, CpuId; base: *mut usize, len: usize, node: *mut usize) => here::pop_here::<64, _, _>;
}

#[unsafe(no_mangle)]
pub fn probe_counter(counter: &Counter<'_>, token: Own<'_>) -> usize {
    let _ = counter.add(token, token.cpu_index(), 1);
    counter.sum()
}

#[unsafe(no_mangle)]
pub fn probe_pool<'a>(pool: &Pool<'a, u64, ByCpu>, token: Own<'_>) -> Option<Item<'a, u64>> {
    let item = pool.take(token, token.cpu_index()).ok()??;
    pool.give(token, token.cpu_index(), item).err().map(|(_, item)| item)
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
