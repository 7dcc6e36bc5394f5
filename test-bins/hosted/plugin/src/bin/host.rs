//! Loads a plugin, uses it and closes it, again and again, and is interrupted by a signal after each time: `host
//! PLUGIN`.

use libc::{RTLD_LOCAL, RTLD_NOLOAD, RTLD_NOW, dlclose, dlopen, dlsym};
use std::error::Error;
use std::ffi::{CString, c_int, c_void};
use std::mem::transmute;

const TIMES: u64 = 1000;

/// A plugin that is loaded; its functions may be gone with it.
struct Plugin {
    handle: *mut c_void,
    handle_request: extern "C" fn(),
    handled: extern "C" fn() -> u64,
}

impl Plugin {
    fn load(path: &CString) -> Result<Self, Box<dyn Error>> {
        // SAFETY: the plugin's initialisers are those of Rust, and its functions have these types.
        unsafe {
            let handle = dlopen(path.as_ptr(), RTLD_NOW | RTLD_LOCAL);
            if handle.is_null() {
                return Err(format!("{path:?} cannot be loaded").into());
            }
            let symbols = [c"plugin_handle", c"plugin_handled"].map(|name| dlsym(handle, name.as_ptr()));
            if symbols.iter().any(|symbol| symbol.is_null()) {
                return Err("it is no plugin".into());
            }
            let handle_request = transmute::<*mut c_void, extern "C" fn()>(symbols[0]);
            let handled = transmute::<*mut c_void, extern "C" fn() -> u64>(symbols[1]);
            Ok(Self { handle, handle_request, handled })
        }
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        // SAFETY: the handle is dlopen's, and its functions are not called any more.
        unsafe { dlclose(self.handle) };
    }
}

fn is_loaded(path: &CString) -> bool {
    // SAFETY: it loads nothing.
    let handle = unsafe { dlopen(path.as_ptr(), RTLD_NOW | RTLD_NOLOAD) };
    if handle.is_null() {
        return false;
    }
    // SAFETY: dlopen has counted one more user.
    unsafe { dlclose(handle) };
    true
}

extern "C" fn on_signal(_: c_int) {}

fn main() -> Result<(), Box<dyn Error>> {
    let path = CString::new(std::env::args().nth(1).ok_or("usage: host PLUGIN")?)?;
    // SAFETY: the handler does nothing.
    unsafe { libc::signal(libc::SIGUSR1, on_signal as *const () as usize) };
    let mut handled = 0;
    for _ in 0..TIMES {
        let plugin = Plugin::load(&path)?;
        (plugin.handle_request)();
        handled = (plugin.handled)();
        // Its last use: what this thread has of the plugin is a pointer to a section.
        (plugin.handle_request)();
        drop(plugin);
        // SAFETY: the signal has a handler.
        unsafe { libc::raise(libc::SIGUSR1) };
    }
    let place = if is_loaded(&path) { "in memory" } else { "gone" };
    println!("closed {TIMES} times, {handled} requests counted; the plugin is {place}");
    Ok(())
}
