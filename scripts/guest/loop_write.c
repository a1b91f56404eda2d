/* loop-write FILE COUNT INTERVAL: append a line of 59 bytes to FILE every INTERVAL seconds, COUNT
 * times: with a C library stream, flushed each time, and fsync every fifth time (from the first).
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char line[] = "Hello world I'm printing something here. Date = %10u\n";

static int failed(const char *doing)
{
	perror(doing);
	return 1;
}

int main(int argc, char **argv)
{
	struct stat file = {0};
	struct timespec pause;
	double interval;
	long count;
	FILE *stream;

	if (argc != 4) {
		fprintf(stderr, "usage: loop-write FILE COUNT INTERVAL\n");
		return 2;
	}
	count = atol(argv[2]);
	interval = atof(argv[3]);
	pause.tv_sec = (time_t)interval;
	pause.tv_nsec = (long)((interval - pause.tv_sec) * 1e9);

	/* a disk has no end to append to: begin at its start */
	stat(argv[1], &file);
	stream = fopen(argv[1], S_ISBLK(file.st_mode) ? "r+" : "at+");
	if (!stream)
		return failed("loop-write: fopen");
	for (long i = 0; i < count; i++) {
		if (fprintf(stream, line, (unsigned)time(NULL)) < 0)
			return failed("loop-write: fprintf");
		if (fflush(stream)) /* from the stream's buffer to the kernel */
			return failed("loop-write: fflush");
		if (i % 5 == 0 && fsync(fileno(stream))) /* from the kernel to the disk */
			return failed("loop-write: fsync");
		if (interval > 0)
			nanosleep(&pause, NULL);
	}
	return fclose(stream) ? failed("loop-write: fclose") : 0;
}
