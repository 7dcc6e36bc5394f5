//! The `plugin` library, loaded and unloaded.

use std::ffi::{CStr, CString, c_void};
use std::ops::Range;

use anyhow::{Error, Result, anyhow, bail, ensure};
use rseq_core::percpu::Slots;

use crate::maps;

type Add = unsafe extern "C" fn(*mut usize, usize, usize) -> i32;
type PrepareUnload = extern "C" fn();

/// A loaded library; its functions are gone with it.
#[derive(Debug)]
pub struct Plugin {
    handle: *mut c_void,
    add: Add,
    prepare_unload: PrepareUnload,
    path: String,
}

// SAFETY: a handle of dlopen and the functions of a library may be used from any thread.
unsafe impl Send for Plugin {}
// SAFETY: as above; nothing is changed through a shared reference.
unsafe impl Sync for Plugin {}

impl Plugin {
    /// Loads the library at `path`.
    pub fn load(path: &str) -> Result<Self> {
        let name = CString::new(path)?;
        // SAFETY: `name` is a string, and the library's initialisers are Rust's own, which do nothing.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        ensure!(!handle.is_null(), "cannot load {path}: {}", last_error());
        let (add, prepare_unload) = (symbol(handle, c"plugin_add")?, symbol(handle, c"plugin_prepare_unload")?);
        // SAFETY: the library defines both with these types.
        let (add, prepare_unload) = unsafe {
            (
                std::mem::transmute::<*mut c_void, Add>(add),
                std::mem::transmute::<*mut c_void, PrepareUnload>(prepare_unload),
            )
        };
        Ok(Self { handle, add, prepare_unload, path: path.into() })
    }

    /// Adds 1 to the calling thread's slot, `times` times, with the library's section.
    pub fn add(&self, slots: Slots<'_>, times: usize) -> Result<()> {
        // SAFETY: slots of 64 bytes, as many as it says, which the library's sections by CPU write as all others do.
        match unsafe { (self.add)(slots.as_ptr(), slots.len(), times) } {
            0 => Ok(()),
            _ => bail!("the library found this thread unregistered"),
        }
    }

    /// Makes the calling thread forget the library's sections.
    pub fn prepare_unload(&self) {
        (self.prepare_unload)();
    }

    /// Where the library is mapped.
    pub fn mapped(&self) -> Vec<Range<usize>> {
        maps::of(&self.path).unwrap_or_default()
    }

    /// Unloads the library; an error says that it stayed.
    pub fn unload(self) -> Result<()> {
        // SAFETY: the handle is dlopen's and is closed once; `self` ends here, and its functions with it.
        if unsafe { libc::dlclose(self.handle) } != 0 {
            return Err(last_error());
        }
        ensure!(self.mapped().is_empty(), "{} is still mapped", self.path);
        Ok(())
    }
}

fn symbol(handle: *mut c_void, name: &CStr) -> Result<*mut c_void> {
    // SAFETY: the handle is dlopen's, and the name is a string.
    let address = unsafe { libc::dlsym(handle, name.as_ptr()) };
    if address.is_null() { Err(last_error()) } else { Ok(address) }
}

fn last_error() -> Error {
    // SAFETY: dlerror returns null or a string that lives until this thread's next call of it.
    let text = unsafe { libc::dlerror().cast_const() };
    if text.is_null() {
        return anyhow!("unknown error");
    }
    // SAFETY: as above.
    Error::msg(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}
