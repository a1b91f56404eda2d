/* A program that is read from the disk when it is executed. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "truth.h"

#define ADDRESS 0x400000
#define PROGRAM_PAGES 12
#define CODE_PAGE 9
#define STATUS 7

/* A program whose code is in one of its last pages, and ends it with a status. */
static void write_program(const struct handle *on)
{
	/* mov $STATUS, %edi; mov $SYS_exit, %eax; syscall */
	static const unsigned char code[] = { 0xbf, STATUS, 0, 0, 0, 0xb8, SYS_exit, 0, 0, 0, 0x0f, 0x05 };
	char *memory = buffer();
	Elf64_Ehdr head = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
		.e_entry = ADDRESS + CODE_PAGE * PAGE, .e_phoff = sizeof(head), .e_ehsize = sizeof(head),
		.e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 1,
	};
	Elf64_Phdr part = {
		.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = ADDRESS, .p_filesz = PROGRAM_PAGES * PAGE,
		.p_memsz = PROGRAM_PAGES * PAGE, .p_align = PAGE,
	};

	memcpy(memory, &head, sizeof(head));
	memcpy(memory + sizeof(head), &part, sizeof(part));
	memcpy(memory + CODE_PAGE * PAGE, code, sizeof(code));
	wrote(act("pwrite", SYS_pwrite64, on, 0, PROGRAM_PAGES * PAGE, on->fd, (long)memory, PROGRAM_PAGES * PAGE, 0, 0,
		  0), on, 0, 0);
}

static void run_exec(void)
{
	int file = any_file(), status;
	const char *path = shared->file[file].path;
	char *arguments[] = { (char *)path, NULL };
	struct handle on = open_file(file, O_WRONLY);
	struct row *row;
	pid_t child;

	write_program(&on);
	row = act("fsync", SYS_fsync, &on, -1, -1, on.fd, 0, 0, 0, 0, 0);
	effect(row, FLUSHED, file, 0, ALL);
	row = act("fchmod", SYS_fchmod, &on, -1, -1, on.fd, 0755, 0, 0, 0, 0);
	close_file(&on);
	drop_caches();
	child = fork();
	if (child < 0)
		fail("fork");
	if (!child) {
		begin_task("truth-exec");
		begin_row("execve", SYS_execve, &on, -1, -1);
		syscall(SYS_execve, path, arguments, arguments + 1);
		_exit(errno);
	}
	if (waitpid(child, &status, 0) != child)
		fail("waitpid");
	row = &shared->row[shared->rows - 1];
	end_row(row, WEXITSTATUS(status) == STATUS ? 0 : -WEXITSTATUS(status));
}

const struct operation exec_operations[] = {
	{ "exec", run_exec, 2, 0 },
	{ 0 },
};
