/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Pools, attributes and sets of pools: what each function does, and the errors that it returns. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <rseq/mempool.h>
#include <rseq/rseq.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(condition) \
	do { if (!(condition)) { printf("line %d: %s\n", __LINE__, #condition); return 1; } } while (0)

/* Whether a call returns an error value and sets errno. */
#define FAILS(call, value, error) (errno = 0, (call) == (value) && errno == (error))

#define CPUS	5
#define STRIDE	(1 << 16)
#define SIZE	64

struct data {
	uintptr_t words[SIZE / sizeof(uintptr_t)];
};

static const struct data zeroes = { { 0 } };

static struct rseq_mempool_attr *attributes(void)
{
	struct rseq_mempool_attr *attr = rseq_mempool_attr_create();

	if (!attr || rseq_mempool_attr_set_percpu(attr, STRIDE, CPUS))
		abort();
	return attr;
}

/* Creates a pool, and destroys the attributes. */
static struct rseq_mempool *made(const char *name, size_t len, struct rseq_mempool_attr *attr)
{
	struct rseq_mempool *pool = rseq_mempool_create(name, len, attr);

	rseq_mempool_attr_destroy(attr);
	return pool;
}

static struct rseq_mempool *policy_pool(enum rseq_mempool_populate_policy policy)
{
	struct rseq_mempool_attr *attr = attributes();

	if (rseq_mempool_attr_set_populate_policy(attr, policy))
		abort();
	return made("policy", SIZE, attr);
}

static int is_everywhere(struct data *item, const struct data *value)
{
	int cpu;

	for (cpu = 0; cpu < CPUS; cpu++)
		if (memcmp(rseq_percpu_ptr(item, cpu), value, sizeof(*value)))
			return 0;
	return 1;
}

static int creates(void)
{
	struct rseq_mempool_attr *attr;
	struct rseq_mempool *pool;
	size_t page = (size_t) sysconf(_SC_PAGESIZE);

	pool = rseq_mempool_create(NULL, 1, NULL);
	CHECK(pool && rseq_mempool_get_max_nr_cpus(pool) == rseq_get_max_nr_cpus());
	CHECK(rseq_mempool_destroy(pool) == 0);
	CHECK(rseq_mempool_destroy(NULL) == 0);
	CHECK(FAILS(rseq_mempool_get_max_nr_cpus(NULL), -1, EINVAL));

	pool = rseq_mempool_create("as large as the stride", RSEQ_MEMPOOL_STRIDE, NULL);
	CHECK(pool && rseq_mempool_destroy(pool) == 0);
	CHECK(FAILS(rseq_mempool_create("too large", RSEQ_MEMPOOL_STRIDE + 1, NULL), NULL, EINVAL));
	CHECK(FAILS(rseq_mempool_create("larger", SIZE_MAX, NULL), NULL, EINVAL));
	attr = attributes();
	CHECK(rseq_mempool_attr_set_percpu(attr, STRIDE, -1) == 0);
	CHECK(FAILS(rseq_mempool_create("CPUs", SIZE, attr), NULL, EINVAL));
	CHECK(rseq_mempool_attr_set_percpu(attr, page / 2, 1) == 0);
	CHECK(FAILS(rseq_mempool_create("small", SIZE, attr), NULL, EINVAL));
	CHECK(rseq_mempool_attr_set_percpu(attr, 3 * page, 1) == 0);
	CHECK(FAILS(rseq_mempool_create("odd", SIZE, attr), NULL, EINVAL));
	CHECK(rseq_mempool_attr_set_percpu(attr, STRIDE, 1) == 0);
	CHECK(rseq_mempool_attr_set_populate_policy(attr, (enum rseq_mempool_populate_policy) 2) == 0);
	CHECK(FAILS(rseq_mempool_create("policy", SIZE, attr), NULL, EINVAL));
	CHECK(rseq_mempool_attr_set_populate_policy(attr, RSEQ_MEMPOOL_POPULATE_COW_ZERO) == 0);
	CHECK(rseq_mempool_attr_set_percpu(attr, (size_t) 1 << (sizeof(size_t) * 8 - 5), 1000000) == 0);
	CHECK(FAILS(rseq_mempool_create("huge", SIZE, attr), NULL, ENOMEM));
	CHECK(rseq_mempool_attr_set_global(attr, 0) == 0 && rseq_mempool_attr_set_percpu(attr, STRIDE, 3) == 0);
	pool = rseq_mempool_create("per-CPU again", SIZE, attr);
	CHECK(pool && rseq_mempool_get_max_nr_cpus(pool) == 3 && rseq_mempool_destroy(pool) == 0);
	rseq_mempool_attr_destroy(attr);
	rseq_mempool_attr_destroy(NULL);
	return 0;
}

static int ignore(void *priv, void *addr, size_t len, int cpu)
{
	(void) priv, (void) addr, (void) len, (void) cpu;
	return 0;
}

static int attributes_want_a_structure(void)
{
	struct rseq_mempool_attr *attr = attributes();

	CHECK(FAILS(rseq_mempool_attr_set_init(NULL, ignore, NULL), -1, EINVAL));
	CHECK(FAILS(rseq_mempool_attr_set_init(attr, NULL, NULL), -1, EINVAL));
	CHECK(FAILS(rseq_mempool_attr_set_robust(NULL), -1, EINVAL));
	CHECK(FAILS(rseq_mempool_attr_set_percpu(NULL, 0, 0), -1, EINVAL));
	CHECK(FAILS(rseq_mempool_attr_set_global(NULL, 0), -1, EINVAL));
	CHECK(FAILS(rseq_mempool_attr_set_max_nr_ranges(NULL, 0), -1, EINVAL));
	CHECK(FAILS(rseq_mempool_attr_set_poison(NULL, 0), -1, EINVAL));
	CHECK(FAILS(rseq_mempool_attr_set_populate_policy(NULL, RSEQ_MEMPOOL_POPULATE_COW_ZERO), -1, EINVAL));
	rseq_mempool_attr_destroy(attr);
	return 0;
}

static int allocates(enum rseq_mempool_populate_policy policy)
{
	struct rseq_mempool *pool = policy_pool(policy);
	struct data *items[1000], value, *item;
	char large[SIZE + 1] = { 0 };
	int i, j, cpu;

	memset(&value, 7, sizeof(value));
	CHECK(pool && rseq_mempool_get_max_nr_cpus(pool) == CPUS);
	for (i = 0; i < 1000; i++) {
		item = items[i] = (struct data *) (i % 3 ? rseq_mempool_percpu_zmalloc(pool)
			: rseq_mempool_percpu_malloc(pool));
		CHECK(item && (uintptr_t) item % SIZE == 0);
		CHECK(i % 3 == 0 || is_everywhere(item, &zeroes));
		for (cpu = 0; cpu < CPUS; cpu++)
			memset(rseq_percpu_ptr(item, cpu, STRIDE), i + cpu, SIZE);
	}
	for (i = 0; i < 1000; i++)
		for (cpu = 0; cpu < CPUS; cpu++)
			for (j = 0; j < SIZE; j++)
				CHECK(((unsigned char *) rseq_percpu_ptr(items[i], cpu))[j] == (unsigned char) (i + cpu));
	for (i = 0; i < 1000; i++)
		rseq_mempool_percpu_free(items[i], i % 2 ? STRIDE : RSEQ_MEMPOOL_STRIDE);
	for (i = 0; i < 1000; i++) {
		item = items[i] = (struct data *) (i % 2 ? rseq_mempool_percpu_zmalloc(pool)
			: rseq_mempool_percpu_malloc_init(pool, &value, sizeof(value)));
		CHECK(item && is_everywhere(item, i % 2 ? &zeroes : &value));
	}
	for (i = 0; i < 1000; i++)
		rseq_mempool_percpu_free(items[i]);
	rseq_mempool_percpu_free(NULL);
	item = (struct data *) rseq_mempool_percpu_malloc_init(pool, &value, 3);
	CHECK(item && ((char *) item)[2] == 7 && ((char *) item)[3] == 0);
	CHECK(rseq_mempool_percpu_malloc_init(pool, NULL, SIZE));
	CHECK(FAILS(rseq_mempool_percpu_malloc_init(pool, large, SIZE + 1), NULL, EINVAL));
	CHECK(FAILS(rseq_mempool_percpu_malloc_init(pool, NULL, SIZE + 1), NULL, EINVAL));
	CHECK(FAILS(rseq_mempool_percpu_malloc(NULL), NULL, EINVAL));
	CHECK(FAILS(rseq_mempool_percpu_zmalloc(NULL), NULL, EINVAL));
	CHECK(FAILS(rseq_mempool_percpu_malloc_init(NULL, large, 1), NULL, EINVAL));
	CHECK(rseq_mempool_destroy(pool) == 0);
	return 0;
}

static int ranges_are_limited(void)
{
	struct rseq_mempool_attr *attr = attributes();
	void *items[3 * STRIDE / 4096 + 1];
	struct rseq_mempool *pool;
	int round, count, i;

	CHECK(rseq_mempool_attr_set_max_nr_ranges(attr, 3) == 0);
	pool = made("limited", 4096, attr);
	CHECK(pool);
	for (round = 0; round < 3; round++) {
		for (count = 0; count < 3 * STRIDE / 4096 + 1; count++)
			if (!(items[count] = rseq_mempool_percpu_malloc(pool)))
				break;
		CHECK(errno == ENOMEM && count == 3 * STRIDE / 4096);
		for (i = 0; i < count; i++)
			rseq_mempool_percpu_free(items[i]);
	}
	CHECK(rseq_mempool_destroy(pool) == 0);

	attr = attributes();
	CHECK(rseq_mempool_attr_set_max_nr_ranges(attr, 1) == 0);
	pool = made("smallest", 1, attr);
	for (count = 0; rseq_mempool_percpu_malloc(pool); count++)
		continue;
	CHECK(count == STRIDE / 8);
	return rseq_mempool_destroy(pool);
}

static int global_pools_have_one_copy(void)
{
	struct rseq_mempool_attr *attr = attributes();
	struct rseq_mempool *pool;
	uint64_t value = 77, *item, *other;

	CHECK(rseq_mempool_attr_set_global(attr, 1 << 20) == 0);
	pool = made("global", sizeof(value), attr);
	CHECK(pool && FAILS(rseq_mempool_get_max_nr_cpus(pool), -1, EINVAL));
	item = (uint64_t *) rseq_mempool_zmalloc(pool);
	CHECK(item && *item == 0);
	other = (uint64_t *) rseq_mempool_malloc_init(pool, &value, sizeof(value));
	CHECK(other && other != item && *other == 77 && *item == 0);
	rseq_mempool_free(item, 1 << 20);
	rseq_mempool_free(other, 1 << 20);
	item = (uint64_t *) rseq_mempool_malloc(pool);
	CHECK(item && rseq_percpu_ptr(item, 0) == item);
	rseq_mempool_free(item, 1 << 20);
	return rseq_mempool_destroy(pool);
}

struct calls {
	int count, first_cpu, fail_at;
	char *start;
};

/* Runs a function in a child. Returns the signal that ended it, or 256 plus its exit code. */
static int child_ends(void (*run)(struct data *), struct data *item)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		struct rlimit none = { 0, 0 };

		setrlimit(RLIMIT_CORE, &none);
		run(item);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		abort();
	return WIFSIGNALED(status) ? WTERMSIG(status) : 256 + WEXITSTATUS(status);
}

static void read_by_child(struct data *item)
{
	_exit(*(volatile uintptr_t *) item->words != 0);
}

static int initialise(void *priv, void *addr, size_t len, int cpu)
{
	struct calls *calls = (struct calls *) priv;

	if (calls->count == 0)
		calls->first_cpu = cpu, calls->start = (char *) addr;
	if (len != STRIDE || calls->start + STRIDE * calls->count != (char *) addr)
		return 1;
	memset(addr, 0x42, len);
	return ++calls->count == calls->fail_at ? -1 : 0;
}

static int ranges_are_initialised(void)
{
	struct rseq_mempool_attr *attr = attributes();
	struct calls calls = { 0, 0, 0, NULL }, global = { 0, 0, 0, NULL }, failing = { 0, 0, 2, NULL };
	struct rseq_mempool *pool;
	struct data value, *item;

	CHECK(rseq_mempool_attr_set_populate_policy(attr, RSEQ_MEMPOOL_POPULATE_COW_ZERO) == 0);
	CHECK(rseq_mempool_attr_set_init(attr, initialise, &failing) == 0);
	CHECK(FAILS(rseq_mempool_create("failing", SIZE, attr), NULL, ENOMEM) && failing.count == 2);
	CHECK(rseq_mempool_attr_set_init(attr, initialise, &calls) == 0);
	pool = made("initialised", SIZE, attr);
	CHECK(pool && calls.count == CPUS && calls.first_cpu == 0);
	item = (struct data *) rseq_mempool_percpu_malloc(pool);
	memset(&value, 0x42, sizeof(value));
	CHECK(item && (char *) item >= calls.start && (char *) item < calls.start + STRIDE);
	CHECK(is_everywhere(item, &value));
	item = (struct data *) rseq_mempool_percpu_zmalloc(pool);
	CHECK(item && is_everywhere(item, &zeroes));
	CHECK(rseq_mempool_destroy(pool) == 0);

	/* rseq_mempool_attr_set_init() sets the policy whose memory children do not have. */
	attr = attributes();
	CHECK(rseq_mempool_attr_set_populate_policy(attr, RSEQ_MEMPOOL_POPULATE_COW_ZERO) == 0);
	CHECK(rseq_mempool_attr_set_init(attr, ignore, NULL) == 0);
	pool = made("not inherited", SIZE, attr);
	item = (struct data *) rseq_mempool_percpu_zmalloc(pool);
	CHECK(item && child_ends(read_by_child, item) == SIGSEGV);
	CHECK(rseq_mempool_destroy(pool) == 0);

	attr = attributes();
	CHECK(rseq_mempool_attr_set_init(attr, initialise, &global) == 0);
	CHECK(rseq_mempool_attr_set_global(attr, 0) == 0);
	pool = made("global", SIZE, attr);
	CHECK(pool && global.count == 1 && global.first_cpu == -1);
	return rseq_mempool_destroy(pool);
}

static struct rseq_mempool *robust_pool(enum rseq_mempool_populate_policy policy)
{
	struct rseq_mempool_attr *attr = attributes();

	if (rseq_mempool_attr_set_robust(attr) || rseq_mempool_attr_set_populate_policy(attr, policy))
		abort();
	return made("robust", SIZE, attr);
}

static int freed_items_are_poisoned(enum rseq_mempool_populate_policy policy)
{
	struct rseq_mempool_attr *attr = attributes();
	struct rseq_mempool *pool;
	struct data *item, value;
	size_t i;

	for (i = 0; i < SIZE / sizeof(uintptr_t); i++)
		value.words[i] = 0x12345678;
	CHECK(rseq_mempool_attr_set_populate_policy(attr, policy) == 0);
	CHECK(rseq_mempool_attr_set_poison(attr, 0x12345678) == 0);
	pool = made("poisoned", SIZE, attr);
	item = (struct data *) rseq_mempool_percpu_zmalloc(pool);
	CHECK(item && is_everywhere(item, &zeroes));
	rseq_mempool_percpu_free(item);
	CHECK(is_everywhere(item, &value));
	CHECK(rseq_mempool_destroy(pool) == 0);

	/* The default poison value of a robust pool without a template is 0: zero copies take no memory. */
	memset(&value, policy == RSEQ_MEMPOOL_POPULATE_COW_INIT ? 0x55 : 0, sizeof(value));
	pool = robust_pool(policy);
	item = (struct data *) rseq_mempool_percpu_malloc(pool);
	rseq_mempool_percpu_free(item);
	CHECK(is_everywhere(item, &value));
	return rseq_mempool_destroy(pool);
}

static void free_twice(struct rseq_mempool *pool, struct data *item)
{
	(void) pool;
	rseq_mempool_percpu_free(item);
	rseq_mempool_percpu_free(item);
}

static void free_inside(struct rseq_mempool *pool, struct data *item)
{
	(void) pool;
	rseq_mempool_percpu_free(item->words + 1);
}

static void leak(struct rseq_mempool *pool, struct data *item)
{
	(void) item;
	rseq_mempool_destroy(pool);
}

static void leak_in_set(struct rseq_mempool *pool, struct data *item)
{
	struct rseq_mempool_set *set = rseq_mempool_set_create();

	(void) item;
	if (rseq_mempool_set_add_pool(set, pool) == 0)
		rseq_mempool_set_destroy(set);
}

static void write_after_free(struct rseq_mempool *pool, struct data *item)
{
	rseq_mempool_percpu_free(item);
	rseq_percpu_ptr(item, CPUS - 1)->words[3] = 99;
	rseq_mempool_percpu_malloc(pool);
}

static void write_before_destroy(struct rseq_mempool *pool, struct data *item)
{
	rseq_mempool_percpu_free(item);
	item->words[3] = 99;
	rseq_mempool_destroy(pool);
}

static void nothing(struct rseq_mempool *pool, struct data *item)
{
	rseq_mempool_percpu_free(item);
	rseq_mempool_percpu_free(rseq_mempool_percpu_zmalloc(pool));
	if (rseq_mempool_destroy(pool) == 0)
		_exit(7);
}

/*
 * Misuses a robust pool in a child, whose standard error is a pipe. Returns the signal that ended it, or 256 plus its
 * exit code.
 */
static int ended(enum rseq_mempool_populate_policy policy, void (*misuse)(struct rseq_mempool *, struct data *),
		char *said)
{
	int pipes[2], status = 0;
	ssize_t len;
	pid_t child;

	if (pipe(pipes) || (child = fork()) < 0)
		abort();
	if (child == 0) {
		struct rlimit none = { 0, 0 };
		struct rseq_mempool *pool = robust_pool(policy);

		setrlimit(RLIMIT_CORE, &none);
		dup2(pipes[1], 2);
		misuse(pool, (struct data *) rseq_mempool_percpu_malloc(pool));
		_exit(0);
	}
	close(pipes[1]);
	len = read(pipes[0], said, 255);
	said[len > 0 ? len : 0] = 0;
	close(pipes[0]);
	if (waitpid(child, &status, 0) != child)
		abort();
	return WIFSIGNALED(status) ? WTERMSIG(status) : 256 + WEXITSTATUS(status);
}

static int errors_are_found(enum rseq_mempool_populate_policy policy)
{
	char said[256];

	CHECK(ended(policy, nothing, said) == 256 + 7 && !*said);
	CHECK(ended(policy, free_twice, said) == SIGABRT && strstr(said, "rseq_mempool \"robust\": item 0x"));
	CHECK(strstr(said, " was freed twice\n"));
	CHECK(ended(policy, free_inside, said) == SIGABRT && strstr(said, " is not an item of this region\n"));
	CHECK(ended(policy, leak, said) == SIGABRT && strstr(said, " was not freed\n"));
	CHECK(ended(policy, leak_in_set, said) == SIGABRT && strstr(said, " was not freed\n"));
	CHECK(ended(policy, write_after_free, said) == SIGABRT && strstr(said, " was written after it was freed"));
	CHECK(ended(policy, write_before_destroy, said) == SIGABRT && strstr(said, " was written after it was freed"));
	return 0;
}

/* A child has the memory of a pool or has not, and destroys its own copy of it. */
static int children_may_destroy(enum rseq_mempool_populate_policy policy)
{
	struct rseq_mempool *pool = policy_pool(policy);
	struct data *item = (struct data *) rseq_mempool_percpu_zmalloc(pool);
	int status = 0;
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0) {
		if (policy == RSEQ_MEMPOOL_POPULATE_COW_ZERO) {
			void *other = rseq_mempool_percpu_zmalloc(pool);

			if (!other || other == (void *) item)
				_exit(1);
		}
		_exit(rseq_mempool_destroy(pool) ? 2 : 0);
	}
	CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CHECK(is_everywhere(item, &zeroes));
	rseq_mempool_percpu_free(item);
	return rseq_mempool_destroy(pool);
}

static int sets_have_items_of_any_size(void)
{
	struct rseq_mempool_set *set = rseq_mempool_set_create();
	struct rseq_mempool_attr *attr = attributes();
	struct rseq_mempool *small, *large, *second;
	char value[3000], *item;
	int i;

	memset(value, 7, sizeof(value));
	CHECK(set && FAILS(rseq_mempool_set_percpu_malloc(set, 1), NULL, ENOMEM));
	CHECK(rseq_mempool_attr_set_max_nr_ranges(attr, 1) == 0);
	small = rseq_mempool_create("small", 1 << 12, attr);
	second = rseq_mempool_create("second", (1 << 11) + 1, attr);
	large = made("large", 1 << 14, attr);
	CHECK(rseq_mempool_set_add_pool(set, large) == 0 && rseq_mempool_set_add_pool(set, small) == 0);
	CHECK(FAILS(rseq_mempool_set_add_pool(set, second), -1, EBUSY));
	CHECK(FAILS(rseq_mempool_set_add_pool(NULL, second), -1, EINVAL));
	CHECK(FAILS(rseq_mempool_set_add_pool(set, NULL), -1, EINVAL));
	CHECK(rseq_mempool_destroy(second) == 0);

	/* 16 small ones, and 4 large ones in their place. */
	for (i = 0; i < 16 + 4; i++) {
		item = (char *) rseq_mempool_set_percpu_malloc_init(set, value, sizeof(value));
		CHECK(item && memcmp(rseq_percpu_ptr(item, CPUS - 1), value, sizeof(value)) == 0);
	}
	CHECK(FAILS(rseq_mempool_set_percpu_malloc(set, sizeof(value)), NULL, ENOMEM));
	rseq_mempool_percpu_free(item);
	item = (char *) rseq_mempool_set_percpu_zmalloc(set, 1 << 14);
	CHECK(item && rseq_percpu_ptr(item, CPUS - 1)[2999] == 0);
	CHECK(FAILS(rseq_mempool_set_percpu_malloc(set, (1 << 14) + 1), NULL, ENOMEM));
	CHECK(FAILS(rseq_mempool_set_percpu_malloc(set, SIZE_MAX), NULL, ENOMEM));
	CHECK(FAILS(rseq_mempool_set_percpu_malloc(NULL, 1), NULL, EINVAL));
	CHECK(FAILS(rseq_mempool_set_percpu_zmalloc(NULL, 1), NULL, EINVAL));
	CHECK(FAILS(rseq_mempool_set_percpu_malloc_init(NULL, value, 1), NULL, EINVAL));
	CHECK(rseq_mempool_set_destroy(set) == 0 && rseq_mempool_set_destroy(NULL) == 0);

	set = rseq_mempool_set_create();
	attr = rseq_mempool_attr_create();
	CHECK(rseq_mempool_attr_set_global(attr, 0) == 0);
	CHECK(rseq_mempool_set_add_pool(set, made(NULL, 100, attr)) == 0);
	item = (char *) rseq_mempool_set_malloc_init(set, value, 100);
	CHECK(item && item[99] == 7);
	rseq_mempool_free(item);
	item = (char *) rseq_mempool_set_zmalloc(set, 128);
	CHECK(item && item[99] == 0 && rseq_mempool_set_malloc(set, 1) && !rseq_mempool_set_malloc(set, 129));
	return rseq_mempool_set_destroy(set);
}

static int memory_moves_to_a_node(void)
{
	const int move = 1 << 1, no_flag = 1 << 20;
	struct rseq_mempool *pool = policy_pool(RSEQ_MEMPOOL_POPULATE_COW_ZERO);
	void *item = rseq_mempool_percpu_zmalloc(pool);
	int moved;

	CHECK(FAILS(rseq_mempool_range_init_numa(item, SIZE, 0, 0), -1, EINVAL));
	CHECK(FAILS(rseq_mempool_range_init_numa(NULL, SIZE, 0, move), -1, EINVAL));
	CHECK(FAILS(rseq_mempool_range_init_numa(item, SIZE, -1, move), -1, EINVAL));
	*(int *) item = 77;
	moved = rseq_mempool_range_init_numa(item, SIZE, 0, move);
	/* The kernel lets a process move its own pages: EPERM is a filter's, as in containers. */
	CHECK((moved == 0 || errno == ENOSYS || errno == EPERM) && *(int *) item == 77);
	if (moved != 0) {
		printf("skipped: no move_pages(2): %s\n", strerror(errno));
	} else {
		CHECK(FAILS(rseq_mempool_range_init_numa(item, SIZE, 1 << 20, move), -1, EINVAL));
		CHECK(FAILS(rseq_mempool_range_init_numa(item, SIZE, 0, no_flag), -1, EINVAL));
	}
	return rseq_mempool_destroy(pool);
}

/* Pages that this process has in memory. */
static long resident(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long pages = -1;

	if (!file || fscanf(file, "%*d %ld", &pages) != 1)
		abort();
	fclose(file);
	return pages;
}

static int what_is_destroyed_takes_no_memory(void)
{
	const int rounds = 4000;
	long before = 0, page = sysconf(_SC_PAGESIZE);
	int i;

	for (i = 0; i < rounds + 1; i++) {
		struct rseq_mempool_attr *attr = rseq_mempool_attr_create();
		struct rseq_mempool_set *set = rseq_mempool_set_create();

		CHECK(attr && set && rseq_mempool_set_destroy(set) == 0);
		rseq_mempool_attr_destroy(attr);
		if (i == 0)
			before = resident();
	}
	CHECK((resident() - before) * page < rounds * 256);
	return 0;
}

#define THREADS	4

static struct rseq_mempool *shared;

/* Allocates and frees, and finds out whether another thread has an item at the same time. */
static void *storm(void *number)
{
	struct data *items[8] = { NULL };
	uintptr_t mine = (uintptr_t) number, round;

	if (rseq_register_current_thread())
		return (void *) "a thread is not registered";
	for (round = 0; round < 200000; round++) {
		struct data **item = &items[(round * 7 + mine) % 8];

		if (*item) {
			if ((*item)->words[0] != mine)
				return (void *) "two threads had one item";
			(*item)->words[0] = 0;
			rseq_mempool_percpu_free(*item);
		}
		*item = (struct data *) rseq_mempool_percpu_malloc(shared);
		if (!*item)
			return (void *) "there was no item";
		(*item)->words[0] = mine;
	}
	return rseq_unregister_current_thread() ? (void *) "a thread stays registered" : NULL;
}

static int threads_share_a_pool(void)
{
	pthread_t threads[THREADS];
	uintptr_t i;

	shared = policy_pool(RSEQ_MEMPOOL_POPULATE_COW_ZERO);
	for (i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, storm, (void *) (i + 1)) == 0);
	for (i = 0; i < THREADS; i++) {
		void *error;

		CHECK(pthread_join(threads[i], &error) == 0);
		if (error)
			printf("%s\n", (const char *) error);
		CHECK(!error);
	}
	return rseq_mempool_destroy(shared);
}

int main(void)
{
	const enum rseq_mempool_populate_policy policies[] = {
		RSEQ_MEMPOOL_POPULATE_COW_INIT, RSEQ_MEMPOOL_POPULATE_COW_ZERO,
	};
	int i;

	if (!rseq_available(RSEQ_AVAILABLE_QUERY_KERNEL))
		printf("the kernel has no rseq: pools take locks\n");
	for (i = 0; i < 2; i++) {
		/* Without glibc's registration, the second round is that of a registered thread. */
		CHECK(!allocates(policies[i]) && !freed_items_are_poisoned(policies[i]) && !errors_are_found(policies[i]));
		CHECK(!children_may_destroy(policies[i]) && !allocates(policies[!i]));
		if (i == 0)
			CHECK(rseq_register_current_thread() == 0);
	}
	CHECK(!creates() && !attributes_want_a_structure() && !ranges_are_limited() && !global_pools_have_one_copy());
	CHECK(!ranges_are_initialised() && !sets_have_items_of_any_size() && !memory_moves_to_a_node());
	CHECK(!what_is_destroyed_takes_no_memory() && !threads_share_a_pool());
	return 0;
}
