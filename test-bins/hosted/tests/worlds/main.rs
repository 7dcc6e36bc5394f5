//! The core in processes that no Rust program on glibc starts: C on glibc, musl and the kernel's nolibc, plugins in C
//! and in Python, namespaces of dlmopen(3), and another libc-free runtime. Each says who owns the registration, counts
//! exactly under signals, and sees sections aborted.
#![cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64", target_pointer_width = "64"))]

mod build;
mod libcs;
mod nolibc;
mod origin;
mod plugins;
mod report;
