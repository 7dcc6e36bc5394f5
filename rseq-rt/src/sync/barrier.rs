//! A barrier, at which threads wait for each other.

use super::condvar::Condvar;
use super::raw_mutex::Mutex;

/// Lets a number of threads continue together.
pub struct Barrier {
    threads: usize,
    state: Mutex<State>,
    opened: Condvar,
}

struct State {
    arrived: usize,
    /// How often the barrier was opened.
    round: usize,
}

impl Barrier {
    /// For this many threads.
    pub const fn new(threads: usize) -> Self {
        Self { threads, state: Mutex::new(State { arrived: 0, round: 0 }), opened: Condvar::new() }
    }

    /// Waits until all threads are here; then the barrier can be used again. Returns true in one of them.
    pub fn wait(&self) -> bool {
        let mut state = self.state.lock();
        state.arrived += 1;
        if state.arrived >= self.threads {
            state.arrived = 0;
            state.round = state.round.wrapping_add(1);
            self.opened.notify_all();
            return true;
        }
        let round = state.round;
        self.opened.wait_while(&mut state, |state| state.round == round);
        false
    }
}
