/* Attacks on what is kept of calls: stacks, return addresses, code. */
#include "hostile.h"

static void *const functions[] = {
	submit_bio, submit_bio_noacct_nocheck, bio_endio, do_init_module, free_module, wake_up_new_task, __x64_sys_read,
	schedule, __schedule, not_in_the_catalog,
};
#define FUNCTIONS (sizeof(functions) / sizeof(*functions))

/* Functions entered with a stack that is not there: their return faults. */
void forged_stacks(void)
{
	for (u64 at = 0; at < 20 * FUNCTIONS * wild_count; at++)
		jump_with_stack(functions[at % FUNCTIONS], wild[at / FUNCTIONS % wild_count], wild[at % wild_count]);
	/* Returns without a call, to functions that have a probe. */
	for (u64 at = 0; at < 20 * FUNCTIONS; at++) {
		u64 *stack = (u64 *)(arena + PAGE);

		stack[0] = (u64)functions[at % FUNCTIONS];
		stack[1] = (u64)functions[(at + 1) % FUNCTIONS];
		stack[2] = (u64)finish_jump;
		jump_with_stack(functions[at / 3 % FUNCTIONS], stack, 0);
	}
}

void deep_recursion(void)
{
	for (u64 depth = 100; depth <= 1000000; depth *= 10)
		jump_with_stack(blk_finish_plug, arena + sizeof(arena), (void *)depth);
}

/* The handler of a fault is entered without one. */
void forged_faults(void)
{
	for (u64 at = 0; at < 1000; at++) {
		u64 *stack = (u64 *)(arena + PAGE);

		for (int of = 0; of < 6; of++)
			stack[of] = number(at + of);
		jump_with_stack(asm_exc_page_fault, at % 2 ? stack : wild[at % wild_count], 0);
	}
}

void many_callers(void)
{
	u64 *stack = (u64 *)(arena + PAGE);

	/* In the image, where each has a name, and anywhere. */
	for (u64 at = 0; at < 4500000; at++) {
		*stack = at % 2 ? (u64)_text + at / 2 % 0x1000000 : number(at);
		enter(submit_bio, (u64)stack, 0);
	}
}

void many_stacks(void)
{
	for (u64 at = 0; at < 1000000; at++)
		enter(submit_bio, number(at) & ~7UL, 0);
}

/* Functions that have a probe are written anew each time before they are called. */
void changing_code(void)
{
	/* Single bytes, one of five, a push and a pop, a return. */
	static const u64 heads[] = { 0x9090909090909090, 0x9090900000441f0f, 0x9090905850905850, 0x90909090909090c3 };
	volatile u64 *code = (volatile u64 *)submit_bio;
	u64 before = *code;

	for (u64 at = 0; at < 20000; at++) {
		*code = heads[at % 4];
		submit_bio(0);
	}
	*code = before;
}

/* Code that is written and executed once; some of it in places of a module's functions. */
void new_code(void)
{
	u8 *code = arena + (1 << 20);

	for (u64 at = 0; at < 30000; at++) {
		u8 *place = code + at % 200 * 37 + at / 200 % PAGE;

		for (u64 of = 0; of < number(at) % 24; of++)
			place[of] = 0x90;
		/* cpuid, ret; or a read of memory and ret. */
		memcpy(place + number(at) % 24, at % 2 ? "\x31\xc0\x0f\xa2\xc3" : "\x48\x8b\x07\xc3", 5);
		asm volatile("call *%0" : : "r"(place), "D"(place) : "rax", "rbx", "rcx", "rdx", "memory");
	}
}
