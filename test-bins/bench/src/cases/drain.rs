//! Getting at what another CPU has, while a thread runs there.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::yield_now;

use anyhow::{Result, anyhow, bail};
use parking_lot::Mutex;
use rseq_core::percpu::{Batch, Stack};
use rseq_core::sys::{self, Fence};

use crate::{Case, Contender, Goal, Made, by_sections, complete, pin, workload};

pub const CASE: Case = Case {
    name: "drain",
    operation: "drains 32 words of a CPU whose thread waits there, and pushes them; time of both threads",
    contenders: &[
        Contender::ours("Stack", stack),
        Contender::peer("two fences", two_fences),
        Contender::peer("parking_lot Mutex<Vec>", mutex),
    ],
    goals: &[Goal::times("Stack", 2, 1.0, "two fences")],
    threads: Some(&[2]),
};

/// Words of each thread.
const MANY: usize = 32;

/// No thread's turn: the other thread has failed.
const OVER: usize = usize::MAX;

/// Two CPUs whose threads take turns.
struct Turns {
    cpus: [usize; 2],
    next: AtomicUsize,
}

impl Turns {
    fn new() -> Result<Self> {
        match pin::allowed()?[..] {
            [one, other, ..] => Ok(Self { cpus: [one, other], next: AtomicUsize::new(0) }),
            _ => bail!("it takes two CPUs"),
        }
    }

    /// Does `operation` so many times in this thread, in turn with the other one. It gets this thread's CPU and the
    /// other's.
    fn take(&self, operations: u64, mut operation: impl FnMut(usize, usize) -> Result<()>) -> Result<()> {
        let cpu = nix::sched::sched_getcpu()?;
        let own = usize::from(cpu != self.cpus[0]);
        for _ in 0..operations {
            self.wait_for(own)?;
            let done = operation(cpu, self.cpus[1 - own]);
            self.next.store(if done.is_ok() { 1 - own } else { OVER }, Ordering::Release);
            done?;
        }
        Ok(())
    }

    fn wait_for(&self, own: usize) -> Result<()> {
        for spins in 0u64.. {
            match self.next.load(Ordering::Acquire) {
                OVER => bail!("the other thread has failed"),
                next if next == own => break,
                // The other one may not be running.
                _ if spins % 10_000 == 9_999 => yield_now(),
                _ => spin_loop(),
            }
        }
        Ok(())
    }
}

/// Words on two CPUs.
trait Pair: Sync + 'static {
    /// Pushes the words on this thread's CPU.
    fn push(&self, own: usize, words: &mut Vec<usize>) -> Result<()>;

    /// Takes the words of CPU `other`.
    fn drain(&self, other: usize, words: &mut Vec<usize>) -> Result<()>;

    /// Takes all words, wherever they are.
    fn drain_all(&self, words: &mut Vec<usize>) -> Result<()>;
}

fn between<P: Pair>(pair: P) -> Made {
    // What no thread has pushed or holds.
    let words = Mutex::new((0..2 * MANY).collect::<Vec<_>>());
    let run = |(turns, pair, free): &(Turns, P, Mutex<Vec<usize>>), operations| {
        let mut words = Vec::new();
        turns.take(operations, |own, other| {
            pair.drain(other, &mut words)?;
            if words.is_empty() {
                let mut free = free.lock();
                let rest = free.len().saturating_sub(MANY);
                words.extend(free.drain(rest..));
            }
            pair.push(own, &mut words)
        })?;
        free.lock().append(&mut words);
        Ok(())
    };
    workload((Turns::new()?, pair, words), run, |(_, pair, free), _| {
        let mut left = free.lock().clone();
        pair.drain_all(&mut left)?;
        complete(left, 2 * MANY)
    })
}

impl Pair for Stack<usize, 252> {
    fn push(&self, _: usize, words: &mut Vec<usize>) -> Result<()> {
        let mut batch = Batch::<usize, MANY>::new();
        while !batch.is_full() && !words.is_empty() {
            let pushed = words.pop().map_or(Ok(()), |word| batch.push(word));
            pushed.map_err(|_| anyhow!("the batch is full"))?;
        }
        self.push_batch(&mut batch);
        words.extend(std::iter::from_fn(|| batch.pop()));
        Ok(())
    }

    fn drain(&self, other: usize, words: &mut Vec<usize>) -> Result<()> {
        Stack::drain(self, other as u32, |word| words.push(word))?;
        Ok(())
    }

    fn drain_all(&self, words: &mut Vec<usize>) -> Result<()> {
        Stack::drain_all(self, |word| words.push(word))?;
        Ok(())
    }
}

fn stack() -> Made {
    by_sections()?;
    between(Stack::<usize, 252>::new())
}

/// What a drain may cost.
fn two_fences() -> Made {
    sys::register_membarrier_rseq().map_err(|error| anyhow!("membarrier: {error:?}"))?;
    let fence = |cpu| sys::membarrier_rseq(Fence::Cpu(cpu)).map_err(|error| anyhow!("membarrier: {error:?}"));
    let run = move |turns: &Turns, operations| {
        turns.take(operations, |_, other| fence(other as u32).and_then(|()| fence(other as u32)))
    };
    workload(Turns::new()?, run, |_, _| Ok(()))
}

/// A vector for each of two CPUs.
struct Vectors {
    first: usize,
    words: [Mutex<Vec<usize>>; 2],
}

impl Vectors {
    fn of(&self, cpu: usize) -> &Mutex<Vec<usize>> {
        &self.words[usize::from(cpu != self.first)]
    }
}

impl Pair for Vectors {
    fn push(&self, own: usize, words: &mut Vec<usize>) -> Result<()> {
        self.of(own).lock().append(words);
        Ok(())
    }

    fn drain(&self, other: usize, words: &mut Vec<usize>) -> Result<()> {
        words.append(&mut self.of(other).lock());
        Ok(())
    }

    fn drain_all(&self, words: &mut Vec<usize>) -> Result<()> {
        self.words.iter().for_each(|vector| words.append(&mut vector.lock()));
        Ok(())
    }
}

fn mutex() -> Made {
    between(Vectors { first: Turns::new()?.cpus[0], words: Default::default() })
}
