/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Restartable sequences: registration, the calling thread's area, and operations on per-CPU data.
 *
 * A program includes this header and links with librseq. Each thread calls rseq_register_current_thread() before
 * its first operation; where the libc registers threads (glibc 2.35), that does nothing. An operation takes the
 * CPU that it is meant for, from rseq_cpu_start(), and commits only if the thread runs there.
 */

#ifndef _RSEQ_RSEQ_H
#define _RSEQ_RSEQ_H

/* Some of these are only here because programs that were written for librseq rely on them. */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <rseq/abi.h>
#include <rseq/compiler.h>
#include <rseq/inject.h>
#include <rseq/thread-pointer.h>
#include <rseq/utils.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The memory order of an operation's commit. An operation that has no such order returns -1. */
enum rseq_mo {
	RSEQ_MO_RELAXED = 0,
	RSEQ_MO_CONSUME = 1,
	RSEQ_MO_ACQUIRE = 2,
	RSEQ_MO_RELEASE = 3,
	RSEQ_MO_ACQ_REL = 4,
	RSEQ_MO_SEQ_CST = 5,
};

/* What an operation compares with the number that it is given: the CPU, or the concurrency ID (Linux 6.3). */
enum rseq_percpu_mode {
	RSEQ_PERCPU_CPU_ID = 0,
	RSEQ_PERCPU_MM_CID = 1,
};

/* What rseq_available() is asked. */
enum rseq_available_query {
	RSEQ_AVAILABLE_QUERY_KERNEL = 0,
	RSEQ_AVAILABLE_QUERY_LIBC = 1,
};

/* A program that defines this macro defines rseq_get_abi() itself, such as by the libc's own variables. */
#ifndef RSEQ_GET_ABI_OVERRIDE

/* The distance in bytes of each thread's area from its thread pointer. A constructor sets it before main(). */
extern ptrdiff_t rseq_offset;

/* Bytes of the area that the kernel maintains; 0 before the first registration. */
extern unsigned int rseq_size;

/* The flags of registrations: 0. */
extern unsigned int rseq_flags;

/* The calling thread's area. */
static inline __attribute__((always_inline))
struct rseq_abi *rseq_get_abi(void)
{
	return (struct rseq_abi *) ((uintptr_t) rseq_thread_pointer() + (uintptr_t) rseq_offset);
}

#endif

/*
 * Registers the calling thread for rseq (Linux 4.18). Returns 0, also where the libc does; or -1 and errno: ENOSYS
 * if the kernel has no rseq, EBUSY if the thread is registered, EPERM or another if a filter refuses the call.
 */
int rseq_register_current_thread(void);

/*
 * The same as the kernel's selftests call it: with legacy, for 32 bytes; with nolibc, -EBUSY is returned where the
 * libc registers threads.
 */
int __rseq_register_current_thread(bool nolibc, bool legacy);

/*
 * Ends the calling thread's registration: before the thread ends. Returns 0, also where the libc registers
 * threads; or -1 and errno: EINVAL if the thread is not registered.
 */
int rseq_unregister_current_thread(void);

/* The CPU by sched_getcpu(3), for threads that are not registered. */
int32_t rseq_fallback_current_cpu(void);

/* The NUMA node by getcpu(2); or -1 and errno. */
int32_t rseq_fallback_current_node(void);

#ifdef RSEQ_C_KERNEL_FLAVOUR
/* Whether the kernel has rseq. */
bool rseq_available(void);
#else
/* Whether the kernel has rseq, or the libc registers threads: see enum rseq_available_query. */
bool rseq_available(unsigned int query);
#endif

/* One more than the largest CPU number that the kernel can give: the length of an array by CPU. 0 if not known. */
int rseq_get_max_nr_cpus(void);

/* Whether the calling thread is registered; in words too, cut to size bytes. text may be NULL if size is 0. */
bool rseq_status(char *text, size_t size);

/* Enables the time slice extension in the calling thread, or disables it (Linux 7.0). Returns 0; or -1 and errno. */
int rseq_slice_extension_enable(bool enable);

/* The CPU of this moment; -1 in a thread that is not registered. */
static inline __attribute__((always_inline))
int32_t rseq_current_cpu_raw(void)
{
	return (int32_t) RSEQ_READ_ONCE(rseq_get_abi()->cpu_id);
}

/* A possible CPU number, in every thread, and mostly the current one: the one to begin an operation with. */
static inline __attribute__((always_inline))
uint32_t rseq_cpu_start(void)
{
	return RSEQ_READ_ONCE(rseq_get_abi()->cpu_id_start);
}

/* The CPU of this moment, by rseq_fallback_current_cpu() in a thread that is not registered. */
static inline __attribute__((always_inline))
uint32_t rseq_current_cpu(void)
{
	int32_t cpu = rseq_current_cpu_raw();

	return (uint32_t) (rseq_likely(cpu >= 0) ? cpu : rseq_fallback_current_cpu());
}

#ifndef RSEQ_GET_ABI_OVERRIDE

/* Whether the kernel maintains node_id (Linux 6.3). */
static inline __attribute__((always_inline))
bool rseq_node_id_available(void)
{
	return (int) rseq_size >= (int) rseq_offsetofend(struct rseq_abi, node_id);
}

/* Whether the kernel maintains mm_cid (Linux 6.3). */
static inline __attribute__((always_inline))
bool rseq_mm_cid_available(void)
{
	return (int) rseq_size >= (int) rseq_offsetofend(struct rseq_abi, mm_cid);
}

/* The NUMA node of this moment, where it is available. */
static inline __attribute__((always_inline))
uint32_t rseq_current_node_id(void)
{
	assert(rseq_node_id_available());
	return RSEQ_READ_ONCE(rseq_get_abi()->node_id);
}

#endif

/* The concurrency ID of this moment, where it is available. */
static inline __attribute__((always_inline))
uint32_t rseq_current_mm_cid(void)
{
	return RSEQ_READ_ONCE(rseq_get_abi()->mm_cid);
}

/* Forgets the section that the calling thread armed last. */
static inline __attribute__((always_inline))
void rseq_clear_rseq_cs(void)
{
	RSEQ_WRITE_ONCE(rseq_get_abi()->rseq_cs.arch.ptr, 0);
}

/*
 * Each thread that ran a section calls this after its last one, before the code or the descriptors of it are
 * unloaded, such as by dlclose(3): the kernel reads the descriptor that was armed last until it finds the thread
 * elsewhere.
 */
static inline __attribute__((always_inline))
void rseq_prepare_unload(void)
{
	rseq_clear_rseq_cs();
}

#include <rseq/arch.h>
#include <rseq/operations.h>
#include <rseq/this-cpu.h>
#include <rseq/kernel-names.h>

#ifdef __cplusplus
}
#endif

#endif
