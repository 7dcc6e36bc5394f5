/* What libworlds has: rseq-core under C names. */
#ifndef WORLDS_H
#define WORLDS_H

/* Registers this thread's own area, and releases it. 0, or the error of rseq(2). */
int worlds_register(void);
int worlds_release(void);

/* Adds 1 to a counter, and reads it. */
void worlds_count(unsigned long times);
unsigned long worlds_sum(void);

/* Writes to text whether this thread is registered, by whom, and why not. */
void worlds_status(char *text, unsigned long size);

/*
 * Adds 1 to the word of the CPU that the thread is on, among len words that are stride words apart, times times, by
 * slow sections. Adds the number of aborts to aborts. 0, or the error of a thread that is not registered.
 */
int worlds_storm(unsigned long *words, unsigned long len, unsigned long stride, unsigned long times,
                 unsigned long *aborts);

/* The same in a thread that C registered itself, with area_len bytes at area. */
int worlds_storm_at(void *area, unsigned area_len, unsigned long *words, unsigned long len, unsigned long stride,
                    unsigned long times, unsigned long *aborts);

#endif
