/* What C code asks of a runtime: constructors, and a stack canary. */

static int order;
int constructed_first, constructed_second, constructor_argc;
const char *constructor_name;

__attribute__((constructor(101))) static void first(int argc, char **argv)
{
	constructed_first = ++order;
	constructor_argc = argc;
	constructor_name = argv[0];
}

__attribute__((constructor)) static void second(void)
{
	constructed_second = ++order;
}

/* An address that the linker assigns below 0 in a static-pie. */
char array[16];
char *below = array - 0x10000000;

/* The canary that functions of this thread are protected by. */
unsigned long canary(void)
{
	unsigned long value;

	__asm__ ("mov %%fs:0x28, %0" : "=r" (value));
	return value;
}

/* Writes `length` bytes to an array of 16. */
int overflow(int length)
{
	volatile char bytes[16];

	for (int index = 0; index < length; index++)
		bytes[index] = 'a';
	return bytes[0];
}
