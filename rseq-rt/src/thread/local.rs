//! Thread-locals with destructors.

use super::data::ThreadData;
use super::locals::Header;
use core::alloc::Layout;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

/// A variable of which each thread has one, made by [`thread_local!`](crate::thread_local).
///
/// A thread's value is initialized at the thread's first use. It is dropped when the thread ends: after its closure, or
/// `main`, has returned, or in [`exit`](super::exit), but not by [`process::exit`](crate::process::exit). Values are
/// dropped in the reverse order of their initialization; a value that a destructor initializes is dropped right after
/// it. All are dropped before the thread can be joined and before its scope ends. The values need no heap.
///
/// Signal handlers may use only values that their thread has already initialized.
pub struct LocalKey<T: 'static> {
    /// The index in each thread's table, from 1; 0 before the first use.
    index: AtomicUsize,
    initialize: fn() -> T,
}

/// How many keys have an index.
static KEYS: AtomicUsize = AtomicUsize::new(0);

/// The thread's value has been dropped, or is being dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessError;

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the thread-local was dropped already")
    }
}

impl core::error::Error for AccessError {}

#[repr(C)]
struct Entry<T> {
    header: Header,
    value: T,
}

impl<T> Entry<T> {
    /// # Safety
    ///
    /// `header` begins an entry of this type, whose value is alive and is not used afterwards.
    unsafe fn drop_value(header: NonNull<Header>) {
        // SAFETY: the caller's contract.
        unsafe { core::ptr::drop_in_place(&raw mut (*header.cast::<Self>().as_ptr()).value) };
    }
}

impl<T: 'static> LocalKey<T> {
    /// What [`thread_local!`](crate::thread_local) calls.
    #[doc(hidden)]
    pub const fn new(initialize: fn() -> T) -> Self {
        Self { index: AtomicUsize::new(0), initialize }
    }

    /// Calls `function` with the calling thread's value.
    ///
    /// # Panics
    ///
    /// If the value has been dropped, or there is no memory for a new one: panics end the process.
    #[inline]
    pub fn with<R>(&'static self, function: impl FnOnce(&T) -> R) -> R {
        match self.try_with(function) {
            Ok(result) => result,
            Err(error) => dropped(error),
        }
    }

    /// As [`with`](Self::with), for destructors that may run late.
    ///
    /// # Errors
    ///
    /// The value has been dropped.
    ///
    /// # Panics
    ///
    /// Without memory for a new value.
    #[inline]
    pub fn try_with<R>(&'static self, function: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        let header = match self.index.load(Ordering::Relaxed) {
            0 => None,
            index => ThreadData::current().locals.find(index - 1),
        };
        let header = match header {
            Some(header) => header,
            None => self.initialize()?,
        };
        // SAFETY: the entry is in this thread's table under this key's index, so it has this type; it is only shared
        // from now on. Its memory stays until the thread has dropped all values.
        unsafe {
            let entry = header.cast::<Entry<T>>().as_ptr();
            match (*entry).header.drop_value {
                Some(_) => Ok(function(&(*entry).value)),
                None => Err(AccessError),
            }
        }
    }

    #[cold]
    fn initialize(&'static self) -> Result<NonNull<Header>, AccessError> {
        let locals = &ThreadData::current().locals;
        if locals.is_over() {
            return Err(AccessError);
        }
        let value = (self.initialize)();
        let index = self.index();
        if let Some(header) = locals.find(index) {
            // The value's own initializer has used the key.
            return Ok(header);
        }
        let Ok(block) = locals.allocate(Layout::new::<Entry<T>>()) else { no_memory() };
        let entry = block.cast::<Entry<T>>();
        // SAFETY: the block has the layout of the entry. It is added under this key's index, where there was none.
        let added = unsafe {
            entry.write(Entry { header: Header::new(Entry::<T>::drop_value), value });
            locals.add(index, entry.cast())
        };
        if added.is_err() {
            no_memory();
        }
        Ok(entry.cast())
    }

    /// The index in each thread's table.
    fn index(&'static self) -> usize {
        if self.index.load(Ordering::Relaxed) == 0 {
            // If two threads come here at once, one of the two numbers stays unused.
            let new = KEYS.fetch_add(1, Ordering::Relaxed) + 1;
            let _ = self.index.compare_exchange(0, new, Ordering::Relaxed, Ordering::Relaxed);
        }
        self.index.load(Ordering::Relaxed) - 1
    }
}

impl<T: 'static> LocalKey<Cell<T>> {
    /// The calling thread's value.
    ///
    /// # Panics
    ///
    /// As [`with`](Self::with).
    pub fn get(&'static self) -> T
    where
        T: Copy,
    {
        self.with(Cell::get)
    }

    /// Changes the calling thread's value.
    ///
    /// # Panics
    ///
    /// As [`with`](Self::with).
    pub fn set(&'static self, value: T) {
        self.with(|cell| cell.set(value));
    }
}

impl<T: 'static> LocalKey<RefCell<T>> {
    /// Calls `function` with the calling thread's value.
    ///
    /// # Panics
    ///
    /// As [`with`](Self::with), and if the value is borrowed.
    pub fn with_borrow_mut<R>(&'static self, function: impl FnOnce(&mut T) -> R) -> R {
        self.with(|cell| function(&mut cell.borrow_mut()))
    }
}

/// Drops the calling thread's thread-locals.
#[cfg(not(feature = "hosted"))]
pub fn drop_locals() {
    ThreadData::current().locals.destroy();
}

#[cold]
fn dropped(error: AccessError) -> ! {
    panic!("{error}")
}

#[cold]
fn no_memory() -> ! {
    panic!("no memory for a thread-local")
}

/// Declares thread-locals, as std's macro does, on stable Rust and without a heap; see
/// [`LocalKey`](crate::thread::LocalKey) for when they are dropped.
///
/// ```ignore
/// use core::cell::Cell;
///
/// rseq_rt::thread_local! {
///     static DEPTH: Cell<u32> = const { Cell::new(0) };
///     pub static BUFFER: Buffer = Buffer::open();
/// }
///
/// DEPTH.set(DEPTH.get() + 1);
/// BUFFER.with(|buffer| buffer.push(7));
/// ```
#[macro_export]
macro_rules! thread_local {
    () => {};
    ($(#[$attribute:meta])* $visible:vis static $name:ident: $type:ty = const $value:block $(; $($rest:tt)*)?) => {
        $(#[$attribute])*
        $visible static $name: $crate::thread::LocalKey<$type> = $crate::thread::LocalKey::new(|| const $value);
        $($crate::thread_local! { $($rest)* })?
    };
    ($(#[$attribute:meta])* $visible:vis static $name:ident: $type:ty = $value:expr $(; $($rest:tt)*)?) => {
        $(#[$attribute])*
        $visible static $name: $crate::thread::LocalKey<$type> = $crate::thread::LocalKey::new(|| $value);
        $($crate::thread_local! { $($rest)* })?
    };
}
