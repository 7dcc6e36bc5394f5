//! The standard operations, in two families: those whose caller picks the CPU and handles the abort ([`librseq`]), and those
//! that load the index themselves and restart themselves ([`this_cpu`]).

pub mod librseq;
pub mod this_cpu;
