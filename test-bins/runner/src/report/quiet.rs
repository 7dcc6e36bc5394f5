//! Nothing while it runs.

use std::io;
use std::time::Duration;

use crate::native::{Planned, Sink, Tested};
use crate::process::Stream;

/// Shows nothing: all is in the final document.
#[derive(Debug)]
pub struct QuietSink;

impl Sink for QuietSink {
    fn plan(&mut self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn begin(&mut self, _: &Planned) -> io::Result<()> {
        Ok(())
    }

    fn line(&mut self, _: &Planned, _: Stream, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn tick(&mut self, _: &Planned, _: Duration, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &Tested) -> io::Result<()> {
        Ok(())
    }
}
