//! Which runs a grid is made of: those of the kernel's run_param_test.sh, and a short choice of them.

use crate::options::{BLOCK, Params, Test};

/// Tests, with the release forms of those that have them.
const TESTS: u32 = 8;
/// By CPU and by concurrency ID, each with comparisons made once and twice.
const FLAVOURS: u32 = 4;
/// The points that block: around the section.
const BLOCKING: [usize; 3] = [7, 8, 9];
/// Yield, signal, sleep; each in a quarter, a half and all of the passes.
const BLOCKINGS: u32 = 9;

/// How a grid is cut.
#[derive(Clone, Copy)]
pub struct Size {
    threads_per_cpu: u32,
    reps: u32,
    loops: i64,
    full: bool,
    /// Whether the runs that block are all there are.
    only_blocking: bool,
}

/// As run_param_test.sh.
pub const FULL: Size = Size { threads_per_cpu: 6, reps: 1000, loops: 10_000, full: true, only_blocking: false };

/// The script's second half, which it runs under each registration.
pub const BLOCKING_ONLY: Size = Size { only_blocking: true, ..FULL };

/// One injection each, and fewer repetitions.
pub const SHORT: Size = Size { threads_per_cpu: 3, reps: 200, loops: 2000, full: false, only_blocking: false };

impl Size {
    /// How many runs there are.
    pub fn count(self) -> u32 {
        TESTS * FLAVOURS * self.injections()
    }

    /// The first injection that blocks: before it come none, and loops at each point.
    fn first(self) -> u32 {
        1 + 9
    }

    fn injections(self) -> u32 {
        let blocking = if self.full { BLOCKING.len() as u32 * BLOCKINGS } else { BLOCKING.len() as u32 };
        self.first() * u32::from(!self.only_blocking) + blocking
    }

    /// The run of this number.
    pub fn run(self, number: u32, cpus: u32) -> Params {
        let (test, rest) = (number % TESTS, number / TESTS);
        let (flavour, injection) = (rest % FLAVOURS, rest / FLAVOURS);
        let mut params = Params { threads: self.threads_per_cpu * cpus, reps: self.reps, ..Params::DEFAULT };
        (params.test, params.release) = with_order(test);
        params.mm_cid = flavour & 1 != 0;
        params.compare_twice = flavour & 2 != 0;
        self.inject(&mut params, injection + if self.only_blocking { self.first() } else { 0 });
        params
    }

    fn inject(self, params: &mut Params, injection: u32) {
        match injection {
            0 => {}
            1..=9 => params.loops[injection as usize] = self.loops,
            _ => {
                let blocking = injection - 10;
                params.loops[BLOCKING[blocking as usize % BLOCKING.len()]] = BLOCK;
                // A short grid yields at the first point, signals at the second and sleeps at the third.
                let kind = if self.full { blocking / 3 } else { blocking * 3 + 2 };
                params.modulo = 4 >> (kind % 3);
                match kind / 3 {
                    0 => params.yields = true,
                    1 => params.signals = true,
                    _ => params.sleep_ms = 1,
                }
                if !self.full {
                    params.reps = params.reps.min(50);
                }
            }
        }
    }
}

/// The tests in the script's order.
fn with_order(number: u32) -> (Test, bool) {
    const ORDER: [(Test, bool); TESTS as usize] = [
        (Test::Spinlock, false),
        (Test::List, false),
        (Test::Buffer, false),
        (Test::Buffer, true),
        (Test::Memcpy, false),
        (Test::Memcpy, true),
        (Test::Increment, false),
        (Test::Membarrier, false),
    ];
    ORDER[number as usize % ORDER.len()]
}
