/* iotrace-receive NAME: wait until the machine offers a file of this name, and write it to standard output.
 *
 * The file is one of QEMU's firmware configuration device (docs/specs/fw_cfg.rst: selector port 0x510, data port
 * 0x511, directory under the key 0x19). Its contents are not part of a snapshot of the machine: a guest that is
 * waiting here when the snapshot is made gets another file each time that the snapshot is loaded. The program does
 * not sleep between two looks: the moment at which a sleeper wakes up would depend on the host. An offer of a single
 * byte is none.
 *
 * A file is read page by page by the device's DMA (address port 0x514), for which the kernel tells the pages' physical
 * addresses (Documentation/admin-guide/mm/pagemap.rst); where it does not, byte by byte through the data port.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <unistd.h>

#define SELECTOR 0x510
#define DATA 0x511
#define DMA 0x514
#define DIRECTORY 0x19
#define DMA_ERROR 1
#define DMA_READ 2
#define PAGE 4096

struct entry {
	uint32_t size;
	uint16_t key;
	uint16_t reserved;
	char name[56];
};

static void read_data(void *to, size_t length)
{
	asm volatile("rep insb" : "+D"(to), "+c"(length) : "d"(DATA) : "memory");
}

/* The entry of a file; 0 if it is not in the directory. */
static int find(const char *name, struct entry *entry)
{
	uint32_t count;

	outw(DIRECTORY, SELECTOR);
	read_data(&count, sizeof(count));
	for (count = ntohl(count); count; count--) {
		read_data(entry, sizeof(*entry));
		if (!strncmp(entry->name, name, sizeof(entry->name)))
			return 1;
	}
	return 0;
}

struct access {
	uint32_t control;
	uint32_t length;
	uint64_t address;
};

/* The physical address of a page that was touched; 0 if the kernel does not tell. */
static uint64_t physical(int pagemap, const void *page)
{
	uint64_t entry;

	if (pread(pagemap, &entry, sizeof(entry), (uintptr_t)page / PAGE * sizeof(entry)) != sizeof(entry))
		return 0;
	return (entry & ((1ULL << 55) - 1)) * PAGE;
}

/* Writes what the selected file has left by DMA: 0 if that is possible. */
static int copy_by_dma(size_t length)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY);
	char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);
	volatile struct access *access = (void *)pages;
	uint64_t command, buffer;

	if (pagemap < 0 || pages == MAP_FAILED)
		return 1;
	command = physical(pagemap, pages);
	buffer = physical(pagemap, pages + PAGE);
	if (!command || !buffer)
		return 1;
	while (length) {
		size_t part = length < PAGE ? length : PAGE;

		access->control = htobe32(DMA_READ);
		access->length = htobe32(part);
		access->address = htobe64(buffer);
		outl(htobe32(command >> 32), DMA);
		outl(htobe32((uint32_t)command), DMA + 4);
		if (access->control & htobe32(DMA_ERROR))
			return 1;
		if (fwrite(pages + PAGE, 1, part, stdout) != part)
			exit(1);
		length -= part;
	}
	return 0;
}

static int copy_by_bytes(size_t length)
{
	static char page[PAGE];

	while (length) {
		size_t part = length < PAGE ? length : PAGE;

		read_data(page, part);
		if (fwrite(page, 1, part, stdout) != part)
			return 1;
		length -= part;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct entry entry;

	if (argc != 2) {
		fprintf(stderr, "usage: iotrace-receive NAME\n");
		return 2;
	}
	if (iopl(3)) {
		perror("iotrace-receive: iopl");
		return 1;
	}
	while (!find(argv[1], &entry) || ntohl(entry.size) <= 1)
		;
	outw(ntohs(entry.key), SELECTOR);
	if (copy_by_dma(ntohl(entry.size)) && copy_by_bytes(ntohl(entry.size)))
		return 1;
	return fflush(stdout) != 0;
}
