/* direct-io FILE write|read seq|rand BLOCK COUNT: O_DIRECT writes or reads of BLOCK bytes each, one
 * after the other, or at random places within the same COUNT blocks (the same ones in every run).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	unsigned long seed = 12345;
	int writing, scattered, fd;
	size_t block;
	long count;
	void *data;

	if (argc != 6) {
		fprintf(stderr, "usage: direct-io FILE write|read seq|rand BLOCK COUNT\n");
		return 2;
	}
	writing = !strcmp(argv[2], "write");
	scattered = !strcmp(argv[3], "rand");
	block = strtoul(argv[4], NULL, 0);
	count = atol(argv[5]);

	fd = open(argv[1], O_RDWR | O_CREAT | O_DIRECT, 0644);
	if (fd < 0) {
		perror("direct-io: open");
		return 1;
	}
	if (posix_memalign(&data, 4096, block)) {
		fprintf(stderr, "direct-io: no memory for a block of %zu bytes\n", block);
		return 1;
	}
	memset(data, 'd', block);
	for (long i = 0; i < count; i++) {
		off_t at;
		ssize_t done;

		seed = seed * 6364136223846793005UL + 1442695040888963407UL;
		at = (off_t)(scattered ? (seed >> 33) % count : i) * block;
		done = writing ? pwrite(fd, data, block, at) : pread(fd, data, block, at);
		if (done != (ssize_t)block) {
			perror(writing ? "direct-io: pwrite" : "direct-io: pread");
			return 1;
		}
	}
	return close(fd) ? 1 : 0;
}
