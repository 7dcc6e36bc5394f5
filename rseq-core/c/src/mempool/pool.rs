//! `struct rseq_mempool`: items of one size.

use super::attr::{Attr, COW_INIT, COW_ZERO};
use super::{object, report};
use crate::cpu::rseq_get_max_nr_cpus;
use crate::errno::fail;
use core::alloc::Layout;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::{self, NonNull};
use core::slice;
use rseq_core::percpu::{DynRegion, RegionOptions, RegionShape};
use rseq_core::sys::{Errno, page_size};

/// `RSEQ_MEMPOOL_STRIDE`
const DEFAULT_STRIDE: usize = 1 << 16;

/// The value that freed items of robust pools are filled with by default, where copies show a template: of the other
/// ones it is 0, so that copies which nobody has written stay without memory.
const DEFAULT_POISON: usize = usize::from_ne_bytes([0x55; size_of::<usize>()]);

/// The smallest size of items.
const SMALLEST: usize = 8;

/// Bytes of a pool's name that are kept, with the final 0.
const NAME: usize = 64;

/// A pool.
pub struct Pool {
    region: DynRegion,
    attr: Attr,
    /// 0 from the end of the name on.
    pub(super) name: [u8; NAME],
}

impl Pool {
    /// The logarithm of the size of items.
    pub(super) fn order(&self) -> u32 {
        self.region.shape().layout().size().trailing_zeros()
    }
}

/// What an item is to hold.
#[derive(Clone, Copy)]
pub(super) enum Contents<'b> {
    Any,
    Zeroes,
    Copy(&'b [u8]),
}

/// `struct rseq_mempool *rseq_mempool_create(const char *pool_name, size_t item_len, const struct rseq_mempool_attr
/// *attr)` - makes a pool of items of `item_len` bytes, rounded up to a power of two from 8 on. Its name, of which 63
/// bytes are kept, is for messages. Returns `NULL` and `errno` on errors:
///
/// * `EINVAL`: an item is larger than the stride; the stride is no power of two, or less than a page; the number of
///   CPUs is negative; there is no such policy.
/// * `ENOMEM`: there is no memory for the first range, it could not be mapped, or the function that initialises it
///   failed.
///
/// # Safety
///
/// `pool_name` is `NULL` or a string; `attr` is `NULL` or attributes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_create(
    pool_name: *const c_char,
    item_len: usize,
    attr: *const Attr,
) -> *mut Pool {
    // SAFETY: the caller's contract.
    let attr = unsafe { attr.as_ref() }.unwrap_or(&Attr::DEFAULT);
    let mut name = [0; NAME];
    if !pool_name.is_null() {
        // SAFETY: the caller's contract.
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

/// Attributes without defaults, and the layout of items.
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
    // SAFETY: the place is one for a pool, which nobody else has.
    let pool = unsafe {
        place.write(Pool { region, attr, name });
        place.as_ref()
    };
    if pool.region.reserve().is_ok() {
        return Ok(place);
    }
    // SAFETY: it was made above, and nobody has seen it.
    unsafe { object::unmake(place) };
    Err(Errno::ENOMEM)
}

fn options(attr: &Attr, owner: usize) -> RegionOptions {
    let mut options = RegionOptions::new().owner(owner).max_ranges(attr.max_nr_ranges as usize);
    if attr.policy == COW_INIT {
        options = options.copy_on_write().not_inherited();
    }
    if attr.is_robust {
        options = options.robust_for_owner(report::error);
    }
    if let Some(poison) = attr.poison {
        options = options.poison(poison);
    }
    if attr.init.is_some() { options.init_ranges(init) } else { options }
}

/// Has the program's function initialise a CPU's copies.
fn init(owner: usize, start: NonNull<u8>, len: usize, cpu: usize) -> Result<(), Errno> {
    // SAFETY: the address of a pool, which is there as long as its region.
    let attr = unsafe { &(*ptr::with_exposed_provenance::<Pool>(owner)).attr };
    let Some(function) = attr.init else { return Ok(()) };
    let cpu = if attr.is_global { -1 } else { cpu as c_int };
    // SAFETY: as was promised when the function was set.
    let ended = unsafe { function(attr.init_priv, start.as_ptr().cast(), len, cpu) };
    if ended == 0 { Ok(()) } else { Err(Errno::ENOMEM) }
}

/// `int rseq_mempool_destroy(struct rseq_mempool *pool)` - unmaps a pool. A robust pool first looks for errors, and
/// ends the process by abort(3) if it finds any. In a child of fork(2), it frees what the child has of the pool.
/// Returns 0. `NULL` is allowed.
///
/// # Safety
///
/// `pool` is `NULL`, or a pool that is in no set, and that is not used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_destroy(pool: *mut Pool) -> c_int {
    if let Some(pool) = NonNull::new(pool) {
        // SAFETY: `rseq_mempool_create` made it; the caller gives it up.
        unsafe { object::unmake(pool) };
    }
    0
}

/// `int rseq_mempool_get_max_nr_cpus(struct rseq_mempool *pool)` - the number of copies of a per-CPU pool; or -1 and
/// `EINVAL` for `NULL` and for a global pool.
///
/// # Safety
///
/// `pool` is `NULL` or a pool.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_get_max_nr_cpus(pool: *const Pool) -> c_int {
    // SAFETY: the caller's contract.
    match unsafe { pool.as_ref() } {
        Some(pool) if !pool.attr.is_global => pool.attr.max_nr_cpus,
        _ => fail(Errno::EINVAL),
    }
}

/// An item, or `NULL` and `errno`.
#[inline]
pub(super) fn malloc(pool: &Pool, contents: Contents<'_>) -> Result<NonNull<u8>, Errno> {
    let item = match contents {
        Contents::Any => pool.region.alloc(),
        Contents::Zeroes => pool.region.alloc_zeroed(),
        Contents::Copy(bytes) if bytes.len() > pool.region.shape().layout().size() => return Err(Errno::EINVAL),
        Contents::Copy(bytes) => pool.region.alloc_copied(bytes),
    };
    item.map_err(|_| Errno::ENOMEM)
}

/// As C returns items.
pub(super) fn returned(item: Result<NonNull<u8>, Errno>) -> *mut c_void {
    match item {
        Ok(item) => item.as_ptr().cast(),
        Err(errno) => {
            fail(errno);
            ptr::null_mut()
        }
    }
}

/// What C asks for by `malloc_init`.
///
/// # Safety
///
/// `init_ptr` is `NULL` or the address of so many bytes, which nobody writes as long as the contents are used.
pub(super) unsafe fn copy<'b>(init_ptr: *const c_void, init_len: usize) -> Contents<'b> {
    if init_ptr.is_null() {
        return Contents::Any;
    }
    // SAFETY: the caller's contract; bytes of C are initialised for whoever only copies them.
    Contents::Copy(unsafe { slice::from_raw_parts(init_ptr.cast(), init_len) })
}

/// # Safety
///
/// `pool` is `NULL` or a pool.
#[inline]
unsafe fn malloc_in(pool: *const Pool, contents: Contents<'_>) -> *mut c_void {
    // SAFETY: the caller's contract.
    let pool = unsafe { pool.as_ref() }.ok_or(Errno::EINVAL);
    returned(pool.and_then(|pool| malloc(pool, contents)))
}

/// `void __rseq_percpu *rseq_mempool_percpu_malloc(struct rseq_mempool *pool)` - allocates an item: of what, its
/// copies may hold anything. Returns `NULL` and `ENOMEM` without memory, `EINVAL` if `pool` is `NULL`.
///
/// # Safety
///
/// `pool` is `NULL` or a pool.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_percpu_malloc(pool: *const Pool) -> *mut c_void {
    // SAFETY: the caller's contract.
    match unsafe { pool.as_ref() }.map(|pool| pool.region.alloc()) {
        Some(Ok(item)) => item.as_ptr().cast(),
        Some(Err(_)) => returned(Err(Errno::ENOMEM)),
        None => returned(Err(Errno::EINVAL)),
    }
}

/// `void __rseq_percpu *rseq_mempool_percpu_zmalloc(struct rseq_mempool *pool)` - the same, with zeroes in each copy.
///
/// # Safety
///
/// `pool` is `NULL` or a pool.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_percpu_zmalloc(pool: *const Pool) -> *mut c_void {
    // SAFETY: the caller's contract.
    unsafe { malloc_in(pool, Contents::Zeroes) }
}

/// `void __rseq_percpu *rseq_mempool_percpu_malloc_init(struct rseq_mempool *pool, void *init_ptr, size_t init_len)`
///
/// The same, with `init_len` bytes from `init_ptr` on in each copy, and zeroes after them; with anything, if `init_ptr`
/// is `NULL`. `EINVAL` if an item is smaller.
///
/// # Safety
///
/// `pool` is `NULL` or a pool; `init_ptr` is `NULL` or the address of so many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rseq_mempool_percpu_malloc_init(
    pool: *const Pool,
    init_ptr: *const c_void,
    init_len: usize,
) -> *mut c_void {
    // SAFETY: the caller's contract.
    unsafe { malloc_in(pool, copy(init_ptr, init_len)) }
}

/// `void librseq_mempool_percpu_free(void __rseq_percpu *ptr, size_t stride)` - frees an item: what
/// `rseq_mempool_percpu_free` and `rseq_mempool_free` call. `NULL` is allowed.
///
/// # Safety
///
/// `ptr` is `NULL`, or an item of a pool of this stride, which is not used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn librseq_mempool_percpu_free(ptr: *mut c_void, stride: usize) {
    let Some(item) = NonNull::new(ptr.cast::<u8>()) else { return };
    // SAFETY: the item of a pool, whose region has its pool as the owner, and this stride. The pool is there as long
    // as its items are used.
    unsafe {
        let pool = &*ptr::with_exposed_provenance::<Pool>(DynRegion::owner_of(item, stride));
        pool.region.free(item);
    }
}
