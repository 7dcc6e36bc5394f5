/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The ABI of rseq(2). */

#ifndef _RSEQ_ABI_H
#define _RSEQ_ABI_H

#include <stdint.h>

/* The fields have the kernel's types, which differ from those of stdint.h: unsigned long long is not unsigned long. */
#ifdef __has_include
#if !__has_include(<linux/types.h>)
#define __RSEQ_NO_KERNEL_HEADERS
#endif
#endif
#ifdef __RSEQ_NO_KERNEL_HEADERS
typedef uint8_t __u8;
typedef uint16_t __u16;
typedef uint32_t __u32;
typedef uint64_t __u64;
#else
#include <linux/types.h>
#endif

/* Values of cpu_id in a thread that is not registered. */
enum rseq_abi_cpu_id_state {
	RSEQ_ABI_CPU_ID_UNINITIALIZED		= -1,
	RSEQ_ABI_CPU_ID_REGISTRATION_FAILED	= -2,
};

/* Flags of rseq(2). */
enum rseq_abi_flags {
	RSEQ_ABI_FLAG_UNREGISTER	= 1 << 0,
};

/*
 * Historical flags of the area and of descriptors, which must be 0: Linux 6.0 to 6.18 send SIGSEGV to a thread that
 * sets one.
 */
enum rseq_abi_cs_flags_bit {
	RSEQ_ABI_CS_FLAG_NO_RESTART_ON_PREEMPT_BIT	= 0,
	RSEQ_ABI_CS_FLAG_NO_RESTART_ON_SIGNAL_BIT	= 1,
	RSEQ_ABI_CS_FLAG_NO_RESTART_ON_MIGRATE_BIT	= 2,
};

enum rseq_abi_cs_flags {
	RSEQ_ABI_CS_FLAG_NO_RESTART_ON_PREEMPT	= 1U << RSEQ_ABI_CS_FLAG_NO_RESTART_ON_PREEMPT_BIT,
	RSEQ_ABI_CS_FLAG_NO_RESTART_ON_SIGNAL	= 1U << RSEQ_ABI_CS_FLAG_NO_RESTART_ON_SIGNAL_BIT,
	RSEQ_ABI_CS_FLAG_NO_RESTART_ON_MIGRATE	= 1U << RSEQ_ABI_CS_FLAG_NO_RESTART_ON_MIGRATE_BIT,
};

/* The first version of struct rseq_abi: bytes with a meaning, and bytes that are registered. */
#define RSEQ_ABI_ORIG_FEATURE_SIZE	20
#define RSEQ_ABI_ORIG_ALLOC_SIZE	32

/* The descriptor of a section. */
struct rseq_abi_cs {
	__u32 version;			/* 0 */
	__u32 flags;			/* 0 */
	__u64 start_ip;			/* the address of the first instruction */
	__u64 post_commit_offset;	/* the length in bytes, from start_ip to after the commit */
	__u64 abort_ip;			/* the address of the abort handler, which RSEQ_SIG precedes */
} __attribute__((aligned(32)));

/* The control word of the time slice extension (Linux 7.0). */
__extension__ struct rseq_abi_slice_ctrl {
	union {
		__u32 all;
		struct {
			__u8 request;	/* set by the thread, cleared by either side */
			__u8 granted;	/* set and cleared by the kernel */
			__u16 __reserved;
		};
	};
};

/* The area of a thread. User space writes only rseq_cs and slice_ctrl.request. */
__extension__ struct rseq_abi {
	__u32 cpu_id_start;		/* a possible CPU number, in every thread */
	__u32 cpu_id;			/* the CPU, or enum rseq_abi_cpu_id_state */
	union {
		__u64 ptr64;
		struct {
#ifdef __LP64__
			__u64 ptr;
#elif __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
			__u32 padding;
			__u32 ptr;
#else
			__u32 ptr;
			__u32 padding;
#endif
		} arch;
	} rseq_cs;			/* the address of the armed section's descriptor, or 0 */
	__u32 flags;			/* the state of the time slice extension (Linux 7.0), else 0 */
	__u32 node_id;			/* the NUMA node (Linux 6.3) */
	__u32 mm_cid;			/* the concurrency ID (Linux 6.3) */
	struct rseq_abi_slice_ctrl slice_ctrl;	/* Linux 7.0 */
	__u8 __reserved;
	char end[];
} __attribute__((aligned(32)));

#endif
