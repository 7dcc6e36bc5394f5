//! Buffers that threads take and give back.

use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, anyhow};
use crossbeam_queue::{ArrayQueue, SegQueue};
use rseq_core::Registration;
use rseq_core::percpu::{Node, Pool, PossibleCpus, SlotPool, SlotStorage};

use crate::{Case, Contender, Made, barrier, by_sections, complete, pin, try_repeat, workload};

pub const CASE: Case = Case {
    name: "pool",
    operation: "pops a buffer and pushes it back",
    contenders: &[
        Contender::ours("Pool", pool),
        Contender::ours("SlotPool, token", slot_pool),
        Contender::peer("crossbeam ArrayQueue", array_queue),
        Contender::peer("crossbeam SegQueue", seg_queue),
        Contender::peer("std Mutex<Vec>", std_mutex),
        Contender::peer("parking_lot Mutex<Vec>", parking_lot_mutex),
        Contender::peer("thread_local Vec", local_vec),
    ],
    goals: &[],
    threads: None,
};

/// Buffers for each CPU: more than there are threads, which are pinned, so that no list runs empty.
const EACH: usize = 256;

/// A buffer, and its number.
#[derive(Debug)]
struct Buffer {
    number: usize,
    _bytes: [u8; 56],
}

/// What peers hold.
type Handle = Box<Buffer>;

impl Buffer {
    fn new(number: usize) -> Self {
        Self { number, _bytes: [0; 56] }
    }
}

const EMPTY: &str = "the pool is empty";

/// The CPUs whose lists get buffers: those that threads are pinned to.
fn usable() -> Result<PossibleCpus> {
    let list = pin::allowed()?.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    Ok(PossibleCpus::parse(list.as_bytes())?)
}

/// How many buffers there are.
fn total() -> Result<usize> {
    Ok(EACH * pin::allowed()?.len())
}

fn boxes() -> Result<impl Iterator<Item = Handle>> {
    Ok((0..total()?).map(|number| Box::new(Buffer::new(number))))
}

fn pool() -> Made {
    by_sections()?;
    let total = total()?;
    let pool = Box::leak(Box::new(Pool::<Buffer>::new()));
    pool.add((0..total).map(|number| Node::new(Buffer::new(number))).collect::<Vec<_>>().leak());
    let run = |pool: &&'static Pool<'static, Buffer>, operations| {
        try_repeat(operations, || {
            let buffer = pool.pop().context(EMPTY)?;
            barrier();
            drop(buffer);
            Ok(())
        })
    };
    workload(&*pool, run, move |pool, _| {
        let left: Vec<_> = pool.drain()?.collect();
        complete(left.iter().map(|buffer| buffer.number), total)
    })
}

fn slot_pool() -> Made {
    Registration::adopt()?;
    let (cpus, total) = (usable()?, total()?);
    let heads = Box::leak(Box::new(SlotStorage::<1024>::new()));
    let nodes = (0..total).map(|number| Node::new(Buffer::new(number))).collect::<Vec<_>>().leak();
    let pool = SlotPool::new(heads, &cpus, nodes)?;
    let run = |pool: &SlotPool<'static, Buffer>, operations| {
        let registration = Registration::adopt()?;
        let token = registration.token();
        try_repeat(operations, || {
            let buffer = pool.pop(token)?.context(EMPTY)?;
            barrier();
            Ok(pool.push(token, buffer).map_err(|(error, _)| error)?)
        })
    };
    workload(pool, run, move |pool, _| complete(pin::on_each(|| drain(pool))?.into_iter().flatten(), total))
}

fn drain(pool: &SlotPool<'static, Buffer>) -> Result<Vec<usize>> {
    let registration = Registration::adopt()?;
    let mut numbers = Vec::new();
    while let Some(buffer) = pool.pop(registration.token())? {
        numbers.push(buffer.number);
    }
    Ok(numbers)
}

fn array_queue() -> Made {
    let total = total()?;
    let queue = ArrayQueue::new(total);
    boxes()?.try_for_each(|buffer| queue.push(buffer)).map_err(|_| anyhow!("the queue is too small"))?;
    let run = |queue: &ArrayQueue<Handle>, operations| {
        try_repeat(operations, || {
            let buffer = queue.pop().context(EMPTY)?;
            barrier();
            queue.push(buffer).map_err(|_| anyhow!("the queue is full"))
        })
    };
    workload(queue, run, move |queue, _| complete(std::iter::from_fn(|| Some(queue.pop()?.number)), total))
}

fn seg_queue() -> Made {
    let (queue, total) = (SegQueue::new(), total()?);
    boxes()?.for_each(|buffer| queue.push(buffer));
    let run = |queue: &SegQueue<Handle>, operations| {
        try_repeat(operations, || {
            let buffer = queue.pop().context(EMPTY)?;
            barrier();
            queue.push(buffer);
            Ok(())
        })
    };
    workload(queue, run, move |queue, _| complete(std::iter::from_fn(|| Some(queue.pop()?.number)), total))
}

fn std_mutex() -> Made {
    let (buffers, total) = (Mutex::new(boxes()?.collect::<Vec<_>>()), total()?);
    let run = |buffers: &Mutex<Vec<_>>, operations| {
        let lock = || buffers.lock().unwrap_or_else(PoisonError::into_inner);
        try_repeat(operations, || {
            let buffer = lock().pop().context(EMPTY)?;
            barrier();
            lock().push(buffer);
            Ok(())
        })
    };
    let numbers = |buffers: &Mutex<Vec<Handle>>| -> Vec<_> {
        buffers.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|buffer| buffer.number).collect()
    };
    workload(buffers, run, move |buffers, _| complete(numbers(buffers), total))
}

fn parking_lot_mutex() -> Made {
    let (buffers, total) = (parking_lot::Mutex::new(boxes()?.collect::<Vec<_>>()), total()?);
    let run = |buffers: &parking_lot::Mutex<Vec<_>>, operations| {
        try_repeat(operations, || {
            let buffer = buffers.lock().pop().context(EMPTY)?;
            barrier();
            buffers.lock().push(buffer);
            Ok(())
        })
    };
    workload(buffers, run, move |buffers, _| complete(buffers.lock().iter().map(|buffer| buffer.number), total))
}

thread_local! {
    static BUFFERS: RefCell<Vec<Handle>> =
        RefCell::new((0..EACH).map(|number| Box::new(Buffer::new(number))).collect());
}

/// Each thread has its own, and looks for losses at the end of a round.
fn local_vec() -> Made {
    let run = |_: &(), operations| {
        let done = try_repeat(operations, || {
            let buffer = BUFFERS.with_borrow_mut(Vec::pop).context(EMPTY)?;
            barrier();
            BUFFERS.with_borrow_mut(|buffers| buffers.push(buffer));
            Ok(())
        });
        done.and_then(|()| BUFFERS.with_borrow(|buffers| complete(buffers.iter().map(|buffer| buffer.number), EACH)))
    };
    workload((), run, |(), _| Ok(()))
}
