//! `struct rseq_mempool`: a pool of items of one size.

use super::attr::{Attr, COW_INIT, COW_ZERO};
use super::{object, report};
use crate::cpu::rseq_get_max_nr_cpus;
use crate::errno::fail;
use core::alloc::Layout;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::{self, NonNull};
use core::slice;
use rseq_core::percpu::{DynRegion, Finding, RegionOptions, RegionShape};
use rseq_core::sys::{Errno, page_size};

/// `RSEQ_MEMPOOL_STRIDE`
const DEFAULT_STRIDE: usize = 1 << 16;

/// The default poison value of robust pools with a template. Without a template it is 0, so that filling a copy that
/// has not been written does not allocate a page for it.
const DEFAULT_POISON: usize = usize::from_ne_bytes([0x55; size_of::<usize>()]);

/// The smallest size of items.
const SMALLEST: usize = 8;

/// The capacity for a pool's name, including the terminating 0.
const NAME: usize = 64;

/// A pool.
pub struct Pool {
    region: DynRegion,
    attr: Attr,
    /// Padded with 0.
    name: [u8; NAME],
}

impl Pool {
    /// The binary logarithm of the item size.
    pub(super) fn order(&self) -> u32 {
        self.region.shape().layout().size().trailing_zeros()
    }
}

/// The initial contents of an item.
#[derive(Clone, Copy)]
pub(super) enum Contents<'b> {
    Any,
    Zeroes,
    Copy(&'b [u8]),
}

/// `struct rseq_mempool *rseq_mempool_create(const char *pool_name, size_t item_len, const struct rseq_mempool_attr
/// *attr)` - creates a pool of items of `item_len` bytes, rounded up to a power of two, at least 8. Its name, of which
/// 63 bytes are kept, appears in messages. Returns the pool; or `NULL` and `errno`:
///
/// * `EINVAL`: an item is larger than the stride; the stride is not a power of two, or is smaller than a page; the
///   number of CPUs is negative, or 0 and not known; the policy is unknown.
/// * `ENOMEM`: there is no memory for the pool or its first range, the range could not be mapped, or the function that
///   initialises it failed.
///
/// # Safety
///
/// `pool_name` is `NULL` or a 0-terminated string. `attr` is `NULL`, or attributes that no other thread changes during
/// the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_create(
    pool_name: *const c_char,
    item_len: usize,
    attr: *const Attr,
) -> *mut Pool {
    // SAFETY: the caller guarantees that it is null, or attributes from `rseq_mempool_attr_create` that are not changed
    // during the call. The reference is not used after it.
    let attr = unsafe { attr.as_ref() }.unwrap_or(&Attr::DEFAULT);
    let mut name = [0; NAME];
    if !pool_name.is_null() {
        // SAFETY: it is not null, and the caller guarantees a 0-terminated string, which is only read here.
        let bytes = unsafe { CStr::from_ptr(pool_name) }.to_bytes();
        name.iter_mut().take(NAME - 1).zip(bytes).for_each(|(place, &byte)| *place = byte);
    }
    match complete(attr, item_len).and_then(|(attr, layout)| create(attr, layout, name)) {
        Ok(pool) => pool.as_ptr(),
        Err(errno) => {
            fail(errno);
            ptr::null_mut()
        }
    }
}

/// Replaces defaults in the attributes by values, checks them, and computes the layout of items.
fn complete(attr: &Attr, item_len: usize) -> Result<(Attr, Layout), Errno> {
    let len = item_len.max(SMALLEST).checked_next_power_of_two().ok_or(Errno::EINVAL)?;
    let layout = Layout::from_size_align(len, len).map_err(|_| Errno::EINVAL)?;
    let mut attr = *attr;
    if attr.is_global && attr.policy == COW_INIT {
        attr.policy = COW_ZERO;
    }
    if attr.is_global {
        attr.max_nr_cpus = 1;
    } else if attr.max_nr_cpus == 0 {
        attr.max_nr_cpus = rseq_get_max_nr_cpus();
    }
    if attr.stride == 0 {
        attr.stride = DEFAULT_STRIDE;
    }
    if attr.is_robust && attr.poison.is_none() {
        attr.poison = Some(if attr.policy == COW_INIT { DEFAULT_POISON } else { 0 });
    }
    let is_valid = [COW_INIT, COW_ZERO].contains(&attr.policy)
        && attr.max_nr_cpus > 0
        && attr.stride.is_power_of_two()
        && attr.stride >= page_size()
        && len <= attr.stride;
    if is_valid { Ok((attr, layout)) } else { Err(Errno::EINVAL) }
}

fn create(attr: Attr, layout: Layout, name: [u8; NAME]) -> Result<NonNull<Pool>, Errno> {
    let shape = RegionShape::new(attr.stride, attr.max_nr_cpus as usize, layout).ok_or(Errno::ENOMEM)?;
    let place = object::place::<Pool>().ok_or(Errno::ENOMEM)?;
    let region = DynRegion::new(shape, options(&attr, place.as_ptr().expose_provenance()));
    // SAFETY: the memory has the layout of a pool, and was allocated just now, so that nothing else uses it. It is
    // written before the reference to it is made.
    let pool = unsafe {
        place.write(Pool { region, attr, name });
        place.as_ref()
    };
    if pool.region.reserve().is_ok() {
        return Ok(place);
    }
    // SAFETY: `place` came from `object::place`, and was written. No pointer to it has left this function, but for the
    // region's owner, which is dropped with it.
    unsafe { object::unmake(place) };
    Err(Errno::ENOMEM)
}

fn options(attr: &Attr, owner: usize) -> RegionOptions {
    let mut options = RegionOptions::new().owner(owner).max_ranges(attr.max_nr_ranges as usize);
    if attr.policy == COW_INIT {
        options = options.copy_on_write().not_inherited();
    }
    if attr.is_robust {
        options = options.robust_for_owner(report);
    }
    if let Some(poison) = attr.poison {
        options = options.poison(poison);
    }
    if attr.init.is_some() { options.init_ranges(init) } else { options }
}

/// Reports an error in the use of a robust pool.
fn report(owner: usize, finding: Finding) {
    // SAFETY: `owner` is the address of a pool, which `create` passed to the region that is a field of the pool, so the
    // pool exists while its region does. Only the name is borrowed, which is not written after `create`.
    let name = unsafe { &(*ptr::with_exposed_provenance::<Pool>(owner)).name };
    report::error(name.split(|&byte| byte == 0).next().unwrap_or_default(), finding)
}

/// Calls the program's function that initialises a CPU's copies.
fn init(owner: usize, start: NonNull<u8>, len: usize, cpu: usize) -> Result<(), Errno> {
    // SAFETY: `owner` is the address of a pool, which `create` passed to the region that is a field of the pool, so the
    // pool exists while its region does. The attributes are not written after `create`.
    let attr = unsafe { &(*ptr::with_exposed_provenance::<Pool>(owner)).attr };
    let Some(function) = attr.init else { return Ok(()) };
    let cpu = if attr.is_global { -1 } else { cpu as c_int };
    // SAFETY: the caller of `rseq_mempool_attr_set_init` guarantees that the function may be called while a pool with
    // these attributes exists. The region passes the `len` bytes of a CPU's copies, which nothing else uses yet.
    let code = unsafe { function(attr.init_priv, start.as_ptr().cast(), len, cpu) };
    if code == 0 { Ok(()) } else { Err(Errno::ENOMEM) }
}

/// `int rseq_mempool_destroy(struct rseq_mempool *pool)` - unmaps a pool. A robust pool is checked for errors first,
/// and calls abort(3) if it has any. A child of fork(2) may destroy its copy of a pool. Returns 0. `NULL` is allowed.
///
/// # Safety
///
/// `pool` is `NULL`, or a pool that is not in a set, and that is no longer used; nor are its items.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_destroy(pool: *mut Pool) -> c_int {
    if let Some(pool) = NonNull::new(pool) {
        // SAFETY: `rseq_mempool_create` got it from `object::place` and wrote it, and the caller no longer uses it.
        unsafe { object::unmake(pool) };
    }
    0
}

/// `int rseq_mempool_get_max_nr_cpus(struct rseq_mempool *pool)` - returns the number of copies of each item in a
/// per-CPU pool; or -1 and `EINVAL` if `pool` is `NULL` or a global pool.
///
/// # Safety
///
/// `pool` is `NULL` or a pool.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_get_max_nr_cpus(pool: *const Pool) -> c_int {
    // SAFETY: the caller guarantees that it is null or a pool.
    match unsafe { pool.as_ref() } {
        Some(pool) if !pool.attr.is_global => pool.attr.max_nr_cpus,
        _ => fail(Errno::EINVAL),
    }
}

/// Allocates an item of at least `len` bytes; `EINVAL` if the pool's are smaller.
#[inline]
pub(super) fn malloc(pool: &Pool, len: usize, contents: Contents<'_>) -> Result<NonNull<u8>, Errno> {
    if len > pool.region.shape().layout().size() {
        return Err(Errno::EINVAL);
    }
    let item = match contents {
        Contents::Any => pool.region.alloc(),
        Contents::Zeroes => pool.region.alloc_zeroed(),
        Contents::Copy(bytes) => pool.region.alloc_copied(bytes),
    };
    item.map_err(|_| Errno::ENOMEM)
}

/// Converts a result to a pointer, and sets `errno` if it is an error.
pub(super) fn returned(item: Result<NonNull<u8>, Errno>) -> *mut c_void {
    match item {
        Ok(item) => item.as_ptr().cast(),
        Err(errno) => {
            fail(errno);
            ptr::null_mut()
        }
    }
}

/// The contents that `malloc_init` requests.
///
/// # Safety
///
/// `init_ptr` is `NULL`, or points to `init_len` bytes that are not written while the contents are used.
pub(super) unsafe fn copy<'b>(init_ptr: *const c_void, init_len: usize) -> Contents<'b> {
    if init_ptr.is_null() {
        return Contents::Any;
    }
    // SAFETY: `init_ptr` is not null, a `u8` has no alignment, and the caller guarantees `init_len` bytes that are not
    // written for `'b`. They come from foreign code, so they count as initialised. An object of C has at most
    // `isize::MAX` bytes.
    Contents::Copy(unsafe { slice::from_raw_parts(init_ptr.cast(), init_len) })
}

/// # Safety
///
/// `pool` is `NULL` or a pool.
#[inline]
unsafe fn malloc_in(pool: *const Pool, len: usize, contents: Contents<'_>) -> *mut c_void {
    // SAFETY: the caller guarantees that it is null or a pool.
    let pool = unsafe { pool.as_ref() }.ok_or(Errno::EINVAL);
    returned(pool.and_then(|pool| malloc(pool, len, contents)))
}

/// `void __rseq_percpu *rseq_mempool_percpu_malloc(struct rseq_mempool *pool)` - allocates an item with unspecified
/// contents. Returns the item; or `NULL` and `errno`: `ENOMEM` without memory, `EINVAL` if `pool` is `NULL`.
///
/// # Safety
///
/// `pool` is `NULL` or a pool.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_percpu_malloc(pool: *const Pool) -> *mut c_void {
    // SAFETY: the caller guarantees that it is null or a pool.
    match unsafe { pool.as_ref() }.map(|pool| pool.region.alloc()) {
        Some(Ok(item)) => item.as_ptr().cast(),
        Some(Err(_)) => returned(Err(Errno::ENOMEM)),
        None => returned(Err(Errno::EINVAL)),
    }
}

/// `void __rseq_percpu *rseq_mempool_percpu_zmalloc(struct rseq_mempool *pool)` - like [`rseq_mempool_percpu_malloc`],
/// with zeroes in each copy.
///
/// # Safety
///
/// `pool` is `NULL` or a pool.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_percpu_zmalloc(pool: *const Pool) -> *mut c_void {
    // SAFETY: the caller guarantees that `pool` is null or a pool.
    unsafe { malloc_in(pool, 0, Contents::Zeroes) }
}

/// `void __rseq_percpu *rseq_mempool_percpu_malloc_init(struct rseq_mempool *pool, void *init_ptr, size_t init_len)`
///
/// Like [`rseq_mempool_percpu_malloc`]. Each copy begins with the `init_len` bytes at `init_ptr`, followed by zeroes;
/// if `init_ptr` is `NULL`, the contents are unspecified. It also fails with `EINVAL` if `init_len` is larger than an
/// item, whether or not `init_ptr` is `NULL`.
///
/// # Safety
///
/// `pool` is `NULL` or a pool. `init_ptr` is `NULL` or points to `init_len` bytes that are not written during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_percpu_malloc_init(
    pool: *const Pool,
    init_ptr: *const c_void,
    init_len: usize,
) -> *mut c_void {
    // SAFETY: the caller guarantees that `pool` is null or a pool, and what `copy` requires of `init_ptr` for the time
    // of the call; `malloc_in` does not keep the contents.
    unsafe { malloc_in(pool, init_len, copy(init_ptr, init_len)) }
}

/// `void librseq_mempool_percpu_free(void __rseq_percpu *ptr, size_t stride)` - frees an item. The macros
/// `rseq_mempool_percpu_free` and `rseq_mempool_free` call it. `NULL` is allowed.
///
/// # Safety
///
/// `ptr` is `NULL`, or an item of a pool with this stride, and the item is no longer used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn librseq_mempool_percpu_free(ptr: *mut c_void, stride: usize) {
    let Some(item) = NonNull::new(ptr.cast::<u8>()) else { return };
    // SAFETY: the caller guarantees an item of a pool with this stride. The pool's region maps its own memory, and its
    // owner is the address of the pool, which `options` set. The pool is not destroyed before its items are unused, and
    // allocated this item, which the caller no longer uses.
    unsafe {
        let pool = &*ptr::with_exposed_provenance::<Pool>(DynRegion::owner_of(item, stride));
        pool.region.free(item);
    }
}
