//! Rings against a sequential model, and controls that are wrong on purpose.

extern crate std;

mod controls;
mod model;
mod states;

use super::header::{Header, State, size};
use super::{ConsumerError, Ring, RingError};
use crate::skipped::skipped;
use crate::{ByCpu, affinity, sys};
use core::sync::atomic::{AtomicUsize, Ordering};

/// Keeps this thread on the CPU that it is on.
pub(super) fn stay_on_this_cpu() {
    affinity::pin(sys::getcpu().expect("getcpu").cpu);
}

impl Ring {
    /// A push as in a thread without sections.
    fn push_under_lock(&self, record: &[u8]) -> Result<(), RingError> {
        if record.len() > self.longest() {
            return Err(RingError::TooLong);
        }
        // SAFETY: room for this record that only this call writes.
        let fill = |at| unsafe { super::reservation::fill(at, record) };
        self.write_under_lock(Header::new(record.len(), State::Committed), fill)
    }
}

/// Whether this thread works by sections; says so if it does not.
fn has_sections() -> bool {
    let status = crate::status();
    let is_on = matches!(status, crate::Status::On(_));
    if !is_on {
        skipped(status);
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
fn an_index_has_one_consumer_and_none_beside_that_of_everything() {
    for ring in [Ring::<ByCpu>::new(64), Ring::overwriting(64)] {
        let one = ring.consumer_of(None).unwrap();
        assert_eq!(ring.consumer_of(None).err(), Some(ConsumerError::Taken));
        assert_eq!(ring.consumer().err(), Some(ConsumerError::Taken));
        drop(one);
        let all = ring.consumer().unwrap();
        assert_eq!(ring.consumer_of(None).err(), Some(ConsumerError::Taken));
        drop(all);
        assert_eq!(ring.consumer_of(Some(u32::MAX)).err(), Some(ConsumerError::NoSlot(u32::MAX)));
        if has_sections() {
            let (zero, none) = (ring.consumer_of(Some(0)).unwrap(), ring.consumer_of(None).unwrap());
            assert_eq!(ring.consumer_of(Some(0)).err(), Some(ConsumerError::Taken));
            drop(none);
            assert_eq!(ring.consumer().err(), Some(ConsumerError::Taken));
            drop(zero);
        }
        assert!(ring.consumer().is_ok());
    }
}

/// Writers on all CPUs, and a thread for each CPU that reads its records while they are written.
#[test]
fn a_consumer_of_each_cpu_gets_its_records_and_no_others() {
    const WRITERS: usize = 4;
    const RECORDS: usize = 20_000;
    if !has_sections() {
        return;
    }
    for ring in [Ring::<ByCpu>::new(4096), Ring::overwriting(4096)] {
        let (ring, writing) = (&ring, &AtomicUsize::new(WRITERS));
        let cpus = crate::percpu::PossibleCpus::read().unwrap().slots_by_cpu() as u32;
        let read: u64 = std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                scope.spawn(move || {
                    // Dropped records are counted.
                    for record in 0..RECORDS {
                        let _ = ring.push_words(&[writer, record]);
                    }
                    writing.fetch_sub(1, Ordering::Release);
                });
            }
            let readers = (0..=cpus).map(|cpu| (cpu < cpus).then_some(cpu)).map(|index| {
                scope.spawn(move || {
                    let mut consumer = ring.consumer_of(index).unwrap();
                    let (mut last, mut count) = ([None; WRITERS], 0);
                    let mut read = |record: super::Record<'_>| {
                        let &[writer, number] = record.words() else { panic!("{} words", record.words().len()) };
                        assert_eq!(record.index(), index);
                        assert!(last[writer] < Some(number), "{number} after {:?} of writer {writer}", last[writer]);
                        last[writer] = Some(number);
                    };
                    loop {
                        let is_last = writing.load(Ordering::Acquire) == 0;
                        count += consumer.read(&mut read) as u64;
                        if is_last {
                            return count;
                        }
                        std::thread::yield_now();
                    }
                })
            });
            let readers: std::vec::Vec<_> = readers.collect();
            readers.into_iter().map(|reader| reader.join().unwrap()).sum()
        });
        let totals = ring.totals();
        assert_eq!(totals.read, read);
        assert!(read > 0);
        assert_eq!(totals.read + totals.dropped + totals.overwritten, (WRITERS * RECORDS) as u64, "{totals:?}");
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
