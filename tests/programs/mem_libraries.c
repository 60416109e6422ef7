/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_libraries.c - a library loaded at run time is used afterwards, and another one loaded */
#include <dlfcn.h>

#include "state.h"

int main(void)
{
	void *before = dlopen("libm.so.6", RTLD_NOW), *after;
	double (*cosine)(double);

	NEED(before);
	*(void **)&cosine = dlsym(before, "cos");
	NEED(cosine && cosine(0.0) == 1.0);
	hold();
	NEED(cosine(0.0) == 1.0 && dlsym(before, "sin"));
	after = dlopen("libresolv.so.2", RTLD_NOW);
	NEED(after && dlsym(after, "ns_name_ntop"));
	NEED(dlclose(before) == 0 && dlclose(after) == 0);
	return victim_end();
}
