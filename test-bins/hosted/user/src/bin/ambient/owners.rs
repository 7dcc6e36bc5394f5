//! Other code releases the registration of a thread.

use crate::{Outcome, add, ensure, is_exact};
use rseq_core::{Ambient, Area, Cause, KernelRseq, Owner, Status, abi, arch, ensure_registered, status, sys};
use std::thread;

pub fn released() -> Outcome {
    thread::spawn(check).join().map_err(|_| "the thread panicked")??;
    is_exact(300)
}

fn check() -> Outcome {
    add(100);
    let owner = ensure_registered().map_err(|cause| cause.to_string())?;
    let area = Ambient::token().area().pointer().as_ptr();
    let lengths = [KernelRseq::read().registration_len(), abi::ORIGINAL_SIZE];
    // SAFETY: releases a registration of this thread; nothing is given away.
    let release = |len| unsafe { sys::rseq(area, len, abi::FLAG_UNREGISTER, arch::SIGNATURE) };
    ensure(lengths.into_iter().any(|len| release(len).is_ok()), || "other code cannot release it".into())?;
    // By concurrency ID the area now says 0, which is a slot.
    add(100);
    let found = status();
    println!("released {owner}'s registration: {found}");
    let expected = match owner {
        Owner::Own => Status::On(Owner::Own),
        owner => Status::Off(Cause::ThreadNotRegistered(owner)),
    };
    ensure(found == expected, || format!("{found}"))?;
    add(100);
    Ok(())
}
