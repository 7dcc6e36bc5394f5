//! What a started copy does: its exit code tells the test.

use core::ffi::CStr;

use harness::sys::file::File;
use harness::sys::memory::Mapping;
use harness::sys::process;
use harness::sys::signal::{self, Action};
use linux_raw_sys::general as raw;
use rseq_core::{Mode, RegisterError, Registration};
use rseq_rt::io::{STDOUT, write_all};
use rseq_rt::{NotRegistered, env, print, println};

use crate::stack_limits;

/// The parts of started copies; the result is their exit code.
pub fn play(role: &str) -> u8 {
    match role {
        "arguments" => expect_arguments(),
        "exit" => argument().map_or(99, |code| code as u8),
        "panic" => panic!("the message is {}", 6 * 7),
        "panic-twice" => panic!("the message is {Broken}"),
        "descriptors" => first_free_descriptor(),
        "long" => {
            for _ in 0..LINES {
                print!("{:>width$}\n", "#", width = LINE - 1);
            }
            0
        }
        "bulk" => write_bulk(),
        "print" => {
            println!("a line");
            0
        }
        "secure" => u8::from(env::auxv(linux_raw_sys::auxvec::AT_SECURE as usize) != Some(1)) * 4,
        "registration" => report_registration(),
        "alternate" => handle_signal(),
        "limit" => u8::from(!has_stack_limit()),
        _ => 97,
    }
}

/// What panics while it is printed.
struct Broken;

impl core::fmt::Display for Broken {
    fn fmt(&self, _: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        panic!("the message panics")
    }
}

/// Handles a signal on the alternate stack.
fn handle_signal() -> u8 {
    extern "C" fn leave(_: i32) {
        process::exit(0)
    }
    if signal::set(raw::SIGUSR1, Action::OnAlternateStack(leave)).is_err() {
        return 92;
    }
    let _ = signal::send(process::id(), process::thread_id(), raw::SIGUSR1);
    91
}

fn first_free_descriptor() -> u8 {
    File::open_at(raw::AT_FDCWD, c"/", raw::O_PATH).map_or(93, |file| file.descriptor() as u8)
}

/// Whether the soft limit is the one that the argument names. A 32-bit kernel takes what it cannot hold for no limit.
fn has_stack_limit() -> bool {
    let Ok([soft, _]) = stack_limits(None) else { return false };
    let wanted: Option<u64> = argument();
    wanted == Some(soft) || (soft == u64::MAX && wanted > Some(u32::MAX.into()))
}

/// More than a pipe holds, so that one `write(2)` takes a part of it.
pub const BULK: usize = 300_000;

fn write_bulk() -> u8 {
    let Ok(memory) = Mapping::private(BULK) else { return 98 };
    // SAFETY: the mapping has that many bytes, all 0, which are not written.
    let bytes = unsafe { core::slice::from_raw_parts(memory.address() as *const u8, BULK) };
    u8::from(write_all(STDOUT, bytes).is_err())
}

pub const LINE: usize = 3000;
pub const LINES: usize = 100;

fn expect_arguments() -> u8 {
    let wanted: [&[u8]; 4] = [b"start_test", b"", b"a b", b"\xff"];
    let bytes = env::args_os().map(CStr::to_bytes).eq(wanted);
    let text = env::args().eq(["start_test", "", "a b", env::NOT_UTF8]);
    let variables = env::var("EMPTY") == Some("")
        && env::var("NAME") == Some("a=b")
        && env::var("NAM").is_none()
        && env::var("BYTES").is_none()
        && env::var_bytes("BYTES") == Some(b"\xff");
    let auxiliary = env::auxv(linux_raw_sys::auxvec::AT_PAGESZ as usize).is_some_and(usize::is_power_of_two)
        && env::auxv(usize::MAX).is_none();
    u8::from(!bytes) | u8::from(!text) << 1 | u8::from(!variables) << 2 | u8::from(!auxiliary) << 3
}

/// The first argument as a number.
fn argument() -> Option<u64> {
    env::args().nth(1)?.parse().ok()
}

/// 0 extended, 1 legacy, 2 off and free to register itself, 3 refused by the kernel; more says what contradicts itself.
fn report_registration() -> u8 {
    let registered = rseq_rt::current().is_some();
    match rseq_rt::registration() {
        Ok(_) if !registered => 10,
        Err(_) if registered => 11,
        Ok(Mode::Extended) => 0,
        Ok(Mode::Legacy) => 1,
        Ok(_) => 14,
        Err(NotRegistered::Off) => register_alone(),
        Err(error) => {
            println!("{error}");
            3
        }
    }
}

fn register_alone() -> u8 {
    // SAFETY: the main thread, which outlives the registration: it is dropped right here.
    match unsafe { Registration::own(Mode::Extended) } {
        Ok(registration) if registration.token().is_registered() => 2,
        Ok(_) => 12,
        Err(RegisterError::OtherOwner(_)) => 13,
        Err(error) => {
            println!("{error}");
            3
        }
    }
}
