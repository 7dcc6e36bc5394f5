//! Words that threads take and give back, one by one and in batches.

use std::cell::RefCell;
use std::thread::yield_now;

use anyhow::{Context, Result, anyhow, ensure};
use crossbeam_queue::ArrayQueue;
use parking_lot::Mutex;
use rseq_core::percpu::{Batch, Stack};

use crate::{Case, Contender, Goal, Made, barrier, by_sections, complete, pin, repeat, try_repeat, workload};

pub const CASE: Case = Case {
    name: "stack",
    operation: "pops a word and pushes it back",
    contenders: &[
        Contender::ours("Stack", stack),
        Contender::peer("crossbeam ArrayQueue", array_queue),
        Contender::peer("parking_lot Mutex<Vec>", mutex),
        Contender::peer("thread_local Vec", local),
    ],
    // What librseq's list of nodes takes on the same machine.
    goals: &[Goal::nanoseconds("Stack", 1, 2.4)],
    threads: None,
};

pub const BATCH: Case = Case {
    name: "stack-batch",
    operation: "is an item's part of popping 32 words at once and pushing them back",
    contenders: &[
        Contender::ours("Stack", stack_batch).batch(32),
        Contender::peer("parking_lot Mutex<Vec>", mutex_batch).batch(32),
        Contender::peer("thread_local Vec", local_batch).batch(32),
    ],
    goals: &[Goal::nanoseconds("Stack", 1, 1.0)],
    threads: None,
};

/// Items for each CPU.
const EACH: usize = 640;

/// Items in a batch.
const MANY: usize = 32;

const EMPTY: &str = "nothing is left";

type Words = Stack<usize, 1020>;

fn total() -> Result<usize> {
    Ok(EACH * pin::allowed()?.len())
}

/// A stack with items on every CPU that threads are pinned to.
fn filled() -> Result<Words> {
    by_sections()?;
    let stack = Words::new();
    let numbers = Mutex::new(0..total()?);
    pin::on_each(|| {
        let mut numbers = numbers.lock();
        let mut pushed = numbers.by_ref().take(EACH).map(|number| stack.push(number));
        ensure!(pushed.all(|pushed| pushed.is_ok()), "the stack is too small");
        Ok(())
    })?;
    Ok(stack)
}

fn whole(stack: &Words) -> Result<()> {
    let mut left = Vec::new();
    stack.drain_all(|number| left.push(number))?;
    complete(left, total()?)
}

fn stack() -> Made {
    let run = |stack: &Words, operations| {
        try_repeat(operations, || {
            let word = stack.pop().context(EMPTY)?;
            barrier();
            stack.push(word).map_err(|_| anyhow!("the stack is full"))
        })
    };
    workload(filled()?, run, |stack, _| whole(stack))
}

fn stack_batch() -> Made {
    let run = |stack: &Words, operations| {
        let mut batch = Batch::<usize, MANY>::new();
        try_repeat(operations / MANY as u64, || {
            // Threads that were preempted may hold what is there.
            while stack.pop_batch(&mut batch) < MANY && !batch.is_full() {
                stack.push_batch(&mut batch);
                yield_now();
            }
            barrier();
            stack.push_batch(&mut batch);
            ensure!(batch.is_empty(), "the stack is full");
            Ok(())
        })
    };
    workload(filled()?, run, |stack, _| whole(stack))
}

fn array_queue() -> Made {
    let total = total()?;
    let queue = ArrayQueue::new(total);
    (0..total).try_for_each(|number| queue.push(number)).map_err(|_| anyhow!("the queue is too small"))?;
    let run = |queue: &ArrayQueue<usize>, operations| {
        try_repeat(operations, || {
            let word = queue.pop().context(EMPTY)?;
            barrier();
            queue.push(word).map_err(|_| anyhow!("the queue is full"))
        })
    };
    workload(queue, run, move |queue, _| complete(std::iter::from_fn(|| queue.pop()), total))
}

fn mutex() -> Made {
    let total = total()?;
    let run = |words: &Mutex<Vec<usize>>, operations| {
        try_repeat(operations, || {
            let word = words.lock().pop().context(EMPTY)?;
            barrier();
            words.lock().push(word);
            Ok(())
        })
    };
    workload(Mutex::new((0..total).collect()), run, move |words, _| complete(words.lock().iter().copied(), total))
}

fn mutex_batch() -> Made {
    let total = total()?;
    let run = |words: &Mutex<Vec<usize>>, operations| {
        let mut batch = Vec::with_capacity(MANY);
        try_repeat(operations / MANY as u64, || {
            let mut pop = || {
                let mut words = words.lock();
                let rest = words.len().checked_sub(MANY)?;
                batch.extend(words.drain(rest..));
                Some(())
            };
            pop().context(EMPTY)?;
            barrier();
            words.lock().append(&mut batch);
            Ok(())
        })
    };
    workload(Mutex::new((0..total).collect()), run, move |words, _| complete(words.lock().iter().copied(), total))
}

thread_local! {
    static WORDS: RefCell<Vec<usize>> = RefCell::new((0..EACH).collect());
}

/// Each thread has its own, and looks for losses at the end of a round.
fn own_is_whole() -> Result<()> {
    WORDS.with_borrow(|words| complete(words.iter().copied(), EACH))
}

fn local() -> Made {
    let run = |(): &(), operations| {
        try_repeat(operations, || {
            let word = WORDS.with_borrow_mut(Vec::pop).context(EMPTY)?;
            barrier();
            WORDS.with_borrow_mut(|words| words.push(word));
            Ok(())
        })?;
        own_is_whole()
    };
    workload((), run, |(), _| Ok(()))
}

fn local_batch() -> Made {
    let run = |(): &(), operations| {
        let mut batch = Vec::with_capacity(MANY);
        repeat(operations / MANY as u64, || {
            WORDS.with_borrow_mut(|words| batch.extend(words.drain(words.len() - MANY..)));
            barrier();
            WORDS.with_borrow_mut(|words| words.append(&mut batch));
        })?;
        own_is_whole()
    };
    workload((), run, |(), _| Ok(()))
}
