//! A plugin with its own copy of the core, in threads that it or the program registers.

use crate::{add, is_exact};
use anyhow::{Result, anyhow, bail, ensure};
use rseq_core::{Cause, Owner, Status, status};
use std::ffi::{CStr, CString};
use std::thread;

#[derive(Clone, Copy)]
struct Plugin {
    count: extern "C" fn(u64),
    sum: extern "C" fn() -> u64,
    is_on: extern "C" fn() -> bool,
}

impl Plugin {
    fn load(path: &str) -> Result<Self> {
        let path = CString::new(path)?;
        // SAFETY: the library defines the three functions with these types, and stays loaded.
        unsafe {
            let handle = libc::dlopen(path.as_ptr(), libc::RTLD_NOW);
            let symbol = |name: &CStr| match libc::dlsym(handle, name.as_ptr()) {
                address if handle.is_null() || address.is_null() => bail!("{name:?} is not there"),
                address => Ok(address),
            };
            Ok(Self {
                count: std::mem::transmute::<*mut libc::c_void, extern "C" fn(u64)>(symbol(c"plugin_count")?),
                sum: std::mem::transmute::<*mut libc::c_void, extern "C" fn() -> u64>(symbol(c"plugin_sum")?),
                is_on: std::mem::transmute::<*mut libc::c_void, extern "C" fn() -> bool>(symbol(c"plugin_is_on")?),
            })
        }
    }
}

/// The plugin registers threads; the program then finds them registered at an area that it does not know.
pub fn first(path: &str) -> Result<()> {
    let plugin = Plugin::load(path)?;
    run(plugin, |plugin| {
        (plugin.count)(1000);
        add(1000);
        (status(), (plugin.is_on)())
    })
}

/// The program registers threads.
pub fn second(path: &str) -> Result<()> {
    let plugin = Plugin::load(path)?;
    run(plugin, |plugin| {
        add(1000);
        (plugin.count)(1000);
        (status(), (plugin.is_on)())
    })
}

fn run(plugin: Plugin, work: fn(Plugin) -> (Status, bool)) -> Result<()> {
    const THREADS: u64 = 8;
    let threads: Vec<_> = (0..THREADS).map(|_| thread::spawn(move || work(plugin))).collect();
    for thread in threads {
        let (program, plugin) = thread.join().map_err(|_| anyhow!("a thread panicked"))?;
        println!("the program: {program}; the plugin: {}", if plugin { "on" } else { "off" });
        let is_expected = match program {
            Status::On(Owner::Own) => !plugin,
            Status::On(_) => plugin,
            Status::Off(Cause::OtherOwner) => plugin,
            _ => false,
        };
        ensure!(is_expected, "both or none registered the thread");
    }
    let sum = (plugin.sum)();
    ensure!(sum == 1000 * THREADS, "{} added but {sum} found by the plugin", 1000 * THREADS);
    is_exact(1000 * THREADS)
}
