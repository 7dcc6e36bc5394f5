//! Aborts forced at every instruction of sections, by breakpoints: what `abort_points` and `percpu_abort_points` share.
//!
//! | module | for |
//! |---|---|
//! | [`case`] | what is known of a section: its arguments, and what it leaves behind |
//! | [`scene`] | the memory that sections work on |
//! | [`section`] | this program's sections and their instructions |
//! | [`breakpoint`] | breakpoints, and what the kernel had done by the time they were hit |
//! | [`run`] | every point of a section in every state |
//! | [`claims`] | the sections that had their run |
//! | [`operations`] | the cases of `rseq_core::ops` |
//! | [`arch`] | what it takes on each architecture |

#![allow(missing_docs, reason = "shared by two programs, not published; what names do not say is documented")]

pub mod arch;
pub mod breakpoint;
pub mod case;
pub mod claims;
pub mod operations;
pub mod run;
pub mod scene;
pub mod section;

use crate::index::Here;
use crate::ktap::{OrFail, Unmet};
use crate::{host, registration, skip};

/// This thread's token and the memory that its sections work on, once every section can be interrupted.
///
/// A tracer stops the thread at each breakpoint, before its handler can run, if gdb lets it run at all. Each stop is a
/// context switch, after which an abort no longer shows that the breakpoint caused it.
pub fn prepare() -> Result<(Here, scene::Stage), Unmet> {
    if let Some(tracer) = host::tracer() {
        return Err(skip!("{tracer}, which stops it at each breakpoint"));
    }
    let token = registration::token()?;
    section::make_writable()?;
    breakpoint::handle().or_fail("sigaction")?;
    Ok((token, scene::Stage::new()?))
}
