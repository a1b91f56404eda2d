/* iotrace-tick HERTZ: have the guest interrupted so often, until the program is killed.
 *
 * In QEMU's record mode an idle guest sees the interrupt of a disk not before its next timer
 * interrupt: with its own tick of 4 ms alone, each I/O that the guest waits for takes 4 ms. The
 * real-time clock's periodic interrupt (a kernel timer; no task wakes up for it) makes that finer.
 */
#include <fcntl.h>
#include <linux/rtc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int clock;

	if (argc != 2) {
		fprintf(stderr, "usage: iotrace-tick HERTZ\n");
		return 2;
	}
	clock = open("/dev/rtc0", O_RDONLY);
	if (clock < 0 || ioctl(clock, RTC_IRQP_SET, strtoul(argv[1], NULL, 0)) || ioctl(clock, RTC_PIE_ON, 0)) {
		perror("iotrace-tick: /dev/rtc0");
		return 1;
	}
	for (;;)
		pause();
}
