//! Where delays can be injected: points 1 to 6, numbered as in the C program, as far as a test's sections have them.

use crate::flavour::Delays;
use crate::options::{Params, Test};
use rseq_core::testing::SectionIr;

/// The sections of the operations, of which only the numbers of steps are used.
mod librseq {
    use rseq_core::{Aborted, Committed, CompareFailed};
    rseq_core::__librseq_sections!(#![model]);
}
mod of_literals {
    use rseq_core::{Aborted, Committed, CompareFailed};
    crate::flavour::sections_of_literals!(#![model]);
}

/// Right before the section is armed, and armed before its first step: every section has both.
const BEFORE_STEPS: usize = 2;
/// The last point inside; it stands for all points after later steps.
const LAST: usize = 6;

/// The steps before the commit of the longest section among those named.
const fn steps(names: &[&str]) -> usize {
    let (mut most, mut i) = (0, 0);
    while i < names.len() {
        let length = length(librseq::SECTIONS, names[i]) + length(of_literals::SECTIONS, names[i]);
        assert!(length > 0, "no section is called like this");
        let steps = length - 1;
        if steps > most {
            most = steps;
        }
        i += 1;
    }
    most
}

/// The steps of the section of this name; 0 if it is not among them.
const fn length(sections: &[SectionIr], name: &str) -> usize {
    let mut i = 0;
    while i < sections.len() {
        if is_same(sections[i].name, name) {
            return sections[i].steps.len();
        }
        i += 1;
    }
    0
}

const fn is_same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut i = 0;
    while i < left.len() && i < right.len() && left[i] == right[i] {
        i += 1;
    }
    i == left.len() && i == right.len()
}

impl Test {
    /// The steps before the commit of its longest section.
    const fn steps(self) -> usize {
        match self {
            Self::Spinlock => const { steps(&["load_cbne_store"]) },
            Self::List => const { steps(&["load_cbz_store_load_store", "load_cbne_store"]) },
            Self::Buffer => const { steps(&["load_cbne_load_cbne_store", "load_cbne_store_store"]) },
            Self::Memcpy => const { steps(&["load_cbne_memcpy_store"]) },
            Self::Increment => const { steps(&["increment"]) },
            Self::Membarrier => const { steps(&["load_add_load_load_increment"]) },
        }
    }
}

impl Params {
    /// A point inside that loops are asked for at and that no section of the test has.
    pub fn missing_point(&self) -> Option<usize> {
        (BEFORE_STEPS + self.test.steps() + 1..=LAST).find(|&point| self.loops[point] != 0)
    }

    /// The loops at a point before or inside a section.
    pub fn loops(&self, point: usize) -> usize {
        self.loops[point].max(0) as usize
    }

    /// The loops inside, by step.
    pub fn delays(&self) -> Delays {
        core::array::from_fn(|step| self.loops((BEFORE_STEPS + step).min(LAST)))
    }
}
