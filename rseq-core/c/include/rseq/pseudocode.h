/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Has nothing, for programs that include it: the comment on each operation in rseq/operations.h says what it does. */
