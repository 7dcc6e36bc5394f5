//! Machines and kernels: the table, and how a kernel gets into the cache.
//!
//! | module | purpose |
//! |---|---|
//! | `machine`, `catalog` | what a machine is, and the one table of them |
//! | `hardware`, `command` | what a guest of one is started with, and QEMU's command line |
//! | `accel` | whether guests can have KVM |
//! | `select` | from options to kernels and cells |
//! | `fetch`, `install` | what to get, and the system's packages |
//! | `apt`, `mirror`, `resolve`, `version`, `unpack`, `zboot`, `cache` | from a suite to a kernel in the cache |
//! | `tree` | a kernel from elsewhere |
//! | `custom`, `recipe`, `tools`, `source`, `make` | a kernel that no distribution has, built here |

pub mod accel;
mod apt;
pub mod cache;
pub mod catalog;
pub mod command;
pub mod custom;
pub mod fetch;
pub mod hardware;
pub mod install;
pub mod machine;
mod make;
mod mirror;
mod recipe;
mod resolve;
pub mod select;
mod source;
mod tools;
pub mod tree;
mod unpack;
pub mod version;
mod zboot;
