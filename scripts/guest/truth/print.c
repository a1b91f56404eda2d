/* The table: lines of fields between tabs, which begin with "truth" so that they are found among other lines. */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "truth.h"

#define VERSION 1
#define EXTENTS 512

static void print_place(const struct place *place)
{
	if (place->file[0])
		printf("\t%s\t%" PRIu64 "\t%u:%u", place->file, place->ino, place->dev >> 20, place->dev & 0xfffff);
	else
		printf("\t-\t-\t-");
	place->offset < 0 ? printf("\t-") : printf("\t%" PRId64, place->offset);
}

static void print_effects(const struct row *row)
{
	printf("\t%s", row->effects[0].kind ? "" : "-");
	for (const struct effect *at = row->effects; at < row->effects + EFFECTS && at->kind; at++) {
		printf("%s%c:%s:%" PRId64 ":", at > row->effects ? " " : "", at->kind, at->file, at->from);
		at->to == ALL ? printf("-") : printf("%" PRId64, at->to);
	}
}

void print_rows(void)
{
	setvbuf(stdout, NULL, _IOFBF, 1 << 18); /* few writes of many lines */
	printf("truth\tversion\t%d\n", VERSION);
	printf("truth\tcolumns\tpid\tcomm\tcall\tordinal\tbegin\tend\tfile\tino\tdevice\toffset\tsecond_file\tsecond_ino\t"
	       "second_device\tsecond_offset\tlength\tresult\terrno\teffects\n");
	for (struct row *row = shared->row; row < shared->row + shared->rows; row++) {
		printf("truth\trow\t%d\t%s\t%s\t%d\t%" PRIu64 "\t%" PRIu64, row->pid, row->comm, row->call, row->ordinal,
		       row->begin, row->end);
		print_place(&row->place);
		print_place(&row->second);
		row->length < 0 ? printf("\t-") : printf("\t%" PRId64, row->length);
		printf("\t%" PRId64 "\t%d", row->result, row->error);
		print_effects(row);
		printf("\n");
	}
	printf("truth\trows\t%d\n", shared->rows);
}

/* Where a file's bytes are on the disk of its file system (Documentation/filesystems/fiemap.rst). */
static void print_file(int file)
{
	static struct {
		struct fiemap head;
		struct fiemap_extent extents[EXTENTS];
	} map;
	int fd = open(shared->file[file].path, O_RDONLY);
	char name[24];

	if (fd < 0)
		return;
	name_of(file, name);
	map.head = (struct fiemap){ .fm_length = FIEMAP_MAX_OFFSET, .fm_extent_count = EXTENTS };
	if (!ioctl(fd, FS_IOC_FIEMAP, &map))
		for (unsigned at = 0; at < map.head.fm_mapped_extents; at++) {
			const struct fiemap_extent *extent = &map.extents[at];

			printf("truth\textent\t%s\t%llu\t%llu\t%llu\t0x%x\n", name,
			       (unsigned long long)extent->fe_logical, (unsigned long long)extent->fe_physical,
			       (unsigned long long)extent->fe_length, extent->fe_flags);
		}
	close(fd);
}

void print_extents(void)
{
	for (int file = 0; file < FILES && !raw; file++)
		print_file(file);
	printf("truth\tend\n");
}
