/* truth: a workload whose every file operation is known. What its parts share.
 *
 * Several tasks take turns in one order of operations that follows from a seed. Each system call that has to do with files
 * is made through `act_*` or `made` (act.c), which count it and keep a row of it in memory that all tasks share; at the end
 * the first task prints the rows (print.c). Offsets and lengths are bytes; times are nanoseconds of the TSC, which in a
 * guest under QEMU's icount is the virtual clock.
 */
#ifndef TRUTH_H
#define TRUTH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>

#define PAGE 4096
#define FILES 6
#define TASKS 3
#define ROWS 16384
#define EFFECTS 2
#define LARGEST (256 << 10) /* of a file, and of the part of a raw disk that is used */
#define ALL INT64_MAX	    /* the end of every file */

/* Numbers of what is not a system call, behind those that are. */
enum { CALL_STORE = 600, CALL_FAULT, CALL_URING, CALL_AIO = CALL_URING + 8, CALLS = CALL_AIO + 8 };

/* What an operation changes or flushes. */
enum effect_kind {
	NOTHING,
	WROTE = 'w',	 /* bytes in the page cache */
	DIRECT = 'd',	 /* bytes on the disk, past the page cache */
	STORED = 's',	 /* bytes through a mapping */
	ZEROED = 'z',	 /* bytes are zero or a hole from now on */
	TRUNCATED = 't', /* from the new to the old length */
	COLLAPSED = 'c', /* bytes are removed, what is behind them moves down */
	UNLINKED = 'u',
	CLONED = 'l', /* bytes share blocks with another file's */
	FLUSHED = 'f', /* pages of these bytes are on the disk at the return */
	SYNCED = 'S', /* all pages of the file system are */
};

struct effect {
	char kind;
	char file[24]; /* as in `struct place` */
	int64_t from, to;
};

/* A file, and where in it. Another file of the same name has another name here: "f2#1". */
struct place {
	char file[24];
	uint64_t ino;
	uint32_t dev; /* major << 20 | minor */
	int64_t offset; /* -1: none */
};

struct row {
	int pid;
	char comm[16];
	const char *call;
	int ordinal; /* from 0, of the task's calls of this name */
	uint64_t begin, end;
	struct place place, second;
	int64_t length; /* -1: none */
	int64_t result;
	int error;
	struct effect effects[EFFECTS];
};

struct file {
	char path[24];
	int generation;
	int64_t size;
};

struct shared {
	int turn; /* the operation that is to be made now: a futex */
	int rows;
	struct row row[ROWS];
	struct file file[FILES];
};

/* An open file. */
struct handle {
	int fd;
	int file; /* index; -1: none of ours */
	struct place place; /* without an offset */
};

extern struct shared *shared;
extern int raw; /* the only file is the disk */

/* random.c: every operation has a seed of its own. */
void random_begin(uint64_t seed, uint64_t number);
uint64_t random_below(uint64_t end);
int chance(unsigned percent);

/* act.c */
void begin_task(const char *comm); /* in a new task */
struct row *act(const char *call, long number, const struct handle *on, int64_t offset, int64_t length, long a, long b,
		long c, long d, long e, long f);
struct row *begin_row(const char *call, int number, const struct handle *on, int64_t offset, int64_t length);
void end_row(struct row *row, long result);
void effect(struct row *row, enum effect_kind kind, int file, int64_t from, int64_t to);
void wrote(struct row *row, const struct handle *on, int flags, int64_t offset);
uint64_t now(void);
void fail(const char *doing) __attribute__((noreturn));

/* files.c */
void name_of(int file, char *name);
struct handle open_file(int file, int flags);
struct handle open_path(const char *path, int flags);
void close_file(struct handle *handle);
struct handle no_file(int fd);
int any_file(void);
int another_file(int file);
int64_t some_offset(int file, int64_t past);
void grow(const struct handle *on, int64_t size);
void *buffer(void); /* LARGEST bytes, at a page's begin, filled anew */
void *torn_buffer(size_t length); /* so many bytes can be read, those behind them cannot */
void drop_caches(void);

/* Operations, by what they are about. */
struct operation {
	const char *name;
	void (*run)(void);
	int weight;
	int on_disk; /* makes sense on a raw disk too */
};
extern const struct operation read_operations[], write_operations[], copy_operations[], map_operations[],
	sync_operations[], space_operations[], name_operations[], uring_operations[], aio_operations[],
	error_operations[], exec_operations[];

/* print.c */
void print_rows(void);
void print_extents(void);

#endif
