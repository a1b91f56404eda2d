/* The files that are worked on, and memory to read into and to write from. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "truth.h"

void name_of(int file, char *name)
{
	const char *slash = strrchr(shared->file[file].path, '/');

	sprintf(name, "%.10s#%d", slash + 1, shared->file[file].generation);
}

static void identify(struct handle *handle)
{
	struct stat facts;

	if (handle->fd < 0 || fstat(handle->fd, &facts))
		return;
	handle->place.ino = facts.st_ino;
	handle->place.dev = major(facts.st_dev) << 20 | minor(facts.st_dev);
}

struct handle open_path(const char *path, int flags)
{
	struct handle handle = { .file = -1 };
	struct row *row = act("openat", SYS_openat, NULL, -1, -1, AT_FDCWD, (long)path, flags, 0644, 0, 0);
	const char *slash = strrchr(path, '/');

	handle.fd = row->result;
	snprintf(handle.place.file, sizeof(handle.place.file), "%.20s", slash && slash[1] ? slash + 1 : path);
	identify(&handle);
	row->place = handle.place;
	row->place.offset = -1;
	return handle;
}

struct handle open_file(int file, int flags)
{
	struct handle handle = open_path(shared->file[file].path, flags | (raw ? 0 : O_CREAT));
	struct row *row = &shared->row[shared->rows - 1];

	if (handle.fd < 0)
		fail(shared->file[file].path);
	handle.file = file;
	name_of(file, handle.place.file);
	memcpy(row->place.file, handle.place.file, sizeof(row->place.file));
	if (flags & O_TRUNC) {
		effect(row, TRUNCATED, file, 0, shared->file[file].size);
		shared->file[file].size = 0;
	}
	return handle;
}

void close_file(struct handle *handle)
{
	act("close", SYS_close, handle, -1, -1, handle->fd, 0, 0, 0, 0, 0);
}

struct handle no_file(int fd)
{
	struct handle handle = { .fd = fd, .file = -1 };

	return handle;
}

int any_file(void)
{
	return raw ? 0 : random_below(FILES);
}

int another_file(int file)
{
	return raw ? 0 : (file + 1 + random_below(FILES - 1)) % FILES;
}

/* An offset in a file, or up to `past` behind its end. */
int64_t some_offset(int file, int64_t past)
{
	int64_t end = shared->file[file].size + past;

	return random_below((end < LARGEST / 2 ? end : LARGEST / 2) + 1);
}

/* What was written up to there is in the file. */
void grow(const struct handle *on, int64_t size)
{
	struct file *file = &shared->file[on->file];

	if (!raw && file->size < size)
		file->size = size;
}

/* What follows from a call that writes: `flags` are those of the open file. */
void wrote(struct row *row, const struct handle *on, int flags, int64_t offset)
{
	int64_t end = offset + row->result;

	if (row->result <= 0 || on->file < 0)
		return;
	effect(row, flags & O_DIRECT ? DIRECT : WROTE, on->file, offset, end);
	if (flags & (O_SYNC | O_DSYNC) && !(flags & O_DIRECT))
		effect(row, FLUSHED, on->file, offset, end);
	grow(on, end);
}

void *buffer(void)
{
	static char *memory;

	if (!memory)
		memory = mmap(NULL, LARGEST, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		fail("memory");
	memset(memory, 'a' + random_below(26), LARGEST);
	return memory;
}

void *torn_buffer(size_t length)
{
	static char *memory;

	if (!memory)
		memory = mmap(NULL, LARGEST, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || mprotect(memory + LARGEST / 2, LARGEST / 2, PROT_NONE))
		fail("memory");
	memset(memory, 'T', LARGEST / 2);
	return memory + LARGEST / 2 - length;
}

/* Clean pages leave the page cache. */
void drop_caches(void)
{
	struct handle control = open_path("/proc/sys/vm/drop_caches", O_WRONLY);

	act("write", SYS_write, &control, 0, 2, control.fd, (long)"3\n", 2, 0, 0, 0);
	close_file(&control);
}
