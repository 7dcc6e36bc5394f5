/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Loads the library into a namespace in which it is alone with the libraries that it needs. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>

int main(void)
{
	void *library = dlmopen(LM_ID_NEWLM, "librseq.so.0", RTLD_NOW);
	bool (*available)(unsigned int) = NULL;

	if (library)
		*(void **) &available = dlsym(library, "rseq_available");
	if (!available) {
		printf("%s\n", dlerror());
		return 1;
	}
	/* Neither is an error: the kernel may have no rseq. */
	(void) available(0);
	return available(2);
}
