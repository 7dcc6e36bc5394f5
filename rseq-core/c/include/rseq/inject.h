/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Injection points for tests, which define these macros before they include <rseq/rseq.h>. The defaults are empty. */

#ifndef _RSEQ_INJECT_H
#define _RSEQ_INJECT_H

/* Assembly after step n of a section. It may be aborted and repeated, and must not use the stack. */
#ifndef RSEQ_INJECT_ASM
#define RSEQ_INJECT_ASM(n)
#endif

/* C code before a section. */
#ifndef RSEQ_INJECT_C
#define RSEQ_INJECT_C(n)
#endif

/* Input operands of RSEQ_INJECT_ASM, after a leading comma. */
#ifndef RSEQ_INJECT_INPUT
#define RSEQ_INJECT_INPUT
#endif

/* Registers that RSEQ_INJECT_ASM clobbers, after a leading comma. */
#ifndef RSEQ_INJECT_CLOBBER
#define RSEQ_INJECT_CLOBBER
#endif

/* C code after an abort. */
#ifndef RSEQ_INJECT_FAILED
#define RSEQ_INJECT_FAILED
#endif

#endif
