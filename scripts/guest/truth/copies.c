/* Operations with two files, or with a file and a pipe. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>
#include "truth.h"

static struct handle open_from(void)
{
	if (chance(30))
		drop_caches();
	return open_file(any_file(), O_RDONLY);
}

static void set_second(struct row *row, const struct handle *to, int64_t offset)
{
	row->second = to->place;
	row->second.offset = offset;
}

static void run_sendfile(void)
{
	struct handle from = open_from(), to = open_file(another_file(from.file), O_WRONLY);
	off_t at = some_offset(from.file, 0), start = at;
	int64_t length = 1 + random_below(40000);
	struct row *row = act("sendfile", SYS_sendfile, &from, start, length, to.fd, from.fd, (long)&at, length, 0, 0);

	set_second(row, &to, 0);
	wrote(row, &to, 0, 0);
	close_file(&to);
	close_file(&from);
}

/* Whether bytes of a file share their blocks with another one. */
static int is_shared(const struct handle *on, int64_t from, int64_t length)
{
	struct {
		struct fiemap head;
		struct fiemap_extent extent;
	} map = { .head = { .fm_start = from, .fm_length = length, .fm_extent_count = 1 } };
	struct row *row = act("ioctl", SYS_ioctl, on, -1, -1, on->fd, FS_IOC_FIEMAP, (long)&map, 0, 0, 0);

	return !row->result && map.head.fm_mapped_extents && map.extent.fe_flags & FIEMAP_EXTENT_SHARED;
}

static void copy_range(int64_t from_at, int64_t to_at, int64_t length)
{
	struct handle from = open_from(), to = open_file(another_file(from.file), O_WRONLY);
	off_t in = from_at, out = to_at;
	struct row *row = act("copy_file_range", SYS_copy_file_range, &from, from_at, length, from.fd, (long)&in, to.fd,
			      (long)&out, length, 0);

	set_second(row, &to, to_at);
	if (row->result > 0 && is_shared(&to, to_at, row->result)) {
		effect(row, CLONED, to.file, to_at, to_at + row->result);
		grow(&to, to_at + row->result);
	} else {
		wrote(row, &to, 0, to_at);
	}
	close_file(&to);
	close_file(&from);
}

static void run_copy_file_range(void)
{
	copy_range(random_below(30000), random_below(30000), 1 + random_below(20000));
}

/* Whole blocks: these can be shared. */
static void run_copy_blocks(void)
{
	copy_range(PAGE * random_below(8), PAGE * random_below(8), PAGE * (1 + random_below(4)));
}

/* Moves what is in a pipe into a file. */
static void splice_to_file(int pipe, int64_t length)
{
	struct handle to = open_file(any_file(), O_WRONLY);
	off_t out = some_offset(to.file, 0), at = out;

	wrote(act("splice", SYS_splice, &to, at, length, pipe, 0, to.fd, (long)&out, length, 0), &to, 0, at);
	close_file(&to);
}

static void run_splice(void)
{
	struct handle from = open_from();
	int64_t length = 1 + random_below(30000);
	off_t in = some_offset(from.file, 0), at = in;
	struct row *row;
	int ends[2];

	if (pipe(ends))
		fail("pipe");
	row = act("splice", SYS_splice, &from, at, length, from.fd, (long)&in, ends[1], 0, length, SPLICE_F_NONBLOCK);
	close_file(&from);
	if (row->result > 0)
		splice_to_file(ends[0], row->result);
	for (int end = 0; end < 2; end++) {
		struct handle closed = no_file(ends[end]);

		close_file(&closed);
	}
}

static void run_vmsplice(void)
{
	struct iovec part = { buffer(), 1 + random_below(20000) };
	struct row *row;
	int ends[2];

	if (pipe(ends))
		fail("pipe");
	row = act("vmsplice", SYS_vmsplice, NULL, -1, part.iov_len, ends[1], (long)&part, 1, 0, 0, 0);
	if (row->result > 0)
		splice_to_file(ends[0], row->result);
	for (int end = 0; end < 2; end++) {
		struct handle closed = no_file(ends[end]);

		close_file(&closed);
	}
}

const struct operation copy_operations[] = {
	{ "sendfile", run_sendfile, 3, 0 },
	{ "copy_file_range", run_copy_file_range, 2, 0 },
	{ "copy-blocks", run_copy_blocks, 2, 0 },
	{ "splice", run_splice, 2, 0 },
	{ "vmsplice", run_vmsplice, 1, 1 },
	{ 0 },
};
