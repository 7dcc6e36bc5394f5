/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What programs take from librseq's headers besides operations: the types of fields, and names of architectures. */

#include <rseq/pseudocode.h>
#include <rseq/rseq.h>

#if defined(__x86_64__) || defined(__i386__)
#define HAS_NAME	RSEQ_ARCH_X86
#elif defined(__aarch64__)
#define HAS_NAME	RSEQ_ARCH_AARCH64
#elif defined(__arm__)
#define HAS_NAME	RSEQ_ARCH_ARM
#elif defined(__riscv)
#define HAS_NAME	RSEQ_ARCH_RISCV
#elif defined(__s390x__)
#define HAS_NAME	(RSEQ_ARCH_S390 && RSEQ_ARCH_S390X)
#elif defined(__powerpc64__)
#define HAS_NAME	(RSEQ_ARCH_PPC && RSEQ_ARCH_PPC64)
#elif defined(__mips__)
#define HAS_NAME	RSEQ_ARCH_MIPS
#else /* librseq has no name for LoongArch */
#define HAS_NAME	1
#endif

static const volatile unsigned char seven = 7;
static struct rseq_abi_cs descriptor;

int main(void)
{
	__u64 *start = &descriptor.start_ip;
	__u32 *flags = &descriptor.flags;
	rseq_unqual_scalar_typeof(seven) eight = seven;

	eight++;
	return !(HAS_NAME && sizeof(eight) == 1 && eight == 8 && *start == 0 && *flags == 0);
}
