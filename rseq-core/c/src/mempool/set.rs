//! `struct rseq_mempool_set`: a set of pools with different item sizes.

use super::object;
use super::pool::{Contents, Pool, copy, malloc, returned, rseq_mempool_destroy};
use crate::errno::fail;
use core::ffi::{c_int, c_void};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};
use rseq_core::sys::Errno;

/// The number of powers of two that a `usize` can hold.
const ORDERS: usize = usize::BITS as usize;

/// For each power of two, the pool with items of that size, or `NULL`.
pub struct Set {
    pools: [AtomicPtr<Pool>; ORDERS],
}

impl Set {
    /// Allocates from the pool with the smallest items of at least `len` bytes; if that is full, from the next one.
    fn malloc(&self, len: usize, contents: Contents<'_>) -> Result<NonNull<u8>, Errno> {
        let order = len.checked_next_power_of_two().map_or(ORDERS, |size| size.trailing_zeros() as usize);
        let pools = self.pools.iter().skip(order).map(|pool| pool.load(Ordering::Acquire));
        // SAFETY: a pointer that is not null is to a pool, which is only destroyed with the set.
        let mut items = pools.filter_map(|pool| unsafe { pool.as_ref() }).map(|pool| malloc(pool, len, contents));
        items.find(|item| *item != Err(Errno::ENOMEM)).unwrap_or(Err(Errno::ENOMEM))
    }
}

/// `struct rseq_mempool_set *rseq_mempool_set_create(void)` - returns a set without pools; or `NULL` and `ENOMEM`.
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

/// `int rseq_mempool_set_destroy(struct rseq_mempool_set *pool_set)` - destroys a set, and each of its pools as
/// `rseq_mempool_destroy` does. Returns 0. `NULL` is allowed.
///
/// # Safety
///
/// `pool_set` is `NULL`, or a set that is no longer used; nor are its pools and their items.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_set_destroy(pool_set: *mut Set) -> c_int {
    let Some(set) = NonNull::new(pool_set) else { return 0 };
    // SAFETY: the set came from `object::make`, in `rseq_mempool_set_create`. The caller guarantees that it and its
    // pools are no longer used. `rseq_mempool_destroy` allows null.
    unsafe {
        for pool in &set.as_ref().pools {
            rseq_mempool_destroy(pool.load(Ordering::Acquire));
        }
        object::unmake(set);
    }
    0
}

/// `int rseq_mempool_set_add_pool(struct rseq_mempool_set *pool_set, struct rseq_mempool *pool)` - adds a pool to a
/// set, which then owns it. Returns 0; or -1 and `errno`: `EBUSY` if the set already has a pool with items of this
/// size, `EINVAL` if either is `NULL`.
///
/// # Safety
///
/// `pool_set` is `NULL` or a set. `pool` is `NULL` or a pool that is not in a set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_set_add_pool(pool_set: *const Set, pool: *mut Pool) -> c_int {
    // SAFETY: the caller guarantees that each is null or an object that its `create` function returned.
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
    // SAFETY: the caller guarantees that it is null, or a set that `rseq_mempool_set_create` returned.
    let set = unsafe { pool_set.as_ref() }.ok_or(Errno::EINVAL);
    returned(set.and_then(|set| set.malloc(len, contents)))
}

/// `void __rseq_percpu *rseq_mempool_set_percpu_malloc(struct rseq_mempool_set *pool_set, size_t len)` - allocates an
/// item of at least `len` bytes, from the pool with the smallest such items that is not full. Returns the item; or
/// `NULL` and `errno`: `ENOMEM` if there is no such pool, `EINVAL` if `pool_set` is `NULL`.
///
/// # Safety
///
/// `pool_set` is `NULL` or a set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_set_percpu_malloc(pool_set: *const Set, len: usize) -> *mut c_void {
    // SAFETY: the caller guarantees that `pool_set` is null or a set.
    unsafe { malloc_in(pool_set, len, Contents::Any) }
}

/// `void __rseq_percpu *rseq_mempool_set_percpu_zmalloc(struct rseq_mempool_set *pool_set, size_t len)` - like
/// [`rseq_mempool_set_percpu_malloc`], with zeroes in each copy.
///
/// # Safety
///
/// `pool_set` is `NULL` or a set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_set_percpu_zmalloc(pool_set: *const Set, len: usize) -> *mut c_void {
    // SAFETY: the caller guarantees that `pool_set` is null or a set.
    unsafe { malloc_in(pool_set, len, Contents::Zeroes) }
}

/// `void __rseq_percpu *rseq_mempool_set_percpu_malloc_init(struct rseq_mempool_set *pool_set, void *init_ptr, size_t
/// len)` - like [`rseq_mempool_set_percpu_malloc`]. Each copy begins with the `len` bytes at `init_ptr`, followed by
/// zeroes; if `init_ptr` is `NULL`, the contents are unspecified. librseq does not copy the bytes, and leaves zeroes.
///
/// # Safety
///
/// `pool_set` is `NULL` or a set. `init_ptr` is `NULL` or points to `len` bytes that are not written during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_set_percpu_malloc_init(
    pool_set: *const Set,
    init_ptr: *const c_void,
    len: usize,
) -> *mut c_void {
    // SAFETY: the caller guarantees that `pool_set` is null or a set, and what `copy` requires of `init_ptr` for the
    // time of the call; `malloc_in` does not keep the contents.
    unsafe { malloc_in(pool_set, len, copy(init_ptr, len)) }
}
