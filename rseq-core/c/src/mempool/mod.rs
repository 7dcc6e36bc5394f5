//! `<rseq/mempool.h>`: pools of per-CPU memory, each a region of rseq-core.
//!
//! Nothing here allocates in the libc: what describes pools lies in a region, too.

mod attr;
mod numa;
mod object;
mod pool;
mod report;
mod set;
