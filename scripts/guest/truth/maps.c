/* Operations on mapped files. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include "truth.h"

static char *map(const struct handle *on, int protection)
{
	struct row *row = act("mmap", SYS_mmap, on, 0, LARGEST, 0, LARGEST, protection, MAP_SHARED, on->fd, 0);

	return row->error ? NULL : (char *)row->result;
}

static void unmap(const struct handle *on, char *memory)
{
	act("munmap", SYS_munmap, on, -1, LARGEST, (long)memory, LARGEST, 0, 0, 0, 0);
}

/* Bytes written through a mapping; pages of them are flushed. */
static void run_store(void)
{
	struct handle on = open_file(any_file(), O_RDWR);
	int64_t size = shared->file[on.file].size, from, length;
	char *memory = map(&on, PROT_READ | PROT_WRITE);

	if (memory && size) {
		struct row *row;

		from = random_below(size);
		length = 1 + random_below(size - from < 9000 ? size - from : 9000);
		row = begin_row("store", CALL_STORE, &on, from, length);
		memset(memory + from, 'M', length);
		end_row(row, length);
		effect(row, STORED, on.file, from, from + length);
		if (chance(70)) {
			int64_t first = from / PAGE * PAGE, end = from + length;

			row = act("msync", SYS_msync, &on, first, end - first, (long)memory + first, end - first,
				  MS_SYNC, 0, 0, 0);
			if (!row->error)
				effect(row, FLUSHED, on.file, first, end);
		}
	}
	if (memory)
		unmap(&on, memory);
	close_file(&on);
}

/* Pages that are not in the page cache are read when they are touched. */
static void run_fault(void)
{
	struct handle on;
	volatile char *memory;
	int64_t size;

	drop_caches();
	on = open_file(any_file(), O_RDONLY);
	size = shared->file[on.file].size;
	memory = map(&on, PROT_READ);
	for (int i = 0; memory && size && i < 3; i++) {
		int64_t at = random_below(size);
		struct row *row = begin_row("fault", CALL_FAULT, &on, at, 1);

		(void)memory[at];
		end_row(row, 0);
	}
	if (memory)
		unmap(&on, (char *)memory);
	close_file(&on);
}

static void run_madvise(void)
{
	struct handle on;
	int64_t from, length;
	char *memory;

	drop_caches();
	on = open_file(any_file(), O_RDONLY);
	from = some_offset(on.file, 0) / PAGE * PAGE;
	length = PAGE * (1 + random_below(8));
	memory = map(&on, PROT_READ);
	if (memory) {
		act("madvise", SYS_madvise, &on, from, length, (long)memory + from, length, MADV_WILLNEED, 0, 0, 0);
		unmap(&on, memory);
	}
	close_file(&on);
}

const struct operation map_operations[] = {
	{ "store", run_store, 4, 1 },
	{ "fault", run_fault, 2, 1 },
	{ "madvise", run_madvise, 1, 1 },
	{ 0 },
};
