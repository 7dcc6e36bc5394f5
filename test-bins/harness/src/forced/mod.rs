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
use crate::registration;

/// This thread's token and the memory that its sections work on, once every section can be interrupted.
pub fn prepare() -> Result<(Here, scene::Stage), Unmet> {
    let token = registration::token()?;
    section::make_writable()?;
    breakpoint::handle().or_fail("sigaction")?;
    Ok((token, scene::Stage::new()?))
}
