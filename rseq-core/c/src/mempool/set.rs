//! `struct rseq_mempool_set`: pools of different sizes, for items of any.

use super::object;
use super::pool::{Contents, Pool, copy, malloc, returned, rseq_mempool_destroy};
use crate::errno::fail;
use core::ffi::{c_int, c_void};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};
use rseq_core::sys::Errno;

/// As many as there are powers of two.
const ORDERS: usize = usize::BITS as usize;

/// A set: a pool for each power of two, or `NULL`.
pub struct Set {
    pools: [AtomicPtr<Pool>; ORDERS],
}

impl Set {
    /// An item of the smallest pool that has one of this size.
    fn malloc(&self, len: usize, contents: Contents<'_>) -> Result<NonNull<u8>, Errno> {
        let order = len.checked_next_power_of_two().map_or(ORDERS, |size| size.trailing_zeros() as usize);
        let pools = self.pools.iter().skip(order).map(|pool| pool.load(Ordering::Acquire));
        // SAFETY: what is not null is a pool, which the set keeps as long as it is there itself.
        let mut items = pools.filter_map(|pool| unsafe { pool.as_ref() }).map(|pool| malloc(pool, contents));
        items.find(|item| *item != Err(Errno::ENOMEM)).unwrap_or(Err(Errno::ENOMEM))
    }
}

/// `struct rseq_mempool_set *rseq_mempool_set_create(void)` - a set without pools. Returns `NULL` and `ENOMEM` without
/// memory.
#[unsafe(no_mangle)]
pub extern "C" fn rseq_mempool_set_create() -> *mut Set {
    let set = Set { pools: [const { AtomicPtr::new(ptr::null_mut()) }; ORDERS] };
    object::make(set).map_or_else(
        || {
            fail(Errno::ENOMEM);
            ptr::null_mut()
        },
        NonNull::as_ptr,
    )
}

/// `int rseq_mempool_set_destroy(struct rseq_mempool_set *pool_set)` - destroys a set and its pools, as
/// `rseq_mempool_destroy` does each. Returns 0. `NULL` is allowed.
///
/// # Safety
///
/// `pool_set` is `NULL`, or a set that is not used any more, nor are its pools.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_set_destroy(pool_set: *mut Set) -> c_int {
    let Some(set) = NonNull::new(pool_set) else { return 0 };
    // SAFETY: the caller gives up the set, which `rseq_mempool_set_create` made, and with it its pools.
    unsafe {
        for pool in &set.as_ref().pools {
            rseq_mempool_destroy(pool.load(Ordering::Acquire));
        }
        object::unmake(set);
    }
    0
}

/// `int rseq_mempool_set_add_pool(struct rseq_mempool_set *pool_set, struct rseq_mempool *pool)` - gives a set a
/// pool, which the set destroys. Returns 0; or -1 and `errno`: `EBUSY` if it has a pool of this size of items,
/// `EINVAL` for `NULL`.
///
/// # Safety
///
/// Each is `NULL`, or a set and a pool that is in no set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_set_add_pool(pool_set: *const Set, pool: *mut Pool) -> c_int {
    // SAFETY: the caller's contract.
    let (Some(set), Some(added)) = (unsafe { pool_set.as_ref() }, unsafe { pool.as_ref() }) else {
        return fail(Errno::EINVAL);
    };
    let Some(place) = set.pools.get(added.order() as usize) else { return fail(Errno::EINVAL) };
    match place.compare_exchange(ptr::null_mut(), pool, Ordering::AcqRel, Ordering::Relaxed) {
        Ok(_) => 0,
        Err(_) => fail(Errno::EBUSY),
    }
}

/// # Safety
///
/// `pool_set` is `NULL` or a set.
unsafe fn malloc_in(pool_set: *const Set, len: usize, contents: Contents<'_>) -> *mut c_void {
    // SAFETY: the caller's contract.
    let set = unsafe { pool_set.as_ref() }.ok_or(Errno::EINVAL);
    returned(set.and_then(|set| set.malloc(len, contents)))
}

/// `void __rseq_percpu *rseq_mempool_set_percpu_malloc(struct rseq_mempool_set *pool_set, size_t len)` - allocates an
/// item of `len` bytes or more, of the pool with the smallest items that has one left. Returns `NULL` and `ENOMEM` if
/// none has, `EINVAL` if `pool_set` is `NULL`.
///
/// # Safety
///
/// `pool_set` is `NULL` or a set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_set_percpu_malloc(pool_set: *const Set, len: usize) -> *mut c_void {
    // SAFETY: the caller's contract.
    unsafe { malloc_in(pool_set, len, Contents::Any) }
}

/// `void __rseq_percpu *rseq_mempool_set_percpu_zmalloc(struct rseq_mempool_set *pool_set, size_t len)` - the same,
/// with zeroes in each copy.
///
/// # Safety
///
/// `pool_set` is `NULL` or a set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_set_percpu_zmalloc(pool_set: *const Set, len: usize) -> *mut c_void {
    // SAFETY: the caller's contract.
    unsafe { malloc_in(pool_set, len, Contents::Zeroes) }
}

/// `void __rseq_percpu *rseq_mempool_set_percpu_malloc_init(struct rseq_mempool_set *pool_set, void *init_ptr, size_t
/// len)` - the same, with `len` bytes from `init_ptr` on in each copy, and zeroes after them; with anything, if
/// `init_ptr` is `NULL`. librseq has zeroes in the place of these bytes.
///
/// # Safety
///
/// `pool_set` is `NULL` or a set; `init_ptr` is `NULL` or the address of so many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_set_percpu_malloc_init(
    pool_set: *const Set,
    init_ptr: *const c_void,
    len: usize,
) -> *mut c_void {
    // SAFETY: the caller's contract.
    unsafe { malloc_in(pool_set, len, copy(init_ptr, len)) }
}
