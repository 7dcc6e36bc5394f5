//! Thread-locals of any number, size and alignment.

use core::cell::{Cell, RefCell};

use harness::ensure;
use harness::ktap::{OrFail, Verdict};
use rseq_rt::thread::{self, Builder};

rseq_rt::thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(7) };
    static LIST: RefCell<[u8; 9]> = RefCell::new([1; 9]);
}

pub fn own_values() -> Verdict {
    DEPTH.set(8);
    let theirs = thread::spawn(|| {
        let first = DEPTH.get();
        DEPTH.set(9);
        LIST.with_borrow_mut(|list| list[3] = 4);
        (first, DEPTH.get(), LIST.with(|list| list.borrow().iter().map(|byte| u32::from(*byte)).sum::<u32>()))
    });
    let theirs = theirs.or_fail("spawn")?.join();
    ensure!(theirs == (7, 9, 12), "the thread's values are {theirs:?}");
    ensure!(DEPTH.get() == 8, "the main thread's value is {}", DEPTH.get());
    Ok(())
}

#[repr(align(4096))]
struct Aligned([u8; 4096]);

rseq_rt::thread_local! {
    static LARGE: RefCell<[u64; 20_000]> = const { RefCell::new([0; 20_000]) };
    static ALIGNED: Aligned = Aligned([5; 4096]);
    static NOTHING: () = ();
}

pub fn sizes() -> Verdict {
    let sum = Builder::new().stack_size(1 << 20).spawn(|| {
        LARGE.with_borrow_mut(|large| large.iter_mut().zip(0..).for_each(|(item, number)| *item = number));
        NOTHING.with(|nothing| *nothing);
        let aligned = ALIGNED.with(|value| {
            let is_whole = value.0.iter().all(|byte| *byte == 5);
            is_whole && core::hint::black_box(&raw const *value as usize).is_multiple_of(4096)
        });
        (aligned, LARGE.with(|large| large.borrow().iter().sum::<u64>()))
    });
    let (aligned, sum) = sum.or_fail("spawn")?.join();
    ensure!(aligned, "a value with alignment 4096 is damaged");
    ensure!(sum == 199_990_000, "the sum of a large value is {sum}");
    Ok(())
}

macro_rules! keys {
    ($($name:ident)*) => {
        rseq_rt::thread_local! { $(static $name: Cell<usize> = const { Cell::new(0) });* }
        const KEYS: &[&thread::LocalKey<Cell<usize>>] = &[$(&$name),*];
    };
}

keys! {
    A0 A1 A2 A3 A4 A5 A6 A7 A8 A9 B0 B1 B2 B3 B4 B5 B6 B7 B8 B9 C0 C1 C2 C3 C4 C5 C6 C7 C8 C9
    D0 D1 D2 D3 D4 D5 D6 D7 D8 D9
}

/// More than the first table holds.
pub fn many_keys() -> Verdict {
    let wrong = thread::spawn(|| {
        KEYS.iter().zip(1..).for_each(|(key, number)| key.set(number));
        KEYS.iter().zip(1..).filter(|(key, number)| key.get() != *number).count()
    });
    let wrong = wrong.or_fail("spawn")?.join();
    ensure!(wrong == 0, "{wrong} of {} values are others", KEYS.len());
    Ok(())
}
