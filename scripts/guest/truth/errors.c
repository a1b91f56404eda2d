/* Operations that fail. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include "truth.h"

#define NOT_OPEN 777

static void run_ebadf(void)
{
	struct handle nothing = no_file(NOT_OPEN);

	act("pread", SYS_pread64, &nothing, 0, 100, NOT_OPEN, (long)buffer(), 100, 0, 0, 0);
	act("write", SYS_write, &nothing, -1, 100, NOT_OPEN, (long)buffer(), 100, 0, 0, 0);
	act("fsync", SYS_fsync, &nothing, -1, -1, NOT_OPEN, 0, 0, 0, 0, 0);
}

/* Open for reading only. */
static void run_not_writable(void)
{
	struct handle on = open_file(any_file(), O_RDONLY);

	act("pwrite", SYS_pwrite64, &on, 4096, 100, on.fd, (long)buffer(), 100, 4096, 0, 0);
	close_file(&on);
}

/* Neither the offset nor the memory are aligned; a file system may take it nonetheless. */
static void run_unaligned(void)
{
	struct handle on = open_file(any_file(), O_RDWR | O_DIRECT);
	struct row *row = act("pwrite", SYS_pwrite64, &on, 17, 1000, on.fd, (long)buffer() + 3, 1000, 17, 0, 0);

	wrote(row, &on, 0, 17);
	act("pread", SYS_pread64, &on, 17, 1000, on.fd, (long)buffer() + 3, 1000, 17, 0, 0);
	close_file(&on);
}

static void run_efault(void)
{
	struct handle on = open_file(any_file(), O_RDWR);

	act("pwrite", SYS_pwrite64, &on, 100, 5000, on.fd, (long)torn_buffer(0), 5000, 100, 0, 0);
	act("pread", SYS_pread64, &on, 0, 5000, on.fd, (long)torn_buffer(0), 5000, 0, 0, 0);
	close_file(&on);
}

static void run_negative(void)
{
	struct handle on = open_file(any_file(), O_RDWR);

	act("pread", SYS_pread64, &on, -1, 100, on.fd, (long)buffer(), 100, -5, 0, 0);
	close_file(&on);
}

static void run_eisdir(void)
{
	char path[32];
	struct handle on;

	strcpy(path, shared->file[0].path);
	strrchr(path, '/')[1] = 0;
	on = open_path(path, O_RDONLY | O_DIRECTORY);
	act("read", SYS_read, &on, 0, 100, on.fd, (long)buffer(), 100, 0, 0, 0);
	close_file(&on);
}

const struct operation error_operations[] = {
	{ "ebadf", run_ebadf, 1, 1 },
	{ "not-writable", run_not_writable, 1, 1 },
	{ "unaligned", run_unaligned, 1, 1 },
	{ "efault", run_efault, 1, 1 },
	{ "negative", run_negative, 1, 1 },
	{ "eisdir", run_eisdir, 1, 0 },
	{ 0 },
};
