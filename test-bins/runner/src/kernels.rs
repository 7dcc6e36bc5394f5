//! Machines and kernels: the table, and how a kernel gets into the cache.
//!
//! | module | purpose |
//! |---|---|
//! | `catalog`, `machine` | the one table, and QEMU's command line |
//! | `select` | from options to kernels and cells |
//! | `fetch`, `install` | what to get, and the system's packages |
//! | `apt`, `mirror`, `resolve`, `version`, `unpack`, `zboot`, `cache` | from a suite to a kernel in the cache |
//! | `custom`, `recipe`, `tools`, `source`, `make` | a kernel that no distribution has, built here |

mod apt;
pub mod cache;
pub mod catalog;
pub mod custom;
pub mod fetch;
pub mod install;
pub mod machine;
mod make;
mod mirror;
mod recipe;
mod resolve;
pub mod select;
mod source;
mod tools;
mod unpack;
pub mod version;
mod zboot;
