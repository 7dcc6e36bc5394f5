//! Nested control groups below one with a limit.

use core::ffi::CStr;

use harness::note;
use harness::sys::cgroup::{Group, Hierarchy};
use rseq_core::sys::Errno;

/// The group with the limit.
const NAME: &CStr = c"rseq-membarrier-stress";
/// Groups in groups below each sibling, so that one thread is throttled by a group far above its own.
const DEPTH: u32 = 5;
/// The most siblings.
const MOST: usize = 32;

/// Microseconds of CPU time in each period, for all threads of the groups together: one CPU's fifth.
const QUOTA: u32 = 1_000;
const PERIOD: u32 = 5_000;

/// The groups. They stay when this is dropped.
pub struct Groups {
    hierarchy: Hierarchy,
    limited: Group,
    leaves: [Option<Group>; MOST],
}

impl Groups {
    /// Makes them: fewer if `short`, as each costs an emulated machine some milliseconds.
    pub fn make(short: bool) -> Result<Self, Errno> {
        let hierarchy = Hierarchy::of_cpu()?;
        // What a run left that was killed.
        let _ = hierarchy.remove(NAME);
        let siblings = if short { MOST / 4 } else { MOST };
        let made = Self::fill(&hierarchy, siblings);
        match made {
            Ok((limited, leaves)) => {
                note!("cgroup v{}: {siblings} groups, {DEPTH} deep, {QUOTA} of {PERIOD} us", hierarchy.version());
                Ok(Self { hierarchy, limited, leaves })
            }
            Err(errno) => {
                let _ = hierarchy.remove(NAME);
                Err(errno)
            }
        }
    }

    fn fill(hierarchy: &Hierarchy, siblings: usize) -> Result<(Group, [Option<Group>; MOST]), Errno> {
        let limited = hierarchy.group(NAME)?;
        let mut leaves = [const { None }; MOST];
        for (number, leaf) in leaves.iter_mut().take(siblings).enumerate() {
            let sibling = limited.numbered(number as u32)?;
            *leaf = Some((0..DEPTH).try_fold(sibling, |group, _| group.numbered(0))?);
        }
        limited.limit(QUOTA, PERIOD)?;
        Ok((limited, leaves))
    }

    /// The innermost group for the thread of this number.
    pub fn leaf(&self, thread: u32) -> Option<&Group> {
        self.leaves.iter().flatten().cycle().nth(thread as usize)
    }

    /// Periods in which threads were throttled.
    pub fn throttled(&self) -> Result<u64, Errno> {
        self.limited.throttled()
    }

    /// Lifts the limit, so that all threads can end.
    pub fn release(&self) {
        if let Err(errno) = self.limited.unlimited() {
            note!("the limit stays: {errno}");
        }
    }

    /// Removes the groups, once no thread is in them.
    pub fn remove(self) -> Result<(), Errno> {
        let Self { hierarchy, limited, leaves } = self;
        drop((limited, leaves));
        hierarchy.remove(NAME)
    }
}
