/* Linux's own asynchronous I/O (man io_submit), without a library. */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include "truth.h"

#define ENTRIES 3

struct batch {
	struct iocb blocks[ENTRIES], *list[ENTRIES];
	struct row *rows[ENTRIES];
	int count;
};

static const char *const names[] = { "aio.pread", "aio.pwrite", "aio.fsync", "aio.preadv", "aio.pwritev" };
enum { PREAD, PWRITE, FSYNC, PREADV, PWRITEV };
static const int opcodes[] = { IOCB_CMD_PREAD, IOCB_CMD_PWRITE, IOCB_CMD_FSYNC, IOCB_CMD_PREADV, IOCB_CMD_PWRITEV };

static void add(struct batch *batch, int kind, const struct handle *on, int64_t at, void *memory, uint64_t length,
		int64_t bytes)
{
	int number = batch->count++;

	batch->blocks[number] = (struct iocb){
		.aio_data = number, .aio_lio_opcode = opcodes[kind], .aio_fildes = on->fd,
		.aio_buf = (uintptr_t)memory, .aio_nbytes = length, .aio_offset = at < 0 ? 0 : at,
	};
	batch->list[number] = &batch->blocks[number];
	batch->rows[number] = begin_row(names[kind], CALL_AIO + kind, on, at, bytes);
}

static void submit(struct batch *batch)
{
	aio_context_t context = 0;
	struct io_event events[ENTRIES];

	if (syscall(SYS_io_setup, ENTRIES, &context))
		fail("io_setup");
	act("io_submit", SYS_io_submit, NULL, -1, -1, context, batch->count, (long)batch->list, 0, 0, 0);
	act("io_getevents", SYS_io_getevents, NULL, -1, -1, context, batch->count, batch->count, (long)events, 0, 0);
	for (int i = 0; i < batch->count; i++)
		end_row(batch->rows[events[i].data], events[i].res);
	syscall(SYS_io_destroy, context);
}

/* Two writes and a read that do not overlap, at the same time. */
static void run_direct(void)
{
	struct handle on = open_file(any_file(), O_RDWR | O_DIRECT);
	char *memory = buffer();
	int64_t at = some_offset(on.file, 0) / PAGE * PAGE;
	struct iovec part = { memory + 8 * PAGE, 2 * PAGE };
	struct batch batch = { .count = 0 };

	add(&batch, PWRITE, &on, at, memory, 2 * PAGE, 2 * PAGE);
	add(&batch, PWRITEV, &on, at + 4 * PAGE, &part, 1, 2 * PAGE);
	add(&batch, PREAD, &on, at + 8 * PAGE, memory + 16 * PAGE, PAGE, PAGE);
	submit(&batch);
	wrote(batch.rows[0], &on, O_DIRECT, at);
	wrote(batch.rows[1], &on, O_DIRECT, at + 4 * PAGE);
	close_file(&on);
}

static void run_buffered(void)
{
	struct handle on = open_file(any_file(), O_RDWR);
	char *memory = buffer();
	int64_t at = some_offset(on.file, 3000), length = 1 + random_below(9000);
	struct iovec part = { memory + 20000, 5000 };
	struct batch batch = { .count = 0 };

	add(&batch, PWRITE, &on, at, memory, length, length);
	add(&batch, PREADV, &on, 0, &part, 1, 5000);
	submit(&batch);
	wrote(batch.rows[0], &on, 0, at);
	close_file(&on);
}

static void run_fsync(void)
{
	struct handle on = open_file(any_file(), O_RDWR);
	struct batch batch = { .count = 0 };

	add(&batch, FSYNC, &on, -1, NULL, 0, -1);
	submit(&batch);
	if (!batch.rows[0]->error)
		effect(batch.rows[0], FLUSHED, on.file, 0, ALL);
	close_file(&on);
}

const struct operation aio_operations[] = {
	{ "aio-direct", run_direct, 2, 1 },
	{ "aio-buffered", run_buffered, 1, 1 },
	{ "aio-fsync", run_fsync, 1, 1 },
	{ 0 },
};
