//! `struct rseq_mempool_attr`: the attributes of a pool.

use super::object;
use crate::errno::fail;
use core::ffi::{c_int, c_uint, c_ulong, c_void};
use core::ptr::{self, NonNull};
use rseq_core::sys::Errno;

/// `int (*init_func)(void *priv, void *addr, size_t len, int cpu)`
pub(super) type InitFunc = unsafe extern "C" fn(*mut c_void, *mut c_void, usize, c_int) -> c_int;

/// `RSEQ_MEMPOOL_POPULATE_COW_INIT`: copies have the contents of a template until they are written.
pub(super) const COW_INIT: c_uint = 0;

/// `RSEQ_MEMPOOL_POPULATE_COW_ZERO`: copies are zero until they are written.
pub(super) const COW_ZERO: c_uint = 1;

/// The attributes, as the program has set them.
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
    /// The attributes of a pool that is created without any.
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

/// Changes attributes. Returns 0; or -1 and `EINVAL` if `attr` is `NULL`.
///
/// # Safety
///
/// `attr` is `NULL`, or attributes that no other thread uses during the call.
unsafe fn set(attr: *mut Attr, change: impl FnOnce(&mut Attr)) -> c_int {
    // SAFETY: the pointer is null, or points to attributes from `rseq_mempool_attr_create`, which are aligned and
    // initialised. The caller guarantees that no other thread uses them during the call.
    match unsafe { attr.as_mut() } {
        Some(attr) => {
            change(attr);
            0
        }
        None => fail(Errno::EINVAL),
    }
}

/// `struct rseq_mempool_attr *rseq_mempool_attr_create(void)` - returns the attributes of a per-CPU pool with the
/// default stride, `rseq_get_max_nr_cpus()` copies, any number of ranges, and the policy
/// `RSEQ_MEMPOOL_POPULATE_COW_INIT`; or `NULL` and `ENOMEM`.
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

/// `void rseq_mempool_attr_destroy(struct rseq_mempool_attr *attr)` - frees attributes. Pools that were created with
/// them have a copy. `NULL` is allowed.
///
/// # Safety
///
/// `attr` is `NULL`, or attributes that are no longer used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_attr_destroy(attr: *mut Attr) {
    if let Some(attr) = NonNull::new(attr) {
        // SAFETY: `rseq_mempool_attr_create` got them from `object::make`, and the caller no longer uses them.
        unsafe { object::unmake(attr) };
    }
}

/// `int rseq_mempool_attr_set_init(struct rseq_mempool_attr *attr, int (*init_func)(void *priv, void *addr, size_t len,
/// int cpu), void *init_priv)` - sets the function that initialises each new range. It is called once for each CPU
/// number, with the CPU's copies; in a global pool once, with the CPU number -1. This also sets the policy
/// `RSEQ_MEMPOOL_POPULATE_COW_INIT`, as librseq does. Returns 0; or -1 and `EINVAL` if `attr` or `init_func` is `NULL`.
///
/// # Safety
///
/// `attr` is `NULL`, or attributes that no other thread uses during the call. `init_func` may be called while a pool
/// with these attributes exists. It writes only the memory that it is passed, and does not use the pool.
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
    // SAFETY: the caller guarantees what `set` requires of `attr`.
    unsafe { set(attr, change) }
}

/// `int rseq_mempool_attr_set_robust(struct rseq_mempool_attr *attr)` - makes the pool check how its items are used.
/// Returns 0; or -1 and `EINVAL` if `attr` is `NULL`.
///
/// # Safety
///
/// `attr` is `NULL`, or attributes that no other thread uses during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_attr_set_robust(attr: *mut Attr) -> c_int {
    // SAFETY: the caller guarantees what `set` requires of `attr`.
    unsafe { set(attr, |attr| attr.is_robust = true) }
}

/// `int rseq_mempool_attr_set_percpu(struct rseq_mempool_attr *attr, size_t stride, int max_nr_cpus)` - selects a pool
/// of per-CPU memory, with `stride` bytes for each CPU in a range (0: 64 KiB) and `max_nr_cpus` copies of an item (0:
/// `rseq_get_max_nr_cpus()`). Returns 0; or -1 and `EINVAL` if `attr` is `NULL`. `rseq_mempool_create` checks the
/// values.
///
/// # Safety
///
/// `attr` is `NULL`, or attributes that no other thread uses during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_attr_set_percpu(attr: *mut Attr, stride: usize, max_nr_cpus: c_int) -> c_int {
    let change = |attr: &mut Attr| (attr.is_global, attr.stride, attr.max_nr_cpus) = (false, stride, max_nr_cpus);
    // SAFETY: the caller guarantees what `set` requires of `attr`.
    unsafe { set(attr, change) }
}

/// `int rseq_mempool_attr_set_global(struct rseq_mempool_attr *attr, size_t stride)` - selects a pool whose items have
/// one copy, with `stride` bytes in a range (0: 64 KiB). Returns 0; or -1 and `EINVAL` if `attr` is `NULL`.
///
/// # Safety
///
/// `attr` is `NULL`, or attributes that no other thread uses during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_attr_set_global(attr: *mut Attr, stride: usize) -> c_int {
    let change = |attr: &mut Attr| (attr.is_global, attr.stride, attr.max_nr_cpus) = (true, stride, 0);
    // SAFETY: the caller guarantees what `set` requires of `attr`.
    unsafe { set(attr, change) }
}

/// `int rseq_mempool_attr_set_max_nr_ranges(struct rseq_mempool_attr *attr, unsigned long max_nr_ranges)` - limits the
/// number of ranges; 0 is no limit. Returns 0; or -1 and `EINVAL` if `attr` is `NULL`.
///
/// # Safety
///
/// `attr` is `NULL`, or attributes that no other thread uses during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_attr_set_max_nr_ranges(attr: *mut Attr, max_nr_ranges: c_ulong) -> c_int {
    // SAFETY: the caller guarantees what `set` requires of `attr`.
    unsafe { set(attr, |attr| attr.max_nr_ranges = max_nr_ranges) }
}

/// `int rseq_mempool_attr_set_poison(struct rseq_mempool_attr *attr, uintptr_t poison)` - makes the pool fill each word
/// of each copy of a freed item with `poison`. Returns 0; or -1 and `EINVAL` if `attr` is `NULL`.
///
/// # Safety
///
/// `attr` is `NULL`, or attributes that no other thread uses during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_attr_set_poison(attr: *mut Attr, poison: usize) -> c_int {
    // SAFETY: the caller guarantees what `set` requires of `attr`.
    unsafe { set(attr, |attr| attr.poison = Some(poison)) }
}

/// `int rseq_mempool_attr_set_populate_policy(struct rseq_mempool_attr *attr, enum rseq_mempool_populate_policy
/// policy)` - selects the contents of copies that have not been written. Returns 0; or -1 and `EINVAL` if `attr` is
/// `NULL`. `rseq_mempool_create` checks the value.
///
/// # Safety
///
/// `attr` is `NULL`, or attributes that no other thread uses during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_attr_set_populate_policy(attr: *mut Attr, policy: c_uint) -> c_int {
    // SAFETY: the caller guarantees what `set` requires of `attr`.
    unsafe { set(attr, |attr| attr.policy = policy) }
}
