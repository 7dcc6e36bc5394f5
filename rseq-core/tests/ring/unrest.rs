//! What disturbs threads: signals, other CPUs, and the end of their registration.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use linux_raw_sys::general as nr;
use rseq_core::{Area, KernelRseq, Registration, abi, arch, sys};

/// SIGURG, which by default does nothing.
const SIGNAL: i32 = if cfg!(any(target_arch = "mips", target_arch = "mips64")) { 21 } else { 23 };

unsafe extern "C" {
    fn signal(signal: i32, handler: usize) -> usize;
}

fn call(nr: u32, args: [usize; 3]) -> usize {
    // SAFETY: the calls below take numbers.
    unsafe { sys::syscall(nr, [args[0], args[1], args[2], 0, 0, 0]) }
        .unwrap_or_else(|error| panic!("call {nr}: {error:?}"))
}

/// Makes `handler` what the process does on the signal of a [`Pest`].
pub fn handle(handler: extern "C" fn(i32)) {
    // SAFETY: the handler is a function of the C ABI that lives as long as the process.
    unsafe { signal(SIGNAL, handler as *const () as usize) };
}

/// Sends signals to threads, one after the other.
#[derive(Default)]
pub struct Pest {
    threads: [AtomicUsize; 8],
    is_over: AtomicBool,
}

impl Pest {
    /// From now on the calling thread gets signals, as the one of this number.
    pub fn enlist(&self, number: usize) {
        self.threads[number].store(call(nr::__NR_gettid, [0; 3]), Relaxed);
    }

    /// The calling thread gets none any more, but for one that is on its way.
    pub fn discharge(&self, number: usize) {
        self.threads[number].store(0, Relaxed);
    }

    /// Sends signals until it is to end.
    pub fn run(&self) {
        let process = call(nr::__NR_getpid, [0; 3]);
        while !self.is_over.load(Relaxed) {
            for thread in &self.threads {
                let thread = thread.load(Relaxed);
                if thread != 0 {
                    // SAFETY: a signal to a thread of this process that handles it. It may have ended.
                    let _ = unsafe { sys::syscall(nr::__NR_tgkill, [process, thread, SIGNAL as usize, 0, 0, 0]) };
                }
            }
            std::thread::sleep(Duration::from_micros(20));
        }
    }

    /// Ends [`run`](Self::run) when it is dropped, by a panic too.
    pub fn until_dropped(&self) -> impl Drop {
        struct End<'p>(&'p Pest);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.is_over.store(true, Relaxed);
            }
        }
        End(self)
    }
}

/// Takes the libc's registration from the calling thread for good. False where there is none, or it is not as known.
pub fn take_registration() -> bool {
    let Ok(registration) = Registration::adopt() else { return false };
    let area = registration.token().area().pointer().as_ptr();
    let sizes = [abi::ORIGINAL_SIZE, KernelRseq::read().active_size(), KernelRseq::read().registration_len()];
    core::mem::forget(registration);
    sizes.into_iter().any(|size| {
        // SAFETY: the thread's own area; without its registration, sections leave, and the ring works under a lock.
        unsafe { sys::rseq(area, size, abi::FLAG_UNREGISTER, arch::SIGNATURE) }.is_ok()
    })
}
