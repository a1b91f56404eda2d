/* A guest that attacks what traces it: it has a kernel's symbols and types, and none of its habits.
 *
 * It says on the debug console (port 0xe9) which attack it begins, and resets the processor by a triple fault at
 * the end. Built by build; run by tests/hostile.rs.
 */
#include "hostile.h"

const char linux_banner[] = "Linux version 6.1.0-hostile (none) #1\n";

void *const wild[] = {
	(void *)0, (void *)1, (void *)-1UL, (void *)-8UL, (void *)0x7fffffffffffffffUL, (void *)0x8000000000000000UL,
	(void *)0x0000800000000000UL, (void *)0xffff7fffffffffffUL, (void *)0xffff800000000000UL, (void *)0xffffc90000000000UL,
	/* The last bytes that are mapped. */
	(void *)(DIRECT + 0xffffffffUL), (void *)(IMAGE + 0x3ffffff9UL), (void *)0xfffffff9UL,
	/* No memory and no device. */
	(void *)(DIRECT + 0xc0000000UL), (void *)(DIRECT + 0x80000000UL),
};
const unsigned int wild_count = sizeof(wild) / sizeof(*wild);

u8 arena[16 << 20] __attribute__((aligned(4096)));
static struct { struct gate { u16 low, selector, flags, high; u32 highest, none; } gates[32]; } idt;
static u8 per_cpu[4096] __attribute__((aligned(4096)));

void *memset(void *to, int byte, u64 count)
{
	for (u8 *at = to; count--; at++)
		*at = byte;
	return to;
}

void *memcpy(void *to, const void *from, u64 count)
{
	for (u64 at = 0; at < count; at++)
		((u8 *)to)[at] = ((const u8 *)from)[at];
	return to;
}

static void print(const char *text)
{
	for (; *text; text++)
		asm volatile("outb %0, %1" : : "a"(*text), "Nd"((u16)0xe9));
}

void per_cpu_is_at(u64 base)
{
	set_gs_base(base ? base : (u64)per_cpu);
}

static void handle_exceptions(void)
{
	extern void asm_exc_general_protection(void), stack_fault(void), other_exception(void);
	struct { u16 limit; u64 base; } __attribute__((packed)) pointer = { sizeof(idt) - 1, (u64)&idt };

	for (int at = 0; at < 32; at++) {
		void *to = at == 14 ? asm_exc_page_fault : at == 12 ? stack_fault :
			   at == 8 || at == 10 || at == 11 || at == 13 ? asm_exc_general_protection : other_exception;
		u64 address = (u64)to;

		/* An interrupt gate with a stack of its own. */
		idt.gates[at] = (struct gate){ address, 8, 0x8e01, address >> 16, address >> 32, 0 };
	}
	asm volatile("lidt %0" : : "m"(pointer));
}

static const struct { const char *name; void (*run)(void); } attacks[] = {
#define ATTACK(name) { #name, name }
	ATTACK(forged_marks), ATTACK(wild_arguments), ATTACK(broken_bios), ATTACK(endless_lists), ATTACK(forged_tasks),
	ATTACK(forged_stacks), ATTACK(deep_recursion), ATTACK(forged_faults), ATTACK(faulting_functions),
	ATTACK(looping_tables), ATTACK(moving_per_cpu_data), ATTACK(device_memory), ATTACK(changing_code), ATTACK(new_code),
	ATTACK(many_stacks), ATTACK(many_callers), ATTACK(modules_over_the_image), ATTACK(many_functions),
	ATTACK(many_modules), ATTACK(wild_modules), ATTACK(endless_modules),
};

void main(void)
{
	static struct task_struct task = { 1, 1, "hostile", 0, per_cpu, 0 };

	handle_exceptions();
	/* A wild jump is not to find code at low addresses. */
	pml4[0] = 0;
	flush();
	per_cpu_is_at(0);
	*(struct task_struct **)(per_cpu + 0x40) = &task;
	for (u64 at = 0; at < sizeof(attacks) / sizeof(*attacks); at++) {
		print(attacks[at].name);
		print("\n");
		attacks[at].run();
	}
	print("over\n");
}
