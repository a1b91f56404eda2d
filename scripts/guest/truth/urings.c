/* io_uring, without a library: a ring for each operation (man io_uring_enter). */
#include <fcntl.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>
#include "truth.h"

#define ENTRIES 4

struct ring {
	struct handle handle;
	struct io_uring_params facts;
	char *submission, *completion;
	struct io_uring_sqe *entries;
	unsigned queued;
	struct row *rows[ENTRIES];
};

static const char *const names[] = { "io_uring.read", "io_uring.write", "io_uring.readv", "io_uring.writev",
				     "io_uring.fsync" };
enum { READ, WRITE, READV, WRITEV, FSYNC };
static const int opcodes[] = { IORING_OP_READ, IORING_OP_WRITE, IORING_OP_READV, IORING_OP_WRITEV, IORING_OP_FSYNC };

static char *map(const struct ring *ring, size_t length, off_t at)
{
	char *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->handle.fd, at);

	if (memory == MAP_FAILED)
		fail("io_uring");
	return memory;
}

static int set_up(struct ring *ring)
{
	memset(ring, 0, sizeof(*ring));
	ring->handle = no_file(syscall(SYS_io_uring_setup, ENTRIES, &ring->facts));
	if (ring->handle.fd < 0)
		return 0;
	ring->submission = map(ring, ring->facts.sq_off.array + ENTRIES * sizeof(unsigned), IORING_OFF_SQ_RING);
	ring->completion = map(ring, ring->facts.cq_off.cqes + 2 * ENTRIES * sizeof(struct io_uring_cqe),
			       IORING_OFF_CQ_RING);
	ring->entries = (void *)map(ring, ENTRIES * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	return 1;
}

static void tear_down(struct ring *ring)
{
	munmap(ring->submission, ring->facts.sq_off.array + ENTRIES * sizeof(unsigned));
	munmap(ring->completion, ring->facts.cq_off.cqes + 2 * ENTRIES * sizeof(struct io_uring_cqe));
	munmap(ring->entries, ENTRIES * sizeof(struct io_uring_sqe));
	close_file(&ring->handle);
}

static void queue(struct ring *ring, int kind, const struct handle *on, int64_t at, void *memory, unsigned length,
		  int64_t bytes, int flags)
{
	unsigned number = ring->queued++;
	unsigned *array = (unsigned *)(ring->submission + ring->facts.sq_off.array);

	ring->entries[number] = (struct io_uring_sqe){
		.opcode = opcodes[kind], .flags = flags, .fd = on->fd, .off = kind == FSYNC ? 0 : at,
		.addr = (uintptr_t)memory, .len = length, .user_data = number,
	};
	array[number] = number;
	ring->rows[number] = begin_row(names[kind], CALL_URING + kind, on, at, bytes);
}

/* Submits all, and waits for all. */
static void submit(struct ring *ring)
{
	unsigned *tail = (unsigned *)(ring->submission + ring->facts.sq_off.tail);
	unsigned *head = (unsigned *)(ring->completion + ring->facts.cq_off.head);
	struct io_uring_cqe *done = (void *)(ring->completion + ring->facts.cq_off.cqes);

	__atomic_store_n(tail, ring->queued, __ATOMIC_RELEASE);
	act("io_uring_enter", SYS_io_uring_enter, &ring->handle, -1, -1, ring->handle.fd, ring->queued, ring->queued,
	    IORING_ENTER_GETEVENTS, 0, 0);
	for (unsigned i = 0; i < ring->queued; i++)
		end_row(ring->rows[done[i].user_data], done[i].res);
	__atomic_store_n(head, ring->queued, __ATOMIC_RELEASE);
}

static int direct_or_not(void)
{
	return chance(40) ? O_DIRECT : 0;
}

/* One entry, sometimes for a worker of the ring. */
static void one(int writing, int vector)
{
	int flags = direct_or_not(), kind = (writing ? WRITE : READ) + (vector ? READV - READ : 0);
	struct handle on = open_file(any_file(), O_RDWR | flags);
	int64_t at = some_offset(on.file, 0) / PAGE * PAGE, length = PAGE * (1 + random_below(4));
	struct iovec part = { buffer(), length };
	struct ring ring;

	if (set_up(&ring)) {
		queue(&ring, kind, &on, at, vector ? (void *)&part : part.iov_base, vector ? 1 : length, length,
		      chance(50) ? IOSQE_ASYNC : 0);
		submit(&ring);
		if (writing)
			wrote(ring.rows[0], &on, flags, at);
		tear_down(&ring);
	}
	close_file(&on);
}

static void run_read(void)
{
	one(0, 0);
}

static void run_write(void)
{
	one(1, 0);
}

static void run_readv(void)
{
	one(0, 1);
}

static void run_writev(void)
{
	one(1, 1);
}

/* A write, and when it has completed an fsync. */
static void run_linked(void)
{
	struct handle on = open_file(any_file(), O_RDWR);
	int64_t at = some_offset(on.file, 5000), length = 1 + random_below(15000);
	struct ring ring;

	if (set_up(&ring)) {
		queue(&ring, WRITE, &on, at, buffer(), length, length, IOSQE_IO_LINK);
		queue(&ring, FSYNC, &on, -1, NULL, 0, -1, 0);
		submit(&ring);
		wrote(ring.rows[0], &on, 0, at);
		if (!ring.rows[1]->error)
			effect(ring.rows[1], FLUSHED, on.file, 0, ALL);
		tear_down(&ring);
	}
	close_file(&on);
}

const struct operation uring_operations[] = {
	{ "io_uring-read", run_read, 2, 1 },
	{ "io_uring-write", run_write, 3, 1 },
	{ "io_uring-readv", run_readv, 1, 1 },
	{ "io_uring-writev", run_writev, 1, 1 },
	{ "io_uring-linked", run_linked, 2, 1 },
	{ 0 },
};
