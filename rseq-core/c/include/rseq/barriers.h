/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Memory barriers between CPUs, as compiler built-ins. */

#ifndef _RSEQ_BARRIERS_H
#define _RSEQ_BARRIERS_H

#define rseq_smp_mb()	__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define rseq_smp_rmb()	__atomic_thread_fence(__ATOMIC_ACQUIRE)
#define rseq_smp_wmb()	__atomic_thread_fence(__ATOMIC_RELEASE)

#define rseq_smp_load_acquire(p)	__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define rseq_smp_store_release(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)

/* After a branch on a loaded value: orders later accesses after that load. */
#define rseq_smp_acquire__after_ctrl_dep()	rseq_smp_rmb()

#endif
