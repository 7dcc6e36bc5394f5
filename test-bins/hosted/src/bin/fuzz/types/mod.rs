//! The types, each with its model.

mod counters;
mod histogram;
mod list;
mod lock;
mod per_cpu;
mod pool;
mod region;
mod ring;
mod stack;
mod watermarks;

use crate::engine::{Fault, Round, Totals};
use rseq_core::{ByCpu, ByMmCid};

/// A type that can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Group,
    Gauge,
    Watermark,
    Histogram,
    Lock,
    Stack,
    Stacks,
    Ring,
    Pool,
    List,
    Region,
    PerCpu,
    Unarmed,
    Unfenced,
}

/// All types.
pub const TYPES: [Kind; 13] = [
    Kind::Counter,
    Kind::Group,
    Kind::Gauge,
    Kind::Watermark,
    Kind::Histogram,
    Kind::Lock,
    Kind::Stack,
    Kind::Stacks,
    Kind::Ring,
    Kind::Pool,
    Kind::List,
    Kind::Region,
    Kind::PerCpu,
];

/// Types that are wrong on purpose.
pub const CONTROLS: [Kind; 2] = [Kind::Unarmed, Kind::Unfenced];

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Group => "group",
            Self::Gauge => "gauge",
            Self::Watermark => "watermark",
            Self::Histogram => "histogram",
            Self::Lock => "lock",
            Self::Stack => "stack",
            Self::Stacks => "stacks",
            Self::Ring => "ring",
            Self::Pool => "pool",
            Self::List => "list",
            Self::Region => "region",
            Self::PerCpu => "per_cpu",
            Self::Unarmed => "unarmed",
            Self::Unfenced => "unfenced",
        }
    }

    pub fn play(self, round: &Round) -> Result<Totals, Fault> {
        macro_rules! by_index {
            ($subject:ident in $module:ident) => {
                match round.by_cpu {
                    true => round.play::<$module::$subject<ByCpu>>(),
                    false => round.play::<$module::$subject<ByMmCid>>(),
                }
            };
        }
        match self {
            Self::Counter => by_index!(Counters in counters),
            Self::Group => round.play::<counters::Groups>(),
            Self::Gauge => by_index!(Gauges in counters),
            Self::Watermark => by_index!(Watermarks in watermarks),
            Self::Histogram => by_index!(Histograms in histogram),
            Self::Lock => by_index!(Locks in lock),
            Self::Stack => by_index!(OneStack in stack),
            Self::Stacks => by_index!(ManyStacks in stack),
            Self::Ring => by_index!(Rings in ring),
            Self::Pool => by_index!(Pools in pool),
            Self::List => by_index!(Lists in list),
            Self::Region => round.play::<region::Regions>(),
            Self::PerCpu => round.play::<per_cpu::Tallies<{ per_cpu::RIGHT }>>(),
            Self::Unarmed => round.play::<per_cpu::Tallies<{ per_cpu::UNARMED }>>(),
            Self::Unfenced => round.play::<per_cpu::Tallies<{ per_cpu::UNFENCED }>>(),
        }
    }
}
