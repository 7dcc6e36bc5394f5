//! The examples of `rseq-rt/docs/system.rs`.

#[path = "../../../../rseq-rt/docs/system.rs"]
mod examples;

use alloc::vec::Vec;

use anyhow::{Result, anyhow, ensure};
use rseq_rt::env;
use rustix::process::{Signal, getpid, kill_process};

fn tried<T, E: core::fmt::Debug>(what: &str, result: Result<T, E>) -> Result<T> {
    result.map_err(|error| anyhow!("{what}: {error:?}"))
}

/// Does each, and sees what comes out. Standard input holds `typed`.
pub fn all() -> Result<()> {
    let mut buffer = [0; 64];
    let read = tried("standard input", examples::input(&mut buffer))?;
    expect("standard input", &buffer[..read], b"typed")?;
    let read = tried("a file", examples::first_bytes(c"/proc/self/comm", &mut buffer))?;
    expect("a file", buffer[..read].trim_ascii_end(), rseq_rt::thread::current().name().as_bytes())?;
    let before = examples::now();
    rseq_rt::thread::sleep(core::time::Duration::from_millis(2));
    expect("2 ms on the clock", &(examples::now() - before >= 2_000_000), &true)?;
    for cpu in 0..2 {
        // A machine may have one CPU only.
        let Ok(seen) = examples::on_cpu(cpu, || (examples::cpu(), rseq_rt::current().map(|here| here.cpu_id()))) else {
            continue;
        };
        expect("the CPU", &seen.0, &cpu)?;
        expect("the CPU by rseq", &seen.1.unwrap_or(cpu as u32), &(cpu as u32))?;
    }
    let environment: Vec<_> = env::vars_os().map(|name| name.as_ptr().cast()).chain([core::ptr::null()]).collect();
    for (program, code) in [(c"/bin/true", 0), (c"/bin/false", 1)] {
        let ended = tried("a process", examples::run(program, c"an argument", &environment))?;
        expect("an exit code", &ended, &Some(code))?;
    }
    tried("blocking", examples::block(Signal::USR1))?;
    tried("kill", kill_process(getpid(), Signal::USR1))?;
    let signal = tried("waiting", examples::next_signal(Signal::USR1))?;
    expect("the signal", &signal, &Signal::USR1)
}

fn expect<T: PartialEq + core::fmt::Debug + ?Sized>(what: &str, found: &T, wanted: &T) -> Result<()> {
    ensure!(found == wanted, "{what}: {found:?}, not {wanted:?}");
    Ok(())
}
