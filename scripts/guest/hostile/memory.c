/* Attacks on how guest memory is read: page tables, devices in place of memory, the base of the per-CPU data. */
#include "hostile.h"

#define PRESENT 3UL
#define LARGE 0x83UL

static void read_at(u64 address)
{
	submit_bio((void *)address);
	submit_bio_noacct_nocheck((void *)address);
	bio_endio((void *)address);
	do_init_module((void *)address);
	free_module((void *)address);
	blk_mq_insert_requests(0, 0, (void *)address);
	__x64_sys_read((void *)address);
	enter(submit_bio, address, (void *)address);
}

/* Tables that are their own entries, have bits that must be 0, or lead to where no memory is. */
void looping_tables(void)
{
	static const u64 entries[] = { 0x1000, 0xfed00000, 0xfee00000, 0xa0000, 0xffffffffff000, 0x7fffffffff000, 0xfffff000 };
	u64 root = (u64)pml4 - IMAGE;
	u64 *table = (u64 *)arena;

	for (int at = 300; at < 304; at++)
		pml4[at] = root | PRESENT;
	memset(table, 0, PAGE);
	pml4[310] = ((u64)table - IMAGE) | PRESENT;
	for (int at = 0; at < 512; at++)
		table[at] = ((u64)table - IMAGE) | PRESENT;
	for (int at = 0; at < 7; at++)
		pml4[320 + at] = entries[at] | PRESENT | 1UL << 63 | (u64)at << 52;
	flush();
	for (u64 top = 300; top < 328; top++)
		for (u64 at = 0; at < 32; at++)
			read_at(0xffff000000000000 | top << 39 | (at & 1 ? 300UL << 30 : 0) | (at & 2 ? 310UL << 21 : 0) |
				(at & 4 ? 511UL << 12 : 0) | (at & 8 ? 0xff9 : 0));
	for (int at = 300; at < 328; at++)
		pml4[at] = 0;
	flush();
}

/* The per-CPU data lies where it cannot be read, where a read has effects, elsewhere each time, and behind an address
 * that leads elsewhere.
 */
void moving_per_cpu_data(void)
{
	u64 *entry = &pd[3 * 512 + 300];
	u64 before = *entry;
	u64 window = DIRECT + 3 * (1UL << 30) + 300 * (2UL << 20);

	for (unsigned int at = 0; at < wild_count; at++) {
		if ((long)((u64)wild[at] << 16) >> 16 != (long)wild[at])
			continue;
		per_cpu_is_at((u64)wild[at]);
		for (int of = 0; of < 100; of++)
			submit_bio(0);
	}
	for (u64 at = 0; at < 100000; at++) {
		per_cpu_is_at((u64)arena + number(at) % (8 << 20));
		submit_bio(0);
	}
	per_cpu_is_at(window);
	for (u64 at = 0; at < 2000; at++) {
		*entry = at % 4 ? ((u64)arena - IMAGE + (at % 4 << 21)) | LARGE : 0;
		flush();
		submit_bio(0);
		submit_bio(0);
	}
	*entry = before;
	flush();
	per_cpu_is_at(0);
}

void faulting_functions(void)
{
	for (u64 at = 0; at < 100 * wild_count; at++)
		jump_with_stack(bio_split, arena + PAGE, wild[at % wild_count]);
	/* Code that is not there. */
	for (u64 at = 0; at < 100 * wild_count; at++)
		if ((u64)wild[at % wild_count] - DIRECT > 0xffffffffUL && (u64)wild[at % wild_count] > 0xffffffffUL)
			jump_with_stack(wild[at % wild_count], arena + PAGE, 0);
}

/* Registers of devices in place of objects, and of per-CPU data. */
void device_memory(void)
{
	static const u64 places[] = { VGA, IO_APIC, LOCAL_APIC, HPET };

	for (u64 at = 0; at < sizeof(places) / sizeof(*places); at++) {
		read_at(places[at]);
		per_cpu_is_at(places[at] & ~0xfffUL);
		for (int of = 0; of < 100; of++)
			submit_bio(0);
		per_cpu_is_at(0);
	}
}
