/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Every operation with both indexes and in each memory order, in one thread: what it stores and returns after its
 * commit, if a comparison fails, and if the thread is on another CPU. It compiles as C and as C++.
 */

#define RSEQ_THIS_CPU_SHIFT 7 /* the size of struct slot is 128 */
#include <rseq/rseq.h>
#include <stdio.h>
#include <string.h>

#define WORD ((intptr_t) sizeof(intptr_t))

static int failures;

static void check(bool is_right, const char *what, int line)
{
	if (!is_right) {
		printf("line %d: %s\n", line, what);
		failures++;
	}
}

#define CHECK(condition) check(condition, #condition, __LINE__)

static bool by_mm_cid;

static int here(void)
{
	return (int) (by_mm_cid ? rseq_current_mm_cid() : rseq_cpu_start());
}

#define MODE (by_mm_cid ? RSEQ_PERCPU_MM_CID : RSEQ_PERCPU_CPU_ID)

/* Repeats an operation while it is aborted, as by a migration. */
#define SETTLED(result, call) do { result = call; } while (result == -1)

/* A number that no CPU has. */
#define ELSEWHERE 1000000

/* Static, because rseq-check reports sections that commit to the stack, which threads do not share. */
static intptr_t v, w;

static void words(void)
{
	int result;

	v = 5, w = 7;

	SETTLED(result, rseq_load_add_store__ptr(RSEQ_MO_RELAXED, MODE, &v, 3, here()));
	CHECK(result == 0 && v == 8);
	CHECK(rseq_load_add_store__ptr(RSEQ_MO_RELAXED, MODE, &v, 3, ELSEWHERE) == -1 && v == 8);
	CHECK(rseq_load_add_store__ptr(RSEQ_MO_RELEASE, MODE, &v, 3, here()) == -1 && v == 8);
	SETTLED(result, rseq_load_cbne_store__ptr(RSEQ_MO_RELAXED, MODE, &v, 8, 9, here()));
	CHECK(result == 0 && v == 9);
	SETTLED(result, rseq_load_cbne_store__ptr(RSEQ_MO_RELAXED, MODE, &v, 8, 10, here()));
	CHECK(result == 1 && v == 9);
	CHECK(rseq_load_cbne_store__ptr(RSEQ_MO_RELAXED, MODE, &v, 9, 10, ELSEWHERE) == -1 && v == 9);
	SETTLED(result, rseq_load_cbne_load_cbne_store__ptr(RSEQ_MO_RELAXED, MODE, &v, 9, &w, 7, 11, here()));
	CHECK(result == 0 && v == 11 && w == 7);
	SETTLED(result, rseq_load_cbne_load_cbne_store__ptr(RSEQ_MO_RELAXED, MODE, &v, 11, &w, 8, 12, here()));
	CHECK(result == 1 && v == 11);
	SETTLED(result, rseq_load_cbne_load_cbne_store__ptr(RSEQ_MO_RELAXED, MODE, &v, 12, &w, 7, 12, here()));
	CHECK(result == 1 && v == 11);
	SETTLED(result, rseq_load_cbne_store_store__ptr(RSEQ_MO_RELAXED, MODE, &v, 11, &w, 13, 14, here()));
	CHECK(result == 0 && v == 14 && w == 13);
	SETTLED(result, rseq_load_cbne_store_store__ptr(RSEQ_MO_RELEASE, MODE, &v, 14, &w, 15, 16, here()));
	CHECK(result == 0 && v == 16 && w == 15);
	SETTLED(result, rseq_load_cbne_store_store__ptr(RSEQ_MO_RELEASE, MODE, &v, 14, &w, 17, 18, here()));
	CHECK(result == 1 && v == 16 && w == 15);
}

static void pointers(void)
{
	static intptr_t count, node[2], head, load;
	int result;

	count = load = 0;
	node[0] = 0, node[1] = 55;
	head = (intptr_t) node;

	SETTLED(result, rseq_load_cbeq_store_add_load_store__ptr(RSEQ_MO_RELAXED, MODE, &head, 0, WORD, &load, here()));
	CHECK(result == 0 && head == 55 && load == (intptr_t) node);
	head = 0;
	SETTLED(result, rseq_load_cbeq_store_add_load_store__ptr(RSEQ_MO_RELAXED, MODE, &head, 0, WORD, &load, here()));
	CHECK(result == 1 && head == 0);
	node[1] = (intptr_t) &count;
	head = (intptr_t) node;
	SETTLED(result, rseq_load_add_load_load_add_store__ptr(RSEQ_MO_RELAXED, MODE, &head, WORD, 4, here()));
	CHECK(result == 0 && count == 4);
}

static void copies(void)
{
	static char from[72], to[72];
	size_t len;
	int i, result;

	v = 0;

	for (i = 0; i < (int) sizeof(from); i++)
		from[i] = (char) (i + 1);
	for (len = 0; len < 60; len++) {
		memset(to, 0, sizeof(to));
		SETTLED(result, rseq_load_cbne_memcpy_store__ptr(RSEQ_MO_RELAXED, MODE, &v, v, to, from, len, v + 1, here()));
		CHECK(result == 0 && memcmp(to, from, len) == 0 && to[len] == 0);
		memset(to, 0, sizeof(to));
		SETTLED(result, rseq_load_cbne_memcpy_store__ptr(RSEQ_MO_RELEASE, MODE, &v, v, to, from, len, v + 1, here()));
		CHECK(result == 0 && memcmp(to, from, len) == 0 && to[len] == 0);
	}
	CHECK(v == 120);
	SETTLED(result, rseq_load_cbne_memcpy_store__ptr(RSEQ_MO_RELEASE, MODE, &v, 1, to, from, 3, 2, here()));
	CHECK(result == 1 && v == 120);
}

#define SLOTS 4096

static struct slot {
	intptr_t word;
	char rest[128 - sizeof(intptr_t)];
} slots[SLOTS];

static void fill(intptr_t value)
{
	int i;

	for (i = 0; i < SLOTS; i++)
		slots[i].word = value;
}

static intptr_t sum(void)
{
	intptr_t total = 0;
	int i;

	for (i = 0; i < SLOTS; i++)
		total += slots[i].word;
	return total;
}

/* Operations that load the index themselves: they restart, and never return an abort. */
static void this_cpu(void)
{
	static intptr_t node, other, popped;
	int i;

	fill(0);
	for (i = 0; i < 100; i++) {
		CHECK(rseq_this_cpu_inc(MODE, &slots[0].word, SLOTS) == 0);
		CHECK(rseq_this_cpu_add(MODE, &slots[0].word, SLOTS, 3) == 0);
	}
	CHECK(sum() == 400);
	CHECK(rseq_this_cpu_inc(MODE, &slots[0].word, 0) == -1 && rseq_this_cpu_add(MODE, &slots[0].word, 0, 3) == -1);
	CHECK(rseq_this_cpu_cmpxchg(MODE, &slots[0].word, 0, 0, 1) == -1);
	CHECK(rseq_this_cpu_push(MODE, &slots[0].word, 0, &node) == -1);
	CHECK(rseq_this_cpu_pop(MODE, &slots[0].word, 0, &popped) == -1 && sum() == 400);
	fill(5);
	CHECK(rseq_this_cpu_cmpxchg(MODE, &slots[0].word, SLOTS, 4, 9) == 1 && sum() == 5 * SLOTS);
	CHECK(rseq_this_cpu_cmpxchg(MODE, &slots[0].word, SLOTS, 5, 6) == 0 && sum() == 5 * SLOTS + 1);
	fill((intptr_t) &node);
	node = 0;
	CHECK(rseq_this_cpu_push(MODE, &slots[0].word, SLOTS, &other) == 0 && other == (intptr_t) &node);
	fill((intptr_t) &other);
	CHECK(rseq_this_cpu_pop(MODE, &slots[0].word, SLOTS, &popped) == 0 && popped == (intptr_t) &other);
	CHECK(sum() == (intptr_t) &other * (SLOTS - 1) + (intptr_t) &node);
	fill(0);
	CHECK(rseq_this_cpu_pop(MODE, &slots[0].word, SLOTS, &popped) == 1 && sum() == 0);
}

/* The kernel's names are macros for the same functions. */
static void kernel_names(void)
{
	int result;

	v = 1;

	SETTLED(result, rseq_addv(RSEQ_MO_RELAXED, MODE, &v, 1, here()));
	CHECK(result == 0 && v == 2);
	SETTLED(result, rseq_cmpeqv_storev(RSEQ_MO_RELAXED, MODE, &v, 2, 3, here()));
	CHECK(result == 0 && v == 3);
}

int main(void)
{
	if (rseq_register_current_thread()) {
		char why[200];

		rseq_status(why, sizeof(why));
		printf("skipped: %s\n", why);
		return 4;
	}
	CHECK(rseq_current_cpu_raw() >= 0);
	CHECK((int) rseq_cpu_start() < rseq_get_max_nr_cpus());
	do {
		words();
		pointers();
		copies();
		this_cpu();
		kernel_names();
		by_mm_cid = !by_mm_cid;
	} while (by_mm_cid && rseq_mm_cid_available());
	rseq_prepare_unload();
	CHECK(rseq_get_abi()->rseq_cs.arch.ptr == 0);
	CHECK(rseq_unregister_current_thread() == 0);
	if (!rseq_available(RSEQ_AVAILABLE_QUERY_LIBC)) {
		fill(0);
		CHECK(rseq_this_cpu_inc(RSEQ_PERCPU_CPU_ID, &slots[0].word, SLOTS) == -1);
		CHECK(rseq_this_cpu_inc(RSEQ_PERCPU_MM_CID, &slots[0].word, SLOTS) == -1 && sum() == 0);
	}
	return failures ? 1 : 0;
}
