/* A system call under two names, of which the table of them declares one with another type, see build.sh: as up to 4.16
   (include/linux/syscalls.h: SYSCALL_DEFINEx, arch/x86/kernel/syscall_64.c). */
#ifdef TABLE
extern void sys_f(void);
void (*const table[])(void) = { sys_f };
#else
long SyS_f(long number) { return number + 1; }
asm(".global sys_f\n.type sys_f, @function\nsys_f = SyS_f\n");
#endif
