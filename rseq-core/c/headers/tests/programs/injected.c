/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Code in every point where tests inject it, with the operands that the kernel's param_test has for it: one for each of
 * six points. A compiler refuses an operand that is not there, even in a function that is not called.
 */

static int loop_cnt[7];

#define RSEQ_INJECT_INPUT \
	, [loop_cnt_1]"m"(loop_cnt[1]) \
	, [loop_cnt_2]"m"(loop_cnt[2]) \
	, [loop_cnt_3]"m"(loop_cnt[3]) \
	, [loop_cnt_4]"m"(loop_cnt[4]) \
	, [loop_cnt_5]"m"(loop_cnt[5]) \
	, [loop_cnt_6]"m"(loop_cnt[6])

#define RSEQ_INJECT_ASM(n) \
	".pushsection .comment\n\t.ascii \"%[loop_cnt_" #n "]\"\n\t.popsection\n\t"

#define RSEQ_INJECT_CLOBBER
#define RSEQ_INJECT_C(n)
#define RSEQ_INJECT_FAILED

#include <rseq/rseq.h>

int main(void)
{
	return loop_cnt[0];
}
