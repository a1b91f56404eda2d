/* Operations that flush. */
#include <fcntl.h>
#include <unistd.h>
#include "truth.h"

static void flush_file(const char *call, long number)
{
	struct handle on = open_file(any_file(), O_RDWR);
	struct row *row = act(call, number, &on, -1, -1, on.fd, 0, 0, 0, 0, 0);

	if (!row->error)
		effect(row, FLUSHED, on.file, 0, ALL);
	close_file(&on);
}

static void run_fsync(void)
{
	flush_file("fsync", SYS_fsync);
}

static void run_fdatasync(void)
{
	flush_file("fdatasync", SYS_fdatasync);
}

static void run_sync_file_range(void)
{
	const unsigned whole = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
	struct handle on = open_file(any_file(), O_RDWR);
	unsigned flags = chance(60) ? whole : SYNC_FILE_RANGE_WRITE;
	int64_t at = some_offset(on.file, 0), length = 1 + random_below(40000);
	struct row *row = act("sync_file_range", SYS_sync_file_range, &on, at, length, on.fd, at, length, flags, 0, 0);

	if (!row->error && flags == whole)
		effect(row, FLUSHED, on.file, at, at + length);
	close_file(&on);
}

static void run_syncfs(void)
{
	struct handle on = open_file(any_file(), O_RDONLY);
	struct row *row = act("syncfs", SYS_syncfs, &on, -1, -1, on.fd, 0, 0, 0, 0, 0);

	if (!row->error)
		effect(row, SYNCED, -1, 0, ALL);
	close_file(&on);
}

static void run_sync(void)
{
	effect(act("sync", SYS_sync, NULL, -1, -1, 0, 0, 0, 0, 0, 0), SYNCED, -1, 0, ALL);
}

const struct operation sync_operations[] = {
	{ "fsync", run_fsync, 4, 1 },
	{ "fdatasync", run_fdatasync, 3, 1 },
	{ "sync_file_range", run_sync_file_range, 3, 1 },
	{ "syncfs", run_syncfs, 1, 0 },
	{ "sync", run_sync, 1, 1 },
	{ 0 },
};
