/* Operations that read, and that have data read ahead. */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include "truth.h"

static int64_t length_below(int64_t end)
{
	return 1 + random_below(end);
}

/* Sometimes what is read is not in the page cache. */
static struct handle open_to_read(int flags)
{
	struct handle on;

	if (chance(30))
		drop_caches();
	on = open_file(any_file(), flags | O_RDONLY);
	return on;
}

static void run_pread(void)
{
	struct handle on = open_to_read(0);
	int64_t at = some_offset(on.file, 5000), length = length_below(30000);

	act("pread", SYS_pread64, &on, at, length, on.fd, (long)buffer(), length, at, 0, 0);
	close_file(&on);
}

/* From the file's position, until its end at most. */
static void run_read(void)
{
	struct handle on = open_to_read(0);
	int64_t at = 0;

	for (int i = 0; i < 3; i++) {
		int64_t length = length_below(20000);
		struct row *row = act("read", SYS_read, &on, at, length, on.fd, (long)buffer(), length, 0, 0, 0);

		at += row->result;
	}
	close_file(&on);
}

static void run_read_at_end(void)
{
	struct handle on = open_to_read(0);
	int64_t at = shared->file[on.file].size;

	act("pread", SYS_pread64, &on, at, 4096, on.fd, (long)buffer(), 4096, at, 0, 0);
	close_file(&on);
}

static void run_readv(void)
{
	struct handle on = open_to_read(0);
	char *memory = buffer();
	struct iovec parts[2] = { { memory, length_below(9000) }, { memory + 10000, length_below(9000) } };
	int64_t length = parts[0].iov_len + parts[1].iov_len, at;
	struct row *row = act("readv", SYS_readv, &on, 0, length, on.fd, (long)parts, 2, 0, 0, 0);

	at = row->result;
	act("readv", SYS_readv, &on, at, length, on.fd, (long)parts, 2, 0, 0, 0);
	at = some_offset(on.file, 100);
	act("preadv", SYS_preadv, &on, at, length, on.fd, (long)parts, 2, at, 0, 0);
	close_file(&on);
}

static void run_preadv2_nowait(void)
{
	struct handle on = open_to_read(0);
	struct iovec part = { buffer(), 8192 };
	int64_t at = some_offset(on.file, 0);

	act("preadv2", SYS_preadv2, &on, at, 8192, on.fd, (long)&part, 1, at, 0, RWF_NOWAIT);
	act("preadv2", SYS_preadv2, &on, at, 8192, on.fd, (long)&part, 1, at, 0, 0);
	close_file(&on);
}

static void run_direct_read(void)
{
	struct handle on = open_to_read(O_DIRECT);
	int64_t at = some_offset(on.file, 0) / PAGE * PAGE, length = PAGE * length_below(8);

	act("pread", SYS_pread64, &on, at, length, on.fd, (long)buffer(), length, at, 0, 0);
	close_file(&on);
}

/* Half of the memory to read into is there. */
static void run_torn_read(void)
{
	struct handle on = open_to_read(0);

	act("pread", SYS_pread64, &on, 0, 8192, on.fd, (long)torn_buffer(PAGE), 8192, 0, 0, 0);
	close_file(&on);
}

static void run_readahead(void)
{
	struct handle on = open_to_read(0);
	int64_t at = some_offset(on.file, 0), length = length_below(60000);

	act("readahead", SYS_readahead, &on, at, length, on.fd, at, length, 0, 0, 0);
	close_file(&on);
}

static void run_fadvise(void)
{
	struct handle on = open_to_read(0);
	int64_t at = some_offset(on.file, 0), length = length_below(60000);
	int advice = chance(50) ? POSIX_FADV_WILLNEED : POSIX_FADV_DONTNEED;

	act("fadvise64", SYS_fadvise64, &on, at, length, on.fd, at, length, advice, 0, 0);
	close_file(&on);
}

const struct operation read_operations[] = {
	{ "pread", run_pread, 4, 1 },
	{ "read", run_read, 3, 1 },
	{ "read-at-end", run_read_at_end, 1, 0 },
	{ "readv", run_readv, 2, 1 },
	{ "preadv2-nowait", run_preadv2_nowait, 2, 1 },
	{ "direct-read", run_direct_read, 3, 1 },
	{ "torn-read", run_torn_read, 1, 1 },
	{ "readahead", run_readahead, 1, 1 },
	{ "fadvise", run_fadvise, 2, 1 },
	{ 0 },
};
