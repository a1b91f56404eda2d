/* iotrace-mark begin|end|over|NUMBER: a mark that a tracer outside the guest can see.
 *
 * arch = "x86_64": the mark is one CPUID instruction with EAX = "iotr" (0x696f7472) and EBX = the mark's number
 * (1: the workload begins, 2: it ends, 3: the trace is over); the guest itself does not change by it.
 * With the last two, the guest's clock is printed: two recordings of a boot in which it is the same took the same way.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	unsigned int eax = 0x696f7472, ebx, ecx = 0, edx = 0;
	char *end = "";

	if (argc != 2) {
		fprintf(stderr, "usage: iotrace-mark begin|end|over|NUMBER\n");
		return 2;
	}
	if (!strcmp(argv[1], "begin"))
		ebx = 1;
	else if (!strcmp(argv[1], "end"))
		ebx = 2;
	else if (!strcmp(argv[1], "over"))
		ebx = 3;
	else
		ebx = strtoul(argv[1], &end, 0);
	if (*end) {
		fprintf(stderr, "iotrace-mark: '%s' is not a number\n", argv[1]);
		return 2;
	}
	unsigned int mark = ebx;
	asm volatile("cpuid" : "+a"(eax), "+b"(ebx), "+c"(ecx), "+d"(edx) : : "memory");
	if (mark == 2 || mark == 3) {
		asm volatile("rdtsc" : "=a"(eax), "=d"(edx));
		printf("iotrace: clock %" PRIu64 "\n", (uint64_t)edx << 32 | eax);
	}
	return 0;
}
