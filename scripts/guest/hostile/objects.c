/* Attacks on what is read of arguments: marks, bios, requests, tasks, system calls. */
#include "hostile.h"

void forged_marks(void)
{
	/* The end of the trace is no attack. */
	static const u64 codes[] = { 0, 1, 1, 2, 2, 2, 1, 4, -1UL, 0xffffffff00000001UL, 0x8000000000000000UL };

	for (u64 at = 0; at < 4096; at++)
		for (u64 code = 0; code < sizeof(codes) / sizeof(*codes); code++)
			mark(0x696f7472UL | at << 32, codes[code], number(at));
}

void wild_arguments(void)
{
	for (unsigned int at = 0; at < wild_count; at++) {
		void *pointer = wild[at];

		submit_bio(pointer);
		submit_bio_noacct(pointer);
		submit_bio_noacct_nocheck(pointer);
		bio_endio(pointer);
		blk_mq_insert_requests(pointer, pointer, pointer);
		blk_mq_start_request(pointer);
		blk_mq_end_request(pointer);
		__x64_sys_read(pointer);
		__x64_sys_write(pointer);
		vfs_read(pointer, pointer, -1UL, pointer);
	}
}

void broken_bios(void)
{
	struct bio *bio = (void *)arena;
	struct bio_vec *vectors = (void *)(arena + PAGE);
	struct page *page = (void *)(arena + 2 * PAGE);
	struct address_space *mapping = (void *)(arena + 3 * PAGE);
	struct inode *inode = (void *)(arena + 4 * PAGE);
	struct super_block *super = (void *)(arena + 5 * PAGE);

	memset(arena, 0, 64 * PAGE);
	mapping->host = inode;
	*inode = (struct inode){ super, 131 };
	for (u64 at = 0; at < 1000; at++) {
		void *pointer = wild[at % wild_count];

		*bio = (struct bio){ .bi_bdev = pointer, .bi_opf = number(at), .bi_flags = number(at) >> 32,
				     .bi_iter = { number(at), -1, at & 1 ? 0 : -1, at & 2 ? 0 : -1 },
				     .bi_io_vec = at & 4 ? pointer : vectors, .bi_vcnt = -1 };
		for (u64 of = 0; of < PAGE / sizeof(*vectors); of++)
			vectors[of] = (struct bio_vec){ at & 8 ? page : pointer, -1, at & 16 ? 0 : -1 };
		for (u64 of = 0; of < PAGE / sizeof(*page); of++)
			/* Heads that are their own tails, and one another's. */
			page[of] = (struct page){ number(at), (u64)(page + number(of) % 64) | 1, 0,
						  at & 32 ? mapping : pointer, number(at), { 0 } };
		submit_bio_noacct_nocheck(bio);
		submit_bio(bio);
		bio_endio(bio);
	}
}

void endless_lists(void)
{
	struct list_head *head = (void *)arena, *first = (void *)(arena + PAGE), *second = (void *)(arena + 2 * PAGE);

	/* A list that does not come back to its head, one that is its own end, one that leads nowhere. */
	head->next = first;
	first->next = second;
	second->next = first;
	for (int at = 0; at < 20; at++)
		blk_mq_insert_requests(0, 0, head);
	first->next = first;
	blk_mq_insert_requests(0, 0, head);
	for (unsigned int at = 0; at < wild_count; at++) {
		first->next = wild[at];
		blk_mq_insert_requests(0, 0, head);
	}
}

void forged_tasks(void)
{
	u64 *current = (u64 *)(arena + 0x40);

	memset(arena, 0xff, 1 << 20);
	per_cpu_is_at((u64)arena);
	for (u64 at = 0; at < 100000; at++) {
		struct task_struct *task = (void *)(arena + PAGE + at % 60000 * 16);

		*current = at % 3 ? (u64)task : number(at);
		task->pid = number(at);
		wake_up_new_task((void *)*current);
		__set_task_comm(at % 2 ? task : wild[at % wild_count]);
		schedule();
		((u32 *)arena)[0x48 / 4] = number(at);
		submit_bio((void *)*current);
	}
	per_cpu_is_at(0);
}
