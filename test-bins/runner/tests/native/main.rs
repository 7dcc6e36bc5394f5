//! The runner on this machine, over small shell scripts in place of the static binaries.

mod boots;
mod bundle;
mod cli;
mod fakes;
mod hosts;
mod real;
mod refused;
mod signals;
mod tables;
mod verdicts;
