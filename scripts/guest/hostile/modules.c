/* Attacks on what is read and kept of modules. */
#include "hostile.h"

#define MODULES 0xffffffffc0000000UL

static struct module *module = (void *)arena;
static struct mod_kallsyms *kallsyms = (void *)(arena + PAGE);
static struct symbol *symbols = (void *)(arena + 2 * PAGE);
static char *names = (char *)(arena + (8 << 20));

static void name_it(u64 what)
{
	for (int at = 0; at < 16; at++, what >>= 4)
		module->name[at] = "0123456789abcdef"[what & 15];
}

static void prepare(u64 count)
{
	memset(arena, 0, 2 * PAGE);
	module->kallsyms = kallsyms;
	*kallsyms = (struct mod_kallsyms){ symbols, count, names, names };
	name_it(count);
}

/* A function of a module: STT_FUNC in section 1. */
static struct symbol function(u64 name, u64 value, u64 size)
{
	return (struct symbol){ name, 2, 0, 1, value, size };
}

void wild_modules(void)
{
	for (unsigned int at = 0; at < wild_count; at++) {
		do_init_module(wild[at]);
		free_module(wild[at]);
		for (unsigned int part = 0; part < 4; part++) {
			prepare(16);
			if (part == 0)
				module->kallsyms = wild[at];
			else
				((void **)kallsyms)[part - 1] = wild[at];
			memset(module->name, 0xff - part, sizeof(module->name));
			do_init_module(module);
			free_module(module);
			free_module(module);
		}
	}
}

/* As many symbols as a number can say, of which each name is far from the last one. */
void endless_modules(void)
{
	u64 count = (6 << 20) / sizeof(*symbols);

	prepare(-1UL);
	for (u64 at = 0; at < count; at++)
		symbols[at] = function(number(at), MODULES + number(at) % 0x30000000, -1UL);
	for (int at = 0; at < 3; at++) {
		do_init_module(module);
		name_it(at);
	}
	/* The table is its own names. */
	kallsyms->strtab = (char *)symbols;
	do_init_module(module);
	free_module(module);
}

/* Modules whose functions lie in the image, around it, and over those of others; what has a probe is unloaded with them. */
void modules_over_the_image(void)
{
	static const u64 places[] = { 0, 0x10, 0x1000, 0x3f000000, 0x40000000, 0x7effffff };

	memcpy(names, "\0submit_bio\0bio_endio\0init_module", 33);
	for (u64 at = 0; at < 200; at++) {
		prepare(6);
		for (u64 of = 0; of < 6; of++)
			symbols[of] = function(of % 2 ? 1 : 12, IMAGE + places[(of + at) % 6], at % 3 ? 16 << 20 : 0);
		symbols[at % 6].value = (u64)submit_bio + at % 16;
		do_init_module(module);
		submit_bio(0);
		bio_endio(0);
		free_module(module);
	}
}

/* More functions than may be kept, each with the name of one that has a probe. */
void many_functions(void)
{
	u64 count = (6 << 20) / sizeof(*symbols);

	memcpy(names, "\0submit_bio", 12);
	for (u64 at = 0; at < count; at++)
		symbols[at] = function(1, MODULES + at * 16, 16);
	for (int at = 0; at < 4; at++) {
		prepare(count);
		name_it(at);
		do_init_module(module);
	}
}

/* More modules than may be kept, each of another name, and none of them unloaded. */
void many_modules(void)
{
	memcpy(names, "\0bio_endio", 11);
	for (u64 at = 0; at < 20000; at++) {
		prepare(1);
		symbols[0] = function(1, MODULES + at % 1000 * 64, 16);
		name_it(at);
		do_init_module(module);
		if (at % 5 == 0)
			free_module(module);
	}
}
