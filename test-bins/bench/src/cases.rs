//! What is measured, a file each.

mod counter;
mod drain;
mod heap;
mod lock;
mod pool;
mod region;
mod ring;
mod stack;

use crate::Case;

/// Every case, in the order in which they run.
pub const ALL: &[Case] = &[
    counter::CASE,
    lock::CASE,
    pool::CASE,
    stack::CASE,
    stack::BATCH,
    ring::CASE,
    region::CASE,
    heap::CASE,
    heap::MIXED,
    drain::CASE,
];

#[cfg(test)]
mod tests {
    use super::ALL;
    use crate::Limit;
    use std::collections::BTreeSet;

    #[test]
    fn tables_are_sound() {
        let names: BTreeSet<_> = ALL.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), ALL.len(), "two cases have one name");
        for case in ALL {
            let labels: BTreeSet<_> = case.contenders.iter().map(|contender| contender.label).collect();
            assert_eq!(labels.len(), case.contenders.len(), "{}: two contenders have one label", case.name);
            assert!(labels.iter().all(|label| label.chars().count() <= 24), "{}: a label is too long", case.name);
            assert!(case.contenders.iter().all(|contender| contender.batch > 0), "{}: a batch of nothing", case.name);
            for goal in case.goals {
                let peer = match goal.at_most {
                    Limit::Times(_, peer) => peer,
                    Limit::Nanoseconds(_) => goal.contender,
                };
                assert!(labels.contains(goal.contender) && labels.contains(peer), "{}: {goal:?}", case.name);
            }
        }
    }
}
