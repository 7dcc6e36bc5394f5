//! `<rseq/mempool.h>`: pools of per-CPU memory. Each pool is a region of rseq-core.
//!
//! Nothing here calls malloc(3): pools, sets and attributes are themselves allocated in a region.

mod attr;
mod numa;
mod object;
mod pool;
mod report;
mod set;
