/* Operations on the room that files take. */
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include "truth.h"

static struct row *allocate(const struct handle *on, int mode, int64_t at, int64_t length)
{
	return act("fallocate", SYS_fallocate, on, at, length, on->fd, mode, at, length, 0, 0);
}

static void run_fallocate(void)
{
	struct handle on = open_file(any_file(), O_RDWR);
	int64_t at = some_offset(on.file, 20000), length = 1 + random_below(40000);
	int keep = chance(50);

	if (!allocate(&on, keep ? FALLOC_FL_KEEP_SIZE : 0, at, length)->error && !keep)
		grow(&on, at + length);
	close_file(&on);
}

static void zero(int mode)
{
	struct handle on = open_file(any_file(), O_RDWR);
	int64_t at = some_offset(on.file, 0), length = 1 + random_below(20000);
	struct row *row = allocate(&on, mode | FALLOC_FL_KEEP_SIZE, at, length);

	if (!row->error)
		effect(row, ZEROED, on.file, at, at + length);
	close_file(&on);
}

static void run_punch(void)
{
	zero(FALLOC_FL_PUNCH_HOLE);
}

static void run_zero(void)
{
	zero(FALLOC_FL_ZERO_RANGE);
}

/* Whole blocks, of which some are left behind them. */
static void run_collapse(void)
{
	struct handle on = open_file(any_file(), O_RDWR);
	int64_t pages = shared->file[on.file].size / PAGE, at, length;

	if (pages > 2) {
		struct row *row;

		at = PAGE * random_below(pages - 1);
		length = PAGE * (1 + random_below(pages - at / PAGE > 4 ? 3 : 1));
		row = allocate(&on, FALLOC_FL_COLLAPSE_RANGE, at, length);
		if (!row->error) {
			effect(row, COLLAPSED, on.file, at, at + length);
			shared->file[on.file].size -= length;
		}
	}
	close_file(&on);
}

static void shorten(struct row *row, int file, int64_t size)
{
	if (row->error)
		return;
	if (size < shared->file[file].size)
		effect(row, TRUNCATED, file, size, shared->file[file].size);
	shared->file[file].size = size;
}

static void run_ftruncate(void)
{
	struct handle on = open_file(any_file(), O_RDWR);
	int64_t size = some_offset(on.file, 4000);

	shorten(act("ftruncate", SYS_ftruncate, &on, -1, size, on.fd, size, 0, 0, 0, 0), on.file, size);
	close_file(&on);
}

static void run_truncate(void)
{
	struct handle on = open_file(any_file(), O_RDONLY);
	int64_t size = some_offset(on.file, 0);
	const char *path = shared->file[on.file].path;

	shorten(act("truncate", SYS_truncate, &on, -1, size, (long)path, size, 0, 0, 0, 0), on.file, size);
	close_file(&on);
}

static void run_fitrim(void)
{
	struct handle on = open_file(any_file(), O_RDONLY);
	struct fstrim_range range = { .len = UINT64_MAX };

	act("ioctl", SYS_ioctl, &on, -1, -1, on.fd, FITRIM, (long)&range, 0, 0, 0);
	close_file(&on);
}

static void run_fiemap(void)
{
	struct handle on = open_file(any_file(), O_RDONLY);
	struct fiemap map = { .fm_length = FIEMAP_MAX_OFFSET, .fm_flags = chance(30) ? FIEMAP_FLAG_SYNC : 0 };
	struct row *row = act("ioctl", SYS_ioctl, &on, -1, -1, on.fd, FS_IOC_FIEMAP, (long)&map, 0, 0, 0);

	if (!row->error && map.fm_flags & FIEMAP_FLAG_SYNC)
		effect(row, FLUSHED, on.file, 0, ALL);
	close_file(&on);
}

const struct operation space_operations[] = {
	{ "fallocate", run_fallocate, 2, 0 },
	{ "punch", run_punch, 2, 0 },
	{ "zero", run_zero, 2, 0 },
	{ "collapse", run_collapse, 2, 0 },
	{ "ftruncate", run_ftruncate, 2, 0 },
	{ "truncate", run_truncate, 1, 0 },
	{ "fitrim", run_fitrim, 1, 0 },
	{ "fiemap", run_fiemap, 1, 0 },
	{ 0 },
};
