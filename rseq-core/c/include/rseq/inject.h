/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Places for code of tests within sections, empty unless they are defined before <rseq/rseq.h> is included. */

#ifndef _RSEQ_INJECT_H
#define _RSEQ_INJECT_H

/* Assembly after step n of a section. It may run again at any step, and must leave the stack alone. */
#ifndef RSEQ_INJECT_ASM
#define RSEQ_INJECT_ASM(n)
#endif

/* C code before a section. */
#ifndef RSEQ_INJECT_C
#define RSEQ_INJECT_C(n)
#endif

/* Input operands of RSEQ_INJECT_ASM; a comma comes first. */
#ifndef RSEQ_INJECT_INPUT
#define RSEQ_INJECT_INPUT
#endif

/* Registers that RSEQ_INJECT_ASM changes; a comma comes first. */
#ifndef RSEQ_INJECT_CLOBBER
#define RSEQ_INJECT_CLOBBER
#endif

/* C code after an abort. */
#ifndef RSEQ_INJECT_FAILED
#define RSEQ_INJECT_FAILED
#endif

#endif
