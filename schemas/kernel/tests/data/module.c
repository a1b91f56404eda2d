/* Stands for a module in the tests: defines what kernel.c only declares. See build.sh. */
#include "kernel.c"

struct host {
	int number;
	struct bio *bio;
};

static const char __attribute__((section(".modinfo"), used)) name[] = "name=tiny_host";
static const char __attribute__((section(".modinfo"), used)) depends[] = "depends=scsi_mod,raid-class";

int __attribute__((section(".init.text"))) probe(struct host *host)
{
	return host->number + submit(host->bio);
}
