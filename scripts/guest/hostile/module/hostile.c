// SPDX-License-Identifier: GPL-2.0
/* A module that attacks what traces its kernel, and is not kept: loading it fails with ECANCELED.
 *
 * Functions that have probes are patched to return at once, entered with forged arguments, stacks and return addresses,
 * and restored; interrupts are off meanwhile, so that nothing else enters them.
 */
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

static void *wild[] = {
	(void *)0, (void *)1, (void *)-1UL, (void *)-8UL, (void *)0x7fffffffffffffffUL, (void *)0x8000000000000000UL,
	(void *)0x0000800000000000UL, (void *)0xffff7fffffffffffUL, (void *)0xffff800000000000UL, (void *)0xffffffff80000000UL,
	(void *)0xffffffffff5ff000UL, /* the local APIC, APIC_BASE */
};

static const char *const names[] = {
	"do_init_module", "free_module", "wake_up_new_task", "__set_task_comm", "submit_bio", "submit_bio_noacct_nocheck",
	"submit_bio_noacct", "bio_endio", "blk_mq_sched_insert_requests", "blk_mq_start_request", "__x64_sys_read",
	"__x64_sys_write", "vfs_read", "schedule", "__schedule", "scsi_dispatch_cmd",
};

static void *functions[ARRAY_SIZE(names)];
static struct module *forged;
static struct mod_kallsyms *kallsyms;
static Elf64_Sym *symbols;
static char *strings;
#define SYMBOLS 20000

/* Where a patched function goes, and where the code that entered it goes on. */
void *hostile_back;
asm(".pushsection .text\n.globl hostile_return\nhostile_return:\n\tjmp *hostile_back(%rip)\n.popsection");
extern char hostile_return[];

static u64 number(u64 at)
{
	u64 bits = (at + 1) * 0x9e3779b97f4a7c15UL;

	bits = (bits ^ bits >> 31) * 0xbf58476d1ce4e5b9UL;
	return bits ^ bits >> 29;
}

static noinline void enter(void *function, u64 stack, const void *argument)
{
	asm volatile("lea 1f(%%rip), %%rax\n\tmov %%rax, hostile_back(%%rip)\n\tmov %%rsp, %%r12\n\tmov %1, %%rsp\n\tjmp *%0\n"
		     "1:\tmov %%r12, %%rsp"
		     : : "r"(function), "r"(stack), "D"(argument), "S"(argument), "d"(argument) : "rax", "r12", "memory");
}

static void write_text(void *to, const void *from, int length)
{
	unsigned long cr0;

	asm volatile("mov %%cr0, %0" : "=r"(cr0));
	asm volatile("mov %0, %%cr0" : : "r"(cr0 & ~(1UL << 16)) : "memory");
	memcpy(to, from, length);
	asm volatile("mov %0, %%cr0" : : "r"(cr0) : "memory");
}

static void forge(u64 at)
{
	static const char *const called[] = { "submit_bio", "scsi_dispatch_cmd", "init_module", "" };
	int part;

	memset(forged, 0, sizeof(*forged));
	snprintf(forged->name, sizeof(forged->name), "\x1b[31m%llx\xff", at);
	forged->kallsyms = kallsyms;
	*kallsyms = (struct mod_kallsyms){ symbols, at % 7 ? 64 : -1, strings, strings };
	for (part = 0; part < SYMBOLS; part++)
		symbols[part] = (Elf64_Sym){ at % 5 ? 1 + part % 4 * 32 : number(part), 2, 0, 1 + part % 3,
					     0xffffffff81000000UL + (at % 2 ? number(part) % 0x40000000 : part * 16), number(at) % (16 << 20) };
	for (part = 0; part < 4; part++)
		strcpy(strings + 1 + part * 32, called[part]);
	if (at % 11 == 0)
		((void **)kallsyms)[at % 3] = wild[at % ARRAY_SIZE(wild)];
	if (at % 13 == 0)
		forged->kallsyms = wild[at % ARRAY_SIZE(wild)];
}

static void attack(void *function, u64 rounds)
{
	u64 stack[4], at;

	for (at = 0; at < rounds; at++) {
		stack[0] = at % 2 ? number(at) : (u64)functions[at % ARRAY_SIZE(names)] + at % 64;
		enter(function, (u64)stack, wild[at % ARRAY_SIZE(wild)]);
		enter(function, at % 3 ? number(at) & ~7UL : (u64)wild[at % ARRAY_SIZE(wild)], (void *)number(at));
	}
}

static void attack_all(void)
{
	/* jmp *0(%rip), and the address. */
	u8 jump[14] = { 0xff, 0x25 }, saved[14];
	u64 of, at, flags;

	*(void **)(jump + 6) = hostile_return;
	for (of = 0; of < ARRAY_SIZE(names); of++) {
		if (!functions[of])
			continue;
		local_irq_save(flags);
		memcpy(saved, functions[of], sizeof(saved));
		for (at = 0; at < 5; at++) {
			write_text(functions[of], jump, sizeof(jump));
			attack(functions[of], at ? 50 : 20000);
			if (of < 2)
				for (u64 load = 0; load < 100; load++) {
					forge(at * 100 + load);
					enter(functions[of], (u64)wild[load % ARRAY_SIZE(wild)], forged);
				}
			write_text(functions[of], saved, sizeof(saved));
		}
		local_irq_restore(flags);
	}
	for (at = 0; at < 100000; at++) {
		u32 leaf = 0x696f7472, code = at % 2 ? 4 + number(at) % 1000 : 0, argument = number(at), none;

		asm volatile("cpuid" : "+a"(leaf), "+b"(code), "+c"(argument), "=d"(none));
	}
}

static int __init start(void)
{
	struct kprobe probe = { .symbol_name = "kallsyms_lookup_name" };
	unsigned long (*lookup)(const char *);
	int at;

	if (register_kprobe(&probe))
		return -EINVAL;
	lookup = (void *)probe.addr;
	unregister_kprobe(&probe);
	for (at = 0; at < ARRAY_SIZE(names); at++)
		functions[at] = (void *)lookup(names[at]);
	forged = vzalloc(sizeof(*forged));
	kallsyms = vzalloc(PAGE_SIZE);
	symbols = vzalloc(SYMBOLS * sizeof(*symbols));
	strings = vzalloc(1 << 20);
	if (forged && kallsyms && symbols && strings)
		attack_all();
	vfree(strings);
	vfree(symbols);
	vfree(kallsyms);
	vfree(forged);
	pr_info("hostile: over\n");
	return -ECANCELED;
}
module_init(start);
MODULE_LICENSE("GPL");
