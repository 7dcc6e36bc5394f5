//! Rings against a sequential model, and controls that are wrong on purpose.

extern crate std;

mod controls;
mod model;

use super::header::{Header, State, size};
use super::{ConsumerError, Ring, RingError};
use crate::{ByCpu, sys};
use linux_raw_sys::general::__NR_sched_setaffinity;

/// Keeps this thread on the CPU that it is on.
pub(super) fn stay_on_this_cpu() {
    let cpu = sys::getcpu().expect("getcpu").cpu as usize;
    let mut mask = [0usize; 128];
    mask[cpu / usize::BITS as usize] = 1 << (cpu % usize::BITS as usize);
    let args = [0, size_of_val(&mask), mask.as_ptr() as usize, 0, 0, 0];
    // SAFETY: the kernel reads the mask.
    unsafe { sys::syscall(__NR_sched_setaffinity, args) }.expect("a CPU that this thread is on");
}

impl Ring {
    /// A push as in a thread without sections.
    fn push_under_lock(&self, record: &[u8]) -> Result<(), RingError> {
        if record.len() > self.longest() {
            return Err(RingError::TooLong);
        }
        // SAFETY: room for this record that nobody else writes.
        let fill = |at| unsafe { super::reservation::fill(at, record) };
        self.write_under_lock(Header::new(record.len(), State::Committed), fill)
    }
}

/// Whether this thread works by sections; says so if it does not.
fn has_sections() -> bool {
    let status = crate::status();
    let is_on = matches!(status, crate::Status::On(_));
    if !is_on {
        std::eprintln!("skipped: {status}");
    }
    is_on
}

#[test]
fn headers_keep_length_and_state() {
    for len in (0..100).chain([4096 - 8, (1 << 20) - 1, 1 << 27]) {
        for state in [State::Reserved, State::Committed, State::Abandoned, State::Padding] {
            let header = Header::new(len, state);
            assert_eq!((header.len(), header.is(state), header.size()), (len, true, size(len)));
            assert!(size(len).is_multiple_of(8) && (8..16).contains(&(size(len) - len)), "{len}");
        }
    }
}

#[test]
fn capacities_are_powers_of_two() {
    let capacity = |bytes| Ring::<ByCpu>::new(bytes).capacity();
    let largest = 1 << if usize::BITS == 64 { 40 } else { 28 };
    assert_eq!([0, 256, 257, 5000, usize::MAX].map(capacity), [256, 256, 512, 8192, largest]);
}

#[test]
fn what_is_too_long_is_refused_and_not_counted() {
    let ring = Ring::<ByCpu>::new(0);
    assert_eq!(ring.longest(), 120);
    assert_eq!(ring.push(&[0; 121]), Err(RingError::TooLong));
    assert_eq!(ring.push_words(&[0; 31]), Err(RingError::TooLong));
    for len in [121, usize::MAX / 2, usize::MAX - 8, usize::MAX] {
        assert_eq!(ring.reserve(len).err(), Some(RingError::TooLong), "{len}");
    }
    assert_eq!(ring.push(&[0; 120]), Ok(()));
    assert_eq!(ring.totals(), Default::default());
}

#[test]
fn there_is_one_consumer_at_a_time() {
    for ring in [Ring::<ByCpu>::new(64), Ring::overwriting(64)] {
        let consumer = ring.consumer().unwrap();
        assert_eq!(ring.consumer().err(), Some(ConsumerError::Taken));
        drop(consumer);
        assert_eq!(ring.consumer().unwrap().read(|_| ()), 0);
    }
}

#[test]
fn a_callback_that_panics_has_had_the_record() {
    for ring in [Ring::<ByCpu>::new(1024), Ring::overwriting(1024)] {
        stay_on_this_cpu();
        (0..3).for_each(|word| ring.push_words(&[word]).unwrap());
        let mut consumer = ring.consumer().unwrap();
        let first =
            std::panic::AssertUnwindSafe(|| consumer.read(|_| std::panic::resume_unwind(std::boxed::Box::new(()))));
        assert!(std::panic::catch_unwind(first).is_err());
        let mut rest = std::vec::Vec::new();
        consumer.read(|record| rest.push(record.words()[0]));
        let lost = if ring.overwrites { 2 } else { 0 };
        assert_eq!(
            (rest.len(), ring.totals().read, ring.totals().overwritten),
            (2 - lost, 3 - lost as u64, lost as u64)
        );
    }
}
