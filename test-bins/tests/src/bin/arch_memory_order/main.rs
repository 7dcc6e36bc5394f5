//! Message passing through the release forms of the operations: who acquires what a section committed sees what the
//! section stored before it.
//!
//! A machine that shows all stores in their order cannot fail this, nor can one emulated there: what proves the order
//! then are the emitted instructions, which the runner looks at ([`forms`]). The control commits without the order: how
//! often that was seen to fail is reported, and nothing is concluded.
#![no_std]
#![no_main]

mod forms;
mod ring;

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use rseq_core::ops::librseq;

use harness::index::{ByCpu, ByMmCid};
use harness::ktap::{OrFail, Suite, Unmet, Verdict};
use harness::load::{Load, Worker};
use harness::options::{Options, PATIENCE};
use harness::sys::cpu;
use harness::{ensure, group, in_time, load_usage, note, program, registration, require, skip, tests};
use rseq_rt::process::ExitCode;

use forms::{Form, Formed};
use ring::{Got, Rings};

rseq_rt::entry!(main);

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let options = Options::read(load_usage!("arch_memory_order", "what a section stored is seen before its commit"));
    require!(registration::token());
    if cfg!(any(target_arch = "x86", target_arch = "x86_64", target_arch = "s390x")) {
        note!("this machine shows stores in their order: the release forms need no instruction, and cannot fail here");
    } else {
        note!(
            "emulated where stores are seen in order, this cannot fail: the proof are the instructions (boot --check)"
        );
    }
    tests! {
        suite => by::<ByCpu>(suite, "by cpu_id", &options),
        suite => by::<ByMmCid>(suite, "by mm_cid", &options),
    }
}

fn by<C: Formed>(suite: &mut Suite, name: &str, options: &Options) {
    let forms = C::forms();
    group!(suite, name, {
        "a store by release is seen in order" => {
            in_order::<C>(options, Form::Store(forms.store_release), Form::Store(forms.store_relaxed))
        },
        "a copy by release is seen in order" => {
            in_order::<C>(options, Form::Copy(forms.copy_release), Form::Copy(forms.copy_relaxed))
        },
    });
}

/// What all threads counted.
#[derive(Default)]
struct Total {
    committed: AtomicUsize,
    aborted: AtomicUsize,
    compare_failed: AtomicUsize,
    /// Messages seen, by a thread that then had another index than the sender.
    received: AtomicUsize,
    /// Of these, those that came before what they tell of.
    stale: AtomicUsize,
    /// Messages that were overwritten while they were read.
    lapped: AtomicUsize,
    unregistered: AtomicUsize,
}

impl Total {
    fn report(&self, name: &str) {
        let [committed, aborted, failed, received, stale, lapped] =
            [&self.committed, &self.aborted, &self.compare_failed, &self.received, &self.stale, &self.lapped]
                .map(|count| count.load(Relaxed));
        note!(
            "{name}: {committed} messages, {aborted} aborts, {failed} failed comparisons; {received} received by \
             others, {stale} of them too early ({lapped} overwritten)"
        );
    }
}

/// By release, messages come in order; the same without the order is the control, which is only reported.
fn in_order<C: Formed>(options: &Options, release: Form<C>, relaxed: Form<C>) -> Verdict {
    let total = pass::<C>(options, release)?;
    total.report("release");
    match pass::<C>(&Options { nanoseconds: options.nanoseconds / 3, ..*options }, relaxed) {
        Ok(control) => control.report("control, without the order"),
        Err(_) => note!("control, without the order: it did not run"),
    }
    let stale = total.stale.load(Relaxed);
    ensure!(total.unregistered.load(Relaxed) == 0, "a thread was not registered");
    ensure!(stale == 0, "{stale} messages were seen before what they tell of");
    in_time!(total.received.load(Relaxed) > 0, "no message reached another CPU before the deadline");
    Ok(())
}

/// Half of the threads send, the other half receives.
fn pass<C: Formed>(options: &Options, form: Form<C>) -> Result<Total, Unmet> {
    C::of(registration::token()?)?;
    let cpus = cpu::affinity(0).or_fail("sched_getaffinity")?.count();
    if cpus < 2 {
        return Err(skip!("one CPU: its own stores are always seen in order"));
    }
    let rings = Rings::new().or_fail("memory for the messages")?;
    let total = Total::default();
    let load = Load::heavy(options.threads.max(2), options.nanoseconds, options.enough);
    let work = |worker: &Worker<'_>| match worker.index % 2 {
        0 => send::<C>(worker, &rings, form, &total),
        _ => receive::<C>(worker, &rings, form.words(), &total),
    };
    load.run_until(PATIENCE, &|_| total.received.load(Relaxed) > 0, &work).or_fail("the load")?;
    Ok(total)
}

fn send<C: Formed>(worker: &Worker<'_>, rings: &Rings, form: Form<C>, total: &Total) {
    let (mut committed, mut aborted, mut failed) = (0, 0, 0);
    while worker.goes_on() {
        let Some(token) = rseq_rt::current() else {
            total.unregistered.fetch_add(1, Relaxed);
            break;
        };
        let (Ok(token), slot) = (C::of(token), C::value(token)) else { break };
        let Some(place) = rings.next(slot) else { continue };
        match form.send(token, slot, &place) {
            Ok(_) => committed += 1,
            Err(librseq::Error::Aborted) => {
                aborted += 1;
                worker.saw(1);
            }
            Err(librseq::Error::CompareFailed) => failed += 1,
        }
    }
    total.committed.fetch_add(committed, Relaxed);
    total.aborted.fetch_add(aborted, Relaxed);
    total.compare_failed.fetch_add(failed, Relaxed);
}

fn receive<C: Formed>(worker: &Worker<'_>, rings: &Rings, words: usize, total: &Total) {
    let (mut received, mut stale, mut lapped) = (0, 0, 0);
    while worker.goes_on() {
        for slot in 0..rings.count() {
            let Some(token) = rseq_rt::current() else {
                total.unregistered.fetch_add(1, Relaxed);
                return;
            };
            // A thread that the sender's CPU runs now may have been elsewhere: only the others count.
            if C::value(token) == slot {
                continue;
            }
            match rings.receive(slot, words) {
                Got::Nothing => {}
                Got::Lapped => lapped += 1,
                Got::Message { whole } => {
                    received += 1;
                    stale += usize::from(!whole);
                }
            }
        }
    }
    total.received.fetch_add(received, Relaxed);
    total.stale.fetch_add(stale, Relaxed);
    total.lapped.fetch_add(lapped, Relaxed);
}
