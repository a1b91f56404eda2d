/* iotrace-spin: use the CPU whenever no other task does, until the program is killed.
 *
 * In QEMU's record mode the clock of an idle guest follows the host's; that of a guest that computes follows from the
 * instructions it executes. With this program in it, a guest that waits for a timer does so for the same time in each
 * recording. As a task of SCHED_IDLE it yields to any other at once.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>

int main(void)
{
	const struct sched_param lowest = { 0 };

	if (sched_setscheduler(0, SCHED_IDLE, &lowest)) {
		perror("iotrace-spin: sched_setscheduler");
		return 1;
	}
	for (;;)
		asm volatile("");
}
