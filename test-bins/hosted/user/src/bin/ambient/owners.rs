//! Other code releases the registration of a thread.

use crate::{add, is_exact};
use anyhow::{Result, anyhow, ensure};
use rseq_core::{Ambient, Area, Cause, KernelRseq, Owner, Status, abi, arch, ensure_registered, status, sys};
use std::thread;

pub fn released() -> Result<()> {
    thread::spawn(check).join().map_err(|_| anyhow!("the thread panicked"))??;
    is_exact(300)
}

fn check() -> Result<()> {
    add(100);
    let owner = ensure_registered()?;
    let area = Ambient::token().area().pointer().as_ptr();
    let lengths = [KernelRseq::read().registration_len(), abi::ORIGINAL_SIZE];
    // SAFETY: releases a registration of this thread; nothing is given away.
    let release = |len| unsafe { sys::rseq(area, len, abi::FLAG_UNREGISTER, arch::SIGNATURE) };
    ensure!(lengths.into_iter().any(|len| release(len).is_ok()), "other code cannot release it");
    // By concurrency ID the area now says 0, which is a slot.
    add(100);
    let found = status();
    println!("released {owner}'s registration: {found}");
    let expected = match owner {
        Owner::Own => Status::On(Owner::Own),
        owner => Status::Off(Cause::ThreadNotRegistered(owner)),
    };
    ensure!(found == expected, "{found}");
    add(100);
    Ok(())
}
