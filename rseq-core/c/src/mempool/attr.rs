//! `struct rseq_mempool_attr`: what a pool is made by.

use super::object;
use crate::errno::fail;
use core::ffi::{c_int, c_uint, c_ulong, c_void};
use core::ptr::{self, NonNull};
use rseq_core::sys::Errno;

/// `int (*init_func)(void *priv, void *addr, size_t len, int cpu)`
pub(super) type InitFunc = unsafe extern "C" fn(*mut c_void, *mut c_void, usize, c_int) -> c_int;

/// `RSEQ_MEMPOOL_POPULATE_COW_INIT`: copies show a template until they are written.
pub(super) const COW_INIT: c_uint = 0;

/// `RSEQ_MEMPOOL_POPULATE_COW_ZERO`: copies are zero until they are written.
pub(super) const COW_ZERO: c_uint = 1;

/// The attributes, as they were set.
#[derive(Clone, Copy)]
pub struct Attr {
    pub(super) init: Option<InitFunc>,
    pub(super) init_priv: *mut c_void,
    pub(super) is_robust: bool,
    pub(super) is_global: bool,
    pub(super) stride: usize,
    pub(super) max_nr_cpus: c_int,
    pub(super) max_nr_ranges: c_ulong,
    pub(super) poison: Option<usize>,
    pub(super) policy: c_uint,
}

impl Attr {
    /// What holds where a pool is made without attributes.
    pub(super) const DEFAULT: Self = Self {
        init: None,
        init_priv: ptr::null_mut(),
        is_robust: false,
        is_global: false,
        stride: 0,
        max_nr_cpus: 0,
        max_nr_ranges: 0,
        poison: None,
        policy: COW_INIT,
    };
}

/// Changes attributes. Returns 0; or -1 and `EINVAL` for `NULL`.
///
/// # Safety
///
/// `attr` is `NULL`, or attributes that no other thread uses meanwhile.
unsafe fn set(attr: *mut Attr, change: impl FnOnce(&mut Attr)) -> c_int {
    // SAFETY: the caller's contract.
    match unsafe { attr.as_mut() } {
        Some(attr) => {
            change(attr);
            0
        }
        None => fail(Errno::EINVAL),
    }
}

/// `struct rseq_mempool_attr *rseq_mempool_attr_create(void)` - attributes of a per-CPU pool with the default stride,
/// as many copies as there are CPU numbers, no limit of ranges, and the policy `RSEQ_MEMPOOL_POPULATE_COW_INIT`.
/// Returns `NULL` and `ENOMEM` without memory.
#[unsafe(no_mangle)]
pub extern "C" fn rseq_mempool_attr_create() -> *mut Attr {
    object::make(Attr::DEFAULT).map_or_else(
        || {
            fail(Errno::ENOMEM);
            ptr::null_mut()
        },
        NonNull::as_ptr,
    )
}

/// `void rseq_mempool_attr_destroy(struct rseq_mempool_attr *attr)` - gives attributes up. Pools that were made by them
/// stay as they are. `NULL` is allowed.
///
/// # Safety
///
/// `attr` is `NULL`, or attributes that are not used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_attr_destroy(attr: *mut Attr) {
    if let Some(attr) = NonNull::new(attr) {
        // SAFETY: `rseq_mempool_attr_create` made it; the caller gives it up.
        unsafe { object::unmake(attr) };
    }
}

/// `int rseq_mempool_attr_set_init(struct rseq_mempool_attr *attr, int (*init_func)(void *priv, void *addr, size_t len,
/// int cpu), void *init_priv)` - has `init_func` called for each CPU's copies of a new range; with the CPU -1 for the
/// one copy of a global pool. It also sets the policy `RSEQ_MEMPOOL_POPULATE_COW_INIT`, as librseq does. Returns 0;
/// or -1 and `EINVAL` if `attr` or `init_func` is `NULL`.
///
/// # Safety
///
/// `attr` is `NULL`, or attributes that no other thread uses meanwhile. `init_func` may be called as long as there is a
/// pool that was made by them; it writes nothing but the memory that it is given, and does not use the pool.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_attr_set_init(
    attr: *mut Attr,
    init_func: Option<InitFunc>,
    init_priv: *mut c_void,
) -> c_int {
    if init_func.is_none() {
        return fail(Errno::EINVAL);
    }
    let change = |attr: &mut Attr| (attr.init, attr.init_priv, attr.policy) = (init_func, init_priv, COW_INIT);
    // SAFETY: the caller's contract.
    unsafe { set(attr, change) }
}

/// `int rseq_mempool_attr_set_robust(struct rseq_mempool_attr *attr)` - has the pool look for errors in how items are
/// used. Returns 0; or -1 and `EINVAL` for `NULL`.
///
/// # Safety
///
/// `attr` is `NULL`, or attributes that no other thread uses meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_attr_set_robust(attr: *mut Attr) -> c_int {
    // SAFETY: the caller's contract.
    unsafe { set(attr, |attr| attr.is_robust = true) }
}

/// `int rseq_mempool_attr_set_percpu(struct rseq_mempool_attr *attr, size_t stride, int max_nr_cpus)` - for a pool of
/// per-CPU memory: `stride` bytes a CPU and range, or 64 KiB if it is 0; and `max_nr_cpus` copies, or one for each CPU
/// number if it is 0. Returns 0; or -1 and `EINVAL` for `NULL`. What is wrong with the numbers, `rseq_mempool_create`
/// says.
///
/// # Safety
///
/// `attr` is `NULL`, or attributes that no other thread uses meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_attr_set_percpu(attr: *mut Attr, stride: usize, max_nr_cpus: c_int) -> c_int {
    let change = |attr: &mut Attr| (attr.is_global, attr.stride, attr.max_nr_cpus) = (false, stride, max_nr_cpus);
    // SAFETY: the caller's contract.
    unsafe { set(attr, change) }
}

/// `int rseq_mempool_attr_set_global(struct rseq_mempool_attr *attr, size_t stride)` - for a pool of memory with one
/// copy: `stride` bytes a range, or 64 KiB if it is 0. Returns 0; or -1 and `EINVAL` for `NULL`.
///
/// # Safety
///
/// `attr` is `NULL`, or attributes that no other thread uses meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_attr_set_global(attr: *mut Attr, stride: usize) -> c_int {
    let change = |attr: &mut Attr| (attr.is_global, attr.stride, attr.max_nr_cpus) = (true, stride, 0);
    // SAFETY: the caller's contract.
    unsafe { set(attr, change) }
}

/// `int rseq_mempool_attr_set_max_nr_ranges(struct rseq_mempool_attr *attr, unsigned long max_nr_ranges)` - for a
/// pool of so many ranges at most; 0 is no limit. Returns 0; or -1 and `EINVAL` for `NULL`.
///
/// # Safety
///
/// `attr` is `NULL`, or attributes that no other thread uses meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_attr_set_max_nr_ranges(attr: *mut Attr, max_nr_ranges: c_ulong) -> c_int {
    // SAFETY: the caller's contract.
    unsafe { set(attr, |attr| attr.max_nr_ranges = max_nr_ranges) }
}

/// `int rseq_mempool_attr_set_poison(struct rseq_mempool_attr *attr, uintptr_t poison)` - has freed items filled with a
/// value, word by word, in each copy. Returns 0; or -1 and `EINVAL` for `NULL`.
///
/// # Safety
///
/// `attr` is `NULL`, or attributes that no other thread uses meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_attr_set_poison(attr: *mut Attr, poison: usize) -> c_int {
    // SAFETY: the caller's contract.
    unsafe { set(attr, |attr| attr.poison = Some(poison)) }
}

/// `int rseq_mempool_attr_set_populate_policy(struct rseq_mempool_attr *attr, enum rseq_mempool_populate_policy
/// policy)` - says what copies are before they are written. Returns 0; or -1 and `EINVAL` for `NULL`. What is not a
/// policy, `rseq_mempool_create` refuses.
///
/// # Safety
///
/// `attr` is `NULL`, or attributes that no other thread uses meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_attr_set_populate_policy(attr: *mut Attr, policy: c_uint) -> c_int {
    // SAFETY: the caller's contract.
    unsafe { set(attr, |attr| attr.policy = policy) }
}
