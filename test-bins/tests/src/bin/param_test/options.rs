//! The options: those of the C param_test, and a few for what there are separate C programs.

use harness::args::Args;
use harness::reexec;
use rseq_core::Mode;

const USAGE: &str = "param_test: per-CPU operations under injected delays, yields, signals and sleeps
usage: param_test [options]
  -T TEST   (s)pinlock, (l)ist, (b)uffer, (m)emcpy, (i)ncrement, membarrie(r)
  -t N      threads (default 200)            -r N   repetitions a thread (default 5000)
  -1 N  -2 N     loops right before the section is armed, and once it is
  -3 N .. -6 N   loops after its first to fourth step, the last of these after later ones too
  -7 N  -8 N  -9 N   loops before, between and after index and section;
            -1 there: what -y, -k and -s ask for, every -m N times
  -m N      every how many times (0: never)  -y     yield
  -k        signal                           -s MS  sleep
  -M        commits of buffer and memcpy are releases
  -L        register the original 32 bytes
  -d        without rseq: every operation has to be refused
  -D M      every M-th thread without rseq
  -v        a line for each thread
  --mm-cid          slots by concurrency ID instead of CPU
  --compare-twice   every comparison is made twice, with the delay between
  --grid short|full|blocking  every test in every flavour and under many injections;
            takes -L, -v and -r, which lowers the repetitions, and no other option
exit codes: 0 pass, 1 fail, 2 expected failure, 3 unexpected pass, 4 skip, 64 usage";

/// The test to run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Test {
    Spinlock,
    List,
    Buffer,
    Memcpy,
    Increment,
    Membarrier,
}

impl Test {
    pub fn name(self) -> &'static str {
        match self {
            Self::Spinlock => "spinlock",
            Self::List => "list",
            Self::Buffer => "buffer",
            Self::Memcpy => "memcpy",
            Self::Increment => "increment",
            Self::Membarrier => "membarrier",
        }
    }

    /// Whether the test has commits that may be releases.
    pub fn has_order(self) -> bool {
        matches!(self, Self::Buffer | Self::Memcpy)
    }

    fn parse(letter: &str) -> Option<Self> {
        match letter {
            "s" => Some(Self::Spinlock),
            "l" => Some(Self::List),
            "b" => Some(Self::Buffer),
            "m" => Some(Self::Memcpy),
            "i" => Some(Self::Increment),
            "r" => Some(Self::Membarrier),
            _ => None,
        }
    }
}

/// The choice of injected loop counts: 1 to 6 before and inside sections, 7 to 9 around them.
pub const POINTS: usize = 10;

/// Do as [`Params::modulo`] says, instead of looping.
pub const BLOCK: i64 = -1;

/// One run.
#[derive(Clone, Copy)]
pub struct Params {
    pub test: Test,
    pub threads: u32,
    pub reps: u32,
    pub loops: [i64; POINTS],
    pub modulo: u32,
    pub yields: bool,
    pub signals: bool,
    pub sleep_ms: u32,
    pub release: bool,
    pub legacy: bool,
    pub disabled: bool,
    pub disable_mod: u32,
    pub verbose: bool,
    pub mm_cid: bool,
    pub compare_twice: bool,
}

impl Params {
    pub const DEFAULT: Self = Self {
        test: Test::Spinlock,
        threads: 200,
        reps: 5000,
        loops: [0; POINTS],
        modulo: 0,
        yields: false,
        signals: false,
        sleep_ms: 0,
        release: false,
        legacy: false,
        disabled: false,
        disable_mod: 0,
        verbose: false,
        mm_cid: false,
        compare_twice: false,
    };

    /// Whether threads register for themselves, as some are to be without.
    pub fn by_hand(&self) -> bool {
        self.disabled || self.disable_mod > 0
    }

    /// Whether thread `number` is one of those without.
    pub fn is_without(&self, number: u32) -> bool {
        self.disabled || (self.disable_mod > 0 && number.is_multiple_of(self.disable_mod))
    }

    /// The registration of every thread.
    pub fn mode(&self) -> Mode {
        if self.legacy { Mode::Legacy } else { reexec::asked_mode() }
    }

    /// Whether anything happens inside or around the sections.
    pub fn injects(&self) -> bool {
        self.loops.iter().any(|&loops| loops != 0)
    }
}

/// Which runs to make.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Grid {
    One,
    Short,
    Full,
    /// The part of the full grid that blocks.
    Blocking,
}

/// What the arguments say.
pub struct Options {
    pub params: Params,
    pub grid: Grid,
}

pub fn read() -> Options {
    let mut args = Args::new(rseq_rt::env::args().skip(1), USAGE);
    let mut options = Options { params: Params::DEFAULT, grid: Grid::One };
    // The last option that a grid chooses by itself.
    let mut chosen = None;
    let params = &mut options.params;
    while let Some(option) = args.next_option() {
        if !matches!(option, "--grid" | "-L" | "-v" | "-r") {
            chosen = Some(option);
        }
        match option {
            "-T" => {
                let letter = args.value(option);
                params.test =
                    Test::parse(letter).unwrap_or_else(|| args.refuse(format_args!("there is no test '{letter}'")));
            }
            "-t" => params.threads = args.number(option, 1..=10_000),
            "-r" => params.reps = args.number(option, 1..=u32::MAX),
            "-1" | "-2" | "-3" | "-4" | "-5" | "-6" | "-7" | "-8" | "-9" => {
                let point = usize::from(option.as_bytes()[1] - b'0');
                params.loops[point] = loops(&mut args, option, point);
            }
            "-m" => params.modulo = args.number(option, 0..=u32::MAX),
            "-y" => params.yields = true,
            "-k" => params.signals = true,
            "-s" => params.sleep_ms = args.number(option, 0..=60_000),
            "-M" => params.release = true,
            "-L" => params.legacy = true,
            "-d" => params.disabled = true,
            "-D" => params.disable_mod = args.number(option, 0..=u32::MAX),
            "-v" => params.verbose = true,
            "--mm-cid" => params.mm_cid = true,
            "--compare-twice" => params.compare_twice = true,
            "--grid" => {
                options.grid = match args.value(option) {
                    "short" => Grid::Short,
                    "full" => Grid::Full,
                    "blocking" => Grid::Blocking,
                    other => args.refuse(format_args!("--grid takes short, full or blocking, not '{other}'")),
                }
            }
            other => args.unknown(other),
        }
    }
    if let (true, Some(option)) = (options.grid != Grid::One, chosen) {
        args.refuse(format_args!("--grid chooses by itself what {option} says"));
    }
    options
}

fn loops<I: Iterator<Item = &'static str>>(args: &mut Args<I>, option: &str, point: usize) -> i64 {
    let value = args.value(option);
    let lowest = if point >= 7 { BLOCK } else { 0 };
    match value.parse::<i64>() {
        Ok(loops) if (lowest..=1_000_000_000).contains(&loops) => loops,
        _ => args.refuse(format_args!("{option} takes a number from {lowest} to 1000000000, not '{value}'")),
    }
}
