//! What happens in a run, in order, and what wants to hear of it.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::guest::cell_result::{CellResult, Matrix};
use crate::native::{Planned, Summary, Tested};
use crate::process::Stream;

/// Something that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// So many tests or cells follow.
    RunBegan(usize),
    /// A test starts.
    TestBegan(&'a Planned),
    /// The running test printed a line.
    Line(&'a Planned, Stream, &'a str),
    /// A test is over.
    TestEnded(&'a Tested),
    /// A cell of this name starts.
    CellBegan(&'a str),
    /// A cell is over.
    CellEnded(&'a CellResult),
    /// The test or cell of this name has run for so long and has so many results.
    Progress(&'a str, Duration, usize),
    /// Something else that people may want to know.
    Note(&'a str),
    /// All tests are over.
    RunEnded(&'a Summary),
    /// All cells are over.
    MatrixEnded(&'a Matrix),
}

/// Makes something of events.
pub trait Reporter: Send {
    /// Hears of one. An error ends the run.
    fn event(&mut self, event: &Event<'_>) -> io::Result<()>;
}

/// All that hear of a run.
#[derive(Default)]
pub struct Reporters(Mutex<Vec<Box<dyn Reporter>>>);

impl Reporters {
    /// These, told in this order.
    pub fn new(reporters: Vec<Box<dyn Reporter>>) -> Self {
        Self(Mutex::new(reporters))
    }

    /// Tells all of them; the first error is returned.
    pub fn tell(&self, event: Event<'_>) -> io::Result<()> {
        let mut reporters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut result = Ok(());
        for reporter in reporters.iter_mut() {
            let heard = reporter.event(&event);
            result = result.and(heard);
        }
        result
    }
}
