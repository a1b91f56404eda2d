/* What the attacks share: the structures of Linux that the plugin reads, as they are in 6.1 by name though not by
 * place, functions that have probes, and values that lead nowhere.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

#define DIRECT 0xffff888000000000UL
#define IMAGE 0xffffffff80000000UL
#define PAGE 4096UL
/* Registers of devices that count time, or are changed by a read. */
#define HPET (DIRECT + 0xfed000f0UL)
#define LOCAL_APIC (DIRECT + 0xfee00390UL)
#define IO_APIC (DIRECT + 0xfec00010UL)
#define VGA (DIRECT + 0xa0000UL)

struct list_head { struct list_head *next, *prev; };
struct super_block { u32 s_dev; };
struct inode { struct super_block *i_sb; u64 i_ino; };
struct address_space { struct inode *host; };
struct page { u64 flags, compound_head, unused; struct address_space *mapping; u64 index, rest[3]; };
struct bio_vec { struct page *bv_page; u32 bv_len, bv_offset; };
struct bvec_iter { u64 bi_sector; u32 bi_size, bi_idx, bi_bvec_done; };
struct gendisk { char disk_name[32]; };
struct block_device { u32 bd_dev; struct gendisk *bd_disk; u8 bd_partno; };
typedef struct { int counter; } atomic_t;
struct bio {
	struct bio *bi_next;
	struct block_device *bi_bdev;
	u32 bi_opf;
	u16 bi_flags;
	u8 bi_status;
	struct bvec_iter bi_iter;
	atomic_t __bi_remaining;
	void *bi_end_io, *bi_private;
	u16 bi_vcnt;
	struct bio_vec *bi_io_vec;
};
struct request {
	struct list_head queuelist;
	u64 __sector;
	u32 __data_len, cmd_flags, rq_flags;
	int tag;
	struct bio *bio, *biotail;
};
struct mod_kallsyms { void *symtab; u64 num_symtab; char *strtab; char *typetab; };
struct module { char name[56]; struct mod_kallsyms *kallsyms; };
struct mm_struct { int users; };
struct fdtable { u32 max_fds; void **fd; };
struct files_struct { struct fdtable *fdt; };
struct task_struct {
	int pid, tgid;
	char comm[16];
	struct mm_struct *mm;
	void *stack;
	struct files_struct *files;
};
struct pt_regs { u64 di, si, dx, r10, r8, r9; };
enum pageflags { PG_locked, PG_writeback = 15 };
enum bio_flags { BIO_TRACE_COMPLETION = 7, BIO_CHAIN = 4 };
enum req_op { REQ_OP_READ, REQ_OP_WRITE, REQ_OP_FLUSH };

struct symbol { u32 name; u8 info, other; u16 section; u64 value, size; };

void submit_bio(struct bio *);
void submit_bio_noacct(struct bio *);
void submit_bio_noacct_nocheck(struct bio *);
void bio_endio(struct bio *);
void bio_split(struct bio *);
void blk_mq_insert_requests(void *, void *, struct list_head *);
void blk_mq_start_request(struct request *);
void blk_mq_end_request(struct request *);
void blk_finish_plug(u64 depth);
void do_init_module(struct module *);
void free_module(struct module *);
void wake_up_new_task(struct task_struct *);
void __set_task_comm(struct task_struct *);
void __x64_sys_read(struct pt_regs *);
void __x64_sys_write(struct pt_regs *);
void schedule(void);
void __schedule(void);
void vfs_read(void *, void *, u64, void *);
void not_in_the_catalog(void);
void asm_exc_page_fault(void);

void jump_with_stack(void *function, void *stack, const void *argument);
void finish_jump(void);
extern u64 pml4[512], pd[4 * 512];
extern char _text[];

void *memset(void *, int, u64);
void *memcpy(void *, const void *, u64);

/* Pointers that lead nowhere, to where an access crosses into nowhere, or to where a read has effects. */
extern void *const wild[];
extern const unsigned int wild_count;

/* Memory that has nothing else in it: 16 MiB. */
extern u8 arena[16 << 20];

static inline u64 number(u64 at)
{
	u64 bits = (at + 1) * 0x9e3779b97f4a7c15UL;

	bits = (bits ^ bits >> 31) * 0xbf58476d1ce4e5b9UL;
	return bits ^ bits >> 29;
}

/* A function is entered with a stack that may be anywhere, and returns without a look at it. */
static inline void enter(void *function, u64 stack, const void *argument)
{
	asm volatile("lea 1f(%%rip), %%rax\n\tmov %%rax, back(%%rip)\n\tmov %%rsp, %%r12\n\tmov %1, %%rsp\n\tjmp *%0\n"
		     "1:\tmov %%r12, %%rsp\n\tmovq $0, back(%%rip)"
		     : : "r"(function), "r"(stack), "D"(argument) : "rax", "r12", "memory");
}

static inline void mark(u64 leaf, u64 code, u64 argument)
{
	asm volatile("cpuid" : "+a"(leaf), "+b"(code), "+c"(argument) : : "rdx", "memory");
}

static inline void flush(void)
{
	u64 root;

	asm volatile("mov %%cr3, %0\n\tmov %0, %%cr3" : "=r"(root) : : "memory");
}

static inline void set_gs_base(u64 base)
{
	asm volatile("wrmsr" : : "c"(0xc0000101), "a"((u32)base), "d"((u32)(base >> 32)));
}

void per_cpu_is_at(u64 base);

/* The attacks, by the file they are in. */
void forged_marks(void), wild_arguments(void), broken_bios(void), endless_lists(void), forged_tasks(void);
void wild_modules(void), endless_modules(void), many_modules(void), modules_over_the_image(void), many_functions(void);
void forged_stacks(void), many_callers(void), many_stacks(void), deep_recursion(void), forged_faults(void);
void changing_code(void), new_code(void);
void device_memory(void), looping_tables(void), moving_per_cpu_data(void), faulting_functions(void);

#endif
