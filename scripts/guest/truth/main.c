/* truth TARGET SEED COUNT: make COUNT operations, each with its file, offset, length and result known, and print them.
 *
 * TARGET is a folder, or a disk. Several tasks take turns: an operation begins when the one before it has returned.
 */
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "truth.h"

struct shared *shared;
int raw;

static const struct operation *const groups[] = {
	read_operations, write_operations, copy_operations, map_operations, sync_operations, space_operations,
	name_operations, uring_operations, aio_operations, error_operations, exec_operations,
};
static const struct operation *choices[128]; /* each as often as it weighs, the first time in their order */
static int choice_count, kinds;

static void add_choices(int every)
{
	for (size_t group = 0; group < sizeof(groups) / sizeof(*groups); group++)
		for (const struct operation *at = groups[group]; at->name; at++)
			for (int i = 0; i < (every ? 1 : at->weight - 1) && (!raw || at->on_disk); i++)
				choices[choice_count++] = at;
}

/* Every operation occurs: the first ones are all of them, in an order that follows from the seed. */
static const struct operation *choose(uint64_t seed, int number)
{
	static int order[sizeof(choices) / sizeof(*choices)];

	if (number >= kinds)
		return choices[random_below(choice_count)];
	random_begin(seed, 0);
	for (int i = 0; i < kinds; i++) {
		int at = random_below(i + 1);

		order[i] = order[at];
		order[at] = i;
	}
	random_begin(seed, number + 1);
	return choices[order[number]];
}

static void take_turns(int task, uint64_t seed, int count)
{
	char name[16];

	snprintf(name, sizeof(name), "truth-%c", 'a' + task);
	begin_task(name);
	for (int number = 0; number < count; number++) {
		const struct operation *operation;

		random_begin(seed, number + 1);
		operation = choose(seed, number);
		if ((int)random_below(TASKS) != task)
			continue;
		for (int turn; (turn = __atomic_load_n(&shared->turn, __ATOMIC_ACQUIRE)) != number;)
			syscall(SYS_futex, &shared->turn, FUTEX_WAIT, turn, NULL, NULL, 0);
		operation->run();
		__atomic_store_n(&shared->turn, number + 1, __ATOMIC_RELEASE);
		syscall(SYS_futex, &shared->turn, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
	}
}

static int run_tasks(uint64_t seed, int count)
{
	int failed = 0, status;
	pid_t children[TASKS];

	for (int task = 0; task < TASKS; task++) {
		children[task] = fork();
		if (children[task] < 0)
			fail("fork");
		if (!children[task]) {
			take_turns(task, seed, count);
			_exit(0);
		}
	}
	for (int task = 0; task < TASKS; task++)
		if (wait(&status) > 0 && status && !failed) {
			failed = 1; /* the others would wait for its turn */
			for (int other = 0; other < TASKS; other++)
				kill(children[other], SIGKILL);
		}
	return failed;
}

int main(int argc, char **argv)
{
	struct stat facts;
	uint64_t seed;
	int count;

	if (argc != 4 || stat(argv[1], &facts)) {
		fprintf(stderr, "usage: truth FOLDER|DISK SEED COUNT\n");
		return 2;
	}
	raw = S_ISBLK(facts.st_mode);
	seed = strtoull(argv[2], NULL, 0);
	count = atoi(argv[3]);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		fail("memory");
	for (int file = 0; file < FILES; file++) {
		if (raw)
			snprintf(shared->file[file].path, sizeof(shared->file[file].path), "%s", argv[1]);
		else
			snprintf(shared->file[file].path, sizeof(shared->file[file].path), "%s/f%d", argv[1], file);
		shared->file[file].size = raw ? LARGEST : 0;
	}
	add_choices(1);
	kinds = choice_count;
	add_choices(0);
	if (run_tasks(seed, count))
		return 1;
	sync();
	print_rows();
	print_extents();
	return 0;
}
