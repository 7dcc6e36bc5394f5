//! Records of 32 bytes that all threads write, and that one of them reads.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::yield_now;

use anyhow::ensure;
use crossbeam_queue::{ArrayQueue, SegQueue};
use parking_lot::Mutex;
use rseq_core::percpu::{Consumer, Ring};

use crate::{Case, Contender, Goal, Made, by_sections, expect, try_repeat, workload};

pub const CASE: Case = Case {
    name: "ring",
    operation: "writes a record of 32 bytes, which is read after 64 of them",
    contenders: &[
        Contender::ours("Ring", ring).batch(BATCH),
        Contender::peer("crossbeam ArrayQueue", array_queue).batch(BATCH),
        Contender::peer("crossbeam SegQueue", seg_queue).batch(BATCH),
        Contender::peer("std mpsc, bounded", channel).batch(BATCH),
        Contender::peer("parking_lot Mutex<Deque>", deque).batch(BATCH),
    ],
    goals: &[Goal::nanoseconds("Ring", 1, 6.0)],
    threads: None,
};

/// So many records are written before a thread reads.
const BATCH: u64 = 64;

/// Records that there is room for.
const ROOM: usize = 4096;

type Record = [usize; 4];

/// A place for records.
trait Channel: Sync + 'static {
    /// Writes a record, if there is room.
    fn write(&self, record: &Record) -> bool;

    /// Reads all records, or none if another thread is reading.
    fn read(&self, each: impl FnMut(&[usize]));
}

/// Records and the sum of their numbers.
#[derive(Default)]
struct Totals {
    written: AtomicU64,
    read: AtomicU64,
    records: AtomicU64,
}

fn through<C: Channel>(channel: C) -> Made {
    let run = |(channel, totals): &(C, Totals), operations| {
        let (mut records, mut sum, mut number) = (0, 0, 0);
        let mut count = |record: &[usize]| {
            records += 1;
            sum += (record[0] & record[3]) as u64;
        };
        try_repeat(operations / BATCH, || {
            for _ in 0..BATCH {
                while !channel.write(&[number, 1, 2, number]) {
                    channel.read(&mut count);
                    yield_now();
                }
                number += 1;
            }
            channel.read(&mut count);
            Ok(())
        })?;
        let number = number as u64;
        totals.written.fetch_add(number * number.saturating_sub(1) / 2, Relaxed);
        totals.read.fetch_add(sum, Relaxed);
        totals.records.fetch_add(records, Relaxed);
        Ok(())
    };
    workload((channel, Totals::default()), run, |(channel, totals), done| {
        let (mut records, mut sum) = (totals.records.load(Relaxed), totals.read.load(Relaxed));
        channel.read(|record| {
            records += 1;
            sum += (record[0] & record[3]) as u64;
        });
        expect(records, done)?;
        ensure!(sum == totals.written.load(Relaxed), "records have changed on their way");
        Ok(())
    })
}

impl Channel for (&'static Ring, Mutex<Consumer<'static>>) {
    fn write(&self, record: &Record) -> bool {
        self.0.push_words(record).is_ok()
    }

    fn read(&self, mut each: impl FnMut(&[usize])) {
        if let Some(mut consumer) = self.1.try_lock() {
            consumer.read(|record| each(record.words()));
        }
    }
}

fn ring() -> Made {
    by_sections()?;
    let ring: &Ring = Box::leak(Box::new(Ring::new(ROOM * 40)));
    let consumer = ring.consumer()?;
    through((ring, Mutex::new(consumer)))
}

impl Channel for ArrayQueue<Record> {
    fn write(&self, record: &Record) -> bool {
        self.push(*record).is_ok()
    }

    fn read(&self, mut each: impl FnMut(&[usize])) {
        while let Some(record) = self.pop() {
            each(&record);
        }
    }
}

fn array_queue() -> Made {
    through(ArrayQueue::<Record>::new(ROOM))
}

impl Channel for SegQueue<Record> {
    fn write(&self, record: &Record) -> bool {
        self.push(*record);
        true
    }

    fn read(&self, mut each: impl FnMut(&[usize])) {
        while let Some(record) = self.pop() {
            each(&record);
        }
    }
}

fn seg_queue() -> Made {
    through(SegQueue::<Record>::new())
}

impl Channel for (SyncSender<Record>, Mutex<Receiver<Record>>) {
    fn write(&self, record: &Record) -> bool {
        self.0.try_send(*record).is_ok()
    }

    fn read(&self, mut each: impl FnMut(&[usize])) {
        if let Some(receiver) = self.1.try_lock() {
            receiver.try_iter().for_each(|record| each(&record));
        }
    }
}

fn channel() -> Made {
    let (sender, receiver) = sync_channel(ROOM);
    through((sender, Mutex::new(receiver)))
}

impl Channel for Mutex<VecDeque<Record>> {
    fn write(&self, record: &Record) -> bool {
        let mut records = self.lock();
        let has_room = records.len() < ROOM;
        if has_room {
            records.push_back(*record);
        }
        has_room
    }

    fn read(&self, mut each: impl FnMut(&[usize])) {
        self.lock().drain(..).for_each(|record| each(&record));
    }
}

fn deque() -> Made {
    through(Mutex::new(VecDeque::<Record>::with_capacity(ROOM)))
}
