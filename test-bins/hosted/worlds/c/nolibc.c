/*
 * A program on the kernel's nolibc (tools/include/nolibc): nolibc MODE.
 *
 *   bare   no thread pointer: the own area is refused, and C registers an area of its own
 *   tls    C sets up static TLS, and the core registers its area there
 *
 * nolibc has no TLS, no signal handlers and no threads: this file has what the test wants of the first two, and forks.
 */
#include "nolibc.h"
#include <linux/rseq.h>
#include "worlds.h"

enum { CHILDREN = 8, TIMES = 20000, CPUS = 4096, STRIDE = 16 };

static unsigned long *words;
static unsigned long *aborts; /* of each child */

static void fail(const char *what, long error) {
    printf("%s: %ld\n", what, error);
    exit(1);
}

/* MAP_SHARED memory is the children's too, MAP_PRIVATE memory each process's own. */
static void *map(unsigned long size, int kind) {
    void *memory = mmap(0, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | kind, -1, 0);
    if (memory == MAP_FAILED) fail("mmap", 0);
    return memory;
}

/* The kernel's struct sigaction for x86-64, whose handlers return by way of a restorer. */
struct action {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    unsigned long mask;
};

__asm__(".text\nrestorer:\n\tmov $15, %eax\n\tsyscall\n");
void restorer(void);

static void on_signal(int signal) {
    (void)signal;
}

static void interrupt_often(void) {
    struct action action = {on_signal, 0x04000000 /* SA_RESTORER */, restorer, 0};
    long often[4] = {0, 50, 0, 50};
    if (syscall(__NR_rt_sigaction, SIGALRM, &action, 0, 8)) fail("rt_sigaction", 0);
    if (syscall(__NR_setitimer, 0, often, 0)) fail("setitimer", 0);
}

static void print_status(const char *who) {
    char text[256];
    worlds_status(text, sizeof text);
    printf("%s %s\n", who, text);
}

static void expect_sum(unsigned long expected) {
    unsigned long sum = 0, aborted = 0;
    int i;
    for (i = 0; i < CPUS; i++) sum += words[i * STRIDE];
    for (i = 0; i < CHILDREN; i++) aborted += aborts[i];
    printf("sections %lu of %lu\naborts %lu\n", sum, expected, aborted);
    if (sum != expected || aborted == 0) exit(1);
}

/* An area that C registers by itself, and a token of it. */
static struct rseq area __attribute__((aligned(64)));

static void bare(void) {
    int error;
    print_status("without TLS:");
    error = worlds_register();
    printf("own area: %d\n", error);
    if (error != 6 /* ENXIO */) exit(1);
    area.cpu_id = -1;
    if (worlds_storm_at(&area, 32, words, CPUS, STRIDE, 1, aborts) == 0) fail("a token without a registration", 0);
    if (syscall(__NR_rseq, &area, 32, 0, 0x53053053)) fail("rseq", 0);
    interrupt_often();
    error = worlds_storm_at(&area, 32, words, CPUS, STRIDE, TIMES, aborts);
    if (error) fail("C's area", error);
    if (syscall(__NR_rseq, &area, 32, 1, 0x53053053)) fail("release", 0);
    expect_sum(TIMES);
}

/* Static TLS of x86-64: the initial image, right below the thread pointer, which points at itself. */
struct program_header {
    unsigned type, flags;
    unsigned long offset, address, physical, size, memory, align;
};

extern const char __ehdr_start[] __attribute__((visibility("hidden")));

static void set_up_tls(void) {
    const struct program_header *header = (const void *)(__ehdr_start + *(const unsigned long *)(__ehdr_start + 32));
    int left = *(const unsigned short *)(__ehdr_start + 56);
    for (; left; left--, header++) {
        unsigned long below, pointer;
        if (header->type != 7 /* PT_TLS */) continue;
        below = (header->memory + header->align - 1) & -header->align;
        pointer = ((unsigned long)map(4096 + below, MAP_PRIVATE) + below + 63) & -64UL;
        memcpy((char *)pointer - below, (const void *)header->address, header->size);
        *(unsigned long *)pointer = pointer;
        if (syscall(__NR_arch_prctl, 0x1002 /* ARCH_SET_FS */, pointer)) fail("ARCH_SET_FS", 0);
        return;
    }
    fail("no PT_TLS", 0);
}

static void tls(void) {
    int error, i, status;
    set_up_tls();
    error = worlds_register();
    if (error) fail("register", error);
    print_status("with TLS:");
    for (i = 0; i < CHILDREN; i++) {
        int child = fork();
        if (child == 0) {
            /* The kernel has registered the child as its parent. */
            if (i == 0) print_status("a child:");
            interrupt_often();
            exit(worlds_storm(words, CPUS, STRIDE, TIMES, &aborts[i]));
        }
        if (child < 0) fail("fork", child);
    }
    for (i = 0; i < CHILDREN; i++)
        if (wait(&status) < 0 || status) fail("a child", status);
    worlds_count(TIMES);
    error = worlds_release();
    if (error) fail("release", error);
    worlds_count(TIMES);
    print_status("released:");
    printf("counter %lu of %d\n", worlds_sum(), 2 * TIMES);
    if (worlds_sum() != 2 * TIMES) exit(1);
    expect_sum(CHILDREN * (unsigned long)TIMES);
}

int main(int argc, char **argv) {
    words = map(CPUS * STRIDE * sizeof *words, MAP_SHARED);
    aborts = map(4096, MAP_SHARED);
    if (argc == 2 && strcmp(argv[1], "bare") == 0) bare();
    else if (argc == 2 && strcmp(argv[1], "tls") == 0) tls();
    else fail("usage: nolibc bare|tls", argc);
    return 0;
}
