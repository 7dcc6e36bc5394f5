/* An indirect function, as target_clones makes them: a part in C that the runtime refuses. */

static int chosen(void)
{
	return 1;
}

static int (*choose(void))(void)
{
	return chosen;
}

int indirect(void) __attribute__((ifunc("choose")));

/* Without it, the compiler leaves out the call. */
static volatile int result;

__attribute__((constructor)) static void call(void)
{
	result = indirect();
}
