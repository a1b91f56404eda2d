/* Making system calls, and keeping a row of each. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "truth.h"

static int made[CALLS]; /* by this task, by number */
static char task[16];

void fail(const char *doing)
{
	fprintf(stderr, "truth: %s: %s\n", doing, strerror(errno));
	_exit(1);
}

void begin_task(const char *comm)
{
	memset(made, 0, sizeof(made));
	snprintf(task, sizeof(task), "%s", comm);
	prctl(PR_SET_NAME, task);
}

uint64_t now(void)
{
	uint32_t low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

struct row *begin_row(const char *call, int number, const struct handle *on, int64_t offset, int64_t length)
{
	struct row *row = &shared->row[shared->rows];

	if (++shared->rows >= ROWS) {
		errno = ENOSPC;
		fail("too many rows: a smaller count is needed");
	}
	memset(row, 0, sizeof(*row));
	row->pid = getpid();
	memcpy(row->comm, task, sizeof(task));
	row->call = call;
	row->ordinal = made[number]++;
	if (on)
		row->place = on->place;
	row->place.offset = offset;
	row->second.offset = -1;
	row->length = length;
	row->begin = now();
	return row;
}

/* `result` as the kernel returns it. */
void end_row(struct row *row, long result)
{
	row->end = now();
	row->error = result < 0 && result > -4096 ? -result : 0;
	row->result = row->error ? -1 : result;
}

struct row *act(const char *call, long number, const struct handle *on, int64_t offset, int64_t length, long a, long b,
		long c, long d, long e, long f)
{
	struct row *row = begin_row(call, number, on, offset, length);
	long result = syscall(number, a, b, c, d, e, f);

	end_row(row, result == -1 ? -errno : result);
	return row;
}

void effect(struct row *row, enum effect_kind kind, int file, int64_t from, int64_t to)
{
	struct effect *at = row->effects;

	while (at->kind)
		at++;
	at->kind = kind;
	if (file >= 0)
		name_of(file, at->file);
	at->from = from;
	at->to = to;
}
