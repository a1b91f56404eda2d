/* Operations that write. */
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/uio.h>
#include "truth.h"

static void write_at(const struct handle *on, int flags, int64_t at, int64_t length)
{
	wrote(act("pwrite", SYS_pwrite64, on, at, length, on->fd, (long)buffer(), length, at, 0, 0), on, flags, at);
}

static void run_pwrite(void)
{
	struct handle on = open_file(any_file(), O_WRONLY);

	write_at(&on, 0, some_offset(on.file, 20000), 1 + random_below(30000));
	close_file(&on);
}

/* A file of some pages, as there is none at first. */
static void run_large_pwrite(void)
{
	struct handle on = open_file(any_file(), O_WRONLY);

	write_at(&on, 0, 0, 65536 + random_below(65536));
	close_file(&on);
}

/* At the file's position: twice in a row. */
static void run_write(void)
{
	struct handle on = open_file(any_file(), O_WRONLY);
	int64_t at = 0;

	for (int i = 0; i < 2; i++) {
		int64_t length = 1 + random_below(9000);
		struct row *row = act("write", SYS_write, &on, at, length, on.fd, (long)buffer(), length, 0, 0, 0);

		wrote(row, &on, 0, at);
		at += row->result;
	}
	close_file(&on);
}

static void run_append(void)
{
	struct handle on = open_file(any_file(), O_WRONLY | O_APPEND);

	for (int i = 0; i < 2; i++) {
		int64_t at = shared->file[on.file].size, length = 1 + random_below(5000);

		wrote(act("write", SYS_write, &on, at, length, on.fd, (long)buffer(), length, 0, 0, 0), &on, 0, at);
	}
	close_file(&on);
}

static void run_writev(void)
{
	struct handle on = open_file(any_file(), O_WRONLY);
	char *memory = buffer();
	struct iovec parts[2] = { { memory, 1 + random_below(7000) }, { memory + 8000, 1 + random_below(7000) } };
	int64_t length = parts[0].iov_len + parts[1].iov_len, at = some_offset(on.file, 9000);

	wrote(act("writev", SYS_writev, &on, 0, length, on.fd, (long)parts, 2, 0, 0, 0), &on, 0, 0);
	wrote(act("pwritev", SYS_pwritev, &on, at, length, on.fd, (long)parts, 2, at, 0, 0), &on, 0, at);
	close_file(&on);
}

static void write_with(int flag, int implied)
{
	struct handle on = open_file(any_file(), O_WRONLY);
	struct iovec part = { buffer(), 1 + random_below(7000) };
	int64_t at = flag == RWF_APPEND ? shared->file[on.file].size : some_offset(on.file, 0);
	struct row *row = act("pwritev2", SYS_pwritev2, &on, at, part.iov_len, on.fd, (long)&part, 1, at, 0, flag);

	wrote(row, &on, implied, at);
	close_file(&on);
}

/* Where the call would write without the flag is the file's begin. */
static void run_pwritev2_append(void)
{
	struct handle on = open_file(any_file(), O_WRONLY);
	struct iovec part = { buffer(), 1 + random_below(7000) };
	int64_t at = shared->file[on.file].size;
	struct row *row = act("pwritev2", SYS_pwritev2, &on, at, part.iov_len, on.fd, (long)&part, 1, 0, 0, RWF_APPEND);

	wrote(row, &on, 0, at);
	close_file(&on);
}

static void run_pwritev2_dsync(void)
{
	write_with(RWF_DSYNC, O_DSYNC);
}

static void run_pwritev2_nowait(void)
{
	write_with(RWF_NOWAIT, 0);
}

static void run_synchronous(void)
{
	int flags = chance(50) ? O_SYNC : O_DSYNC;
	struct handle on = open_file(any_file(), O_WRONLY | flags);

	write_at(&on, flags, some_offset(on.file, 0), 1 + random_below(12000));
	close_file(&on);
}

static void run_direct_write(void)
{
	struct handle on = open_file(any_file(), O_WRONLY | O_DIRECT);

	write_at(&on, O_DIRECT, some_offset(on.file, 20000) / PAGE * PAGE, PAGE * (1 + random_below(8)));
	close_file(&on);
}

/* What can be read of the memory is written. */
static void run_torn_write(void)
{
	struct handle on = open_file(any_file(), O_WRONLY);
	int64_t at = some_offset(on.file, 0);

	wrote(act("pwrite", SYS_pwrite64, &on, at, 8192, on.fd, (long)torn_buffer(PAGE), 8192, at, 0, 0), &on, 0, at);
	close_file(&on);
}

const struct operation write_operations[] = {
	{ "large-pwrite", run_large_pwrite, 3, 1 },
	{ "pwrite", run_pwrite, 6, 1 },
	{ "write", run_write, 4, 1 },
	{ "append", run_append, 2, 0 },
	{ "writev", run_writev, 2, 1 },
	{ "pwritev2-append", run_pwritev2_append, 1, 0 },
	{ "pwritev2-dsync", run_pwritev2_dsync, 2, 1 },
	{ "pwritev2-nowait", run_pwritev2_nowait, 1, 1 },
	{ "synchronous", run_synchronous, 3, 1 },
	{ "direct-write", run_direct_write, 5, 1 },
	{ "torn-write", run_torn_write, 2, 1 },
	{ 0 },
};
