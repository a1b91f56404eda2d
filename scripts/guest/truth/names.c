/* Operations on names of files. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "truth.h"

/* Bytes that may not have reached the disk go with the file; the next one is likely to get its inode. */
static void run_unlink(void)
{
	int file = any_file();
	struct handle on = open_file(file, O_WRONLY);
	const char *path = shared->file[file].path;
	int64_t length = 1 + random_below(20000);
	struct row *row;

	wrote(act("pwrite", SYS_pwrite64, &on, 0, length, on.fd, (long)buffer(), length, 0, 0, 0), &on, 0, 0);
	close_file(&on);
	row = act("unlink", SYS_unlink, &on, -1, -1, (long)path, 0, 0, 0, 0, 0);
	if (row->error)
		return;
	effect(row, UNLINKED, file, 0, ALL);
	shared->file[file].generation++;
	shared->file[file].size = 0;
	on = open_file(file, O_RDWR);
	wrote(act("pwrite", SYS_pwrite64, &on, 0, length, on.fd, (long)buffer(), length, 0, 0, 0), &on, 0, 0);
	close_file(&on);
}

/* Away, and back: the file is the same. */
static void run_rename(void)
{
	struct handle on = open_file(any_file(), O_RDONLY);
	const char *path = shared->file[on.file].path;
	char other[40];

	snprintf(other, sizeof(other), "%s.x", path);
	act("rename", SYS_rename, &on, -1, -1, (long)path, (long)other, 0, 0, 0, 0);
	act("rename", SYS_rename, &on, -1, -1, (long)other, (long)path, 0, 0, 0, 0);
	close_file(&on);
}

static void run_mkdir(void)
{
	char path[48];

	snprintf(path, sizeof(path), "%s.%d", shared->file[0].path, shared->rows);
	act("mkdir", SYS_mkdir, NULL, -1, -1, (long)path, 0755, 0, 0, 0, 0);
}

const struct operation name_operations[] = {
	{ "unlink", run_unlink, 3, 0 },
	{ "rename", run_rename, 1, 0 },
	{ "mkdir", run_mkdir, 1, 0 },
	{ 0 },
};
