/* Runs a command and lets operations on files fail, in all processes that it starts.
 *
 * The kernel reports each operation to this process before it is done (seccomp, SECCOMP_RET_USER_NOTIF: Linux 5.5 or newer),
 * whoever asks for it: a static program, or the C library's own buffers. The operations on files below given folders are
 * counted; those that are to fail are answered with an error and are not done.
 *
 *   inject KIND FIRST LAST LOG FOLDERS COMMAND...
 *
 * KIND: full (ENOSPC), error (EIO), readonly (EROFS), short (the first half is written). Operations FIRST to LAST fail, counted
 * from 1; 0 0: none, they are listed. LOG: a file for what was counted, and for the first operation that failed; then the list. FOLDERS: beginnings of
 * paths, separated by colons. Exits as the command does. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DATA, SYNC, NAMED, NAMED_AT };
struct operation { int number; const char *name; int kind; int path; /* which argument has the path */ };
static const struct operation operations[] = {
    { SYS_write, "write", DATA, 0 }, { SYS_pwrite64, "pwrite", DATA, 0 }, { SYS_writev, "writev", DATA, 0 },
    { SYS_pwritev, "pwritev", DATA, 0 }, { SYS_pwritev2, "pwritev2", DATA, 0 }, { SYS_sendfile, "sendfile", DATA, 0 },
    { SYS_fallocate, "fallocate", DATA, 0 }, { SYS_copy_file_range, "copy_file_range", DATA, 2 },
    { SYS_fsync, "fsync", SYNC, 0 }, { SYS_fdatasync, "fdatasync", SYNC, 0 },
    { SYS_openat, "openat", NAMED_AT, 1 }, { SYS_mkdirat, "mkdirat", NAMED_AT, 1 },
    { SYS_linkat, "linkat", NAMED_AT, 3 }, { SYS_symlinkat, "symlinkat", NAMED_AT, 2 },
    { SYS_renameat, "renameat", NAMED_AT, 3 }, { SYS_renameat2, "renameat2", NAMED_AT, 3 },
#ifdef SYS_open
    { SYS_open, "open", NAMED, 0 }, { SYS_mkdir, "mkdir", NAMED, 0 }, { SYS_link, "link", NAMED, 1 },
    { SYS_symlink, "symlink", NAMED, 1 }, { SYS_rename, "rename", NAMED, 1 },
#endif
};
#define COUNT (sizeof operations / sizeof *operations)

static void fail(const char *what) {
    perror(what);
    exit(125);
}

static const struct operation *find(int number) {
    for (size_t at = 0; at < COUNT; at++)
        if (operations[at].number == number) return &operations[at];
    return NULL;
}

static int install(void) {
    struct sock_filter code[2 * COUNT + 2];
    size_t at = 0;
    code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t each = 0; each < COUNT; each++) {
        code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, operations[each].number, 0, 1);
        code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    }
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = { at, code };
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static void transfer(int channel, int *descriptor, int send) {
    char byte = 0, control[CMSG_SPACE(sizeof(int))] = { 0 };
    struct iovec part = { &byte, 1 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (send) {
        *head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
        memcpy(CMSG_DATA(head), descriptor, sizeof(int));
        if (sendmsg(channel, &message, 0) < 0) fail("sendmsg");
        return;
    }
    if (recvmsg(channel, &message, 0) < 0) fail("recvmsg");
    memcpy(descriptor, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
}

/* The path of an open file, or a folder. */
static void path_of(pid_t task, int descriptor, char *path, size_t size) {
    char link[64];
    if (descriptor == AT_FDCWD) snprintf(link, sizeof link, "/proc/%d/cwd", task);
    else snprintf(link, sizeof link, "/proc/%d/fd/%d", task, descriptor);
    ssize_t length = readlink(link, path, size - 1);
    path[length < 0 ? 0 : length] = 0;
}

/* What an operation is done to. */
static void subject(const struct seccomp_notif *asked, const struct operation *operation, char *path, size_t size) {
    const uint64_t *arguments = (const uint64_t *)asked->data.args;
    if (operation->kind == DATA || operation->kind == SYNC) {
        path_of(asked->pid, arguments[operation->path], path, size);
        return;
    }
    char name[4096] = "", memory[64];
    snprintf(memory, sizeof memory, "/proc/%d/mem", asked->pid);
    int file = open(memory, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : pread(file, name, sizeof name - 1, arguments[operation->path]);
    if (file >= 0) close(file);
    name[length < 0 ? 0 : length] = 0;
    if (name[0] == '/') {
        snprintf(path, size, "%s", name);
        return;
    }
    path_of(asked->pid, operation->kind == NAMED_AT ? (int)arguments[operation->path - 1] : AT_FDCWD, path, size);
    size_t used = strlen(path);
    snprintf(path + used, size - used, "/%s", name);
}

static int creates(const struct seccomp_notif *asked) {
    if (asked->data.nr == SYS_openat) return asked->data.args[2] & O_CREAT;
#ifdef SYS_open
    if (asked->data.nr == SYS_open) return asked->data.args[1] & O_CREAT;
#endif
    return 1;
}

static int is_below(const char *path, const char *folders) {
    for (const char *at = folders; *at;) {
        size_t length = strcspn(at, ":");
        if (length && !strncmp(path, at, length)) return 1;
        at += length + (at[length] == ':');
    }
    return 0;
}

static pid_t process_of(pid_t task) {
    char path[64], line[128];
    int process = task;
    snprintf(path, sizeof path, "/proc/%d/status", task);
    FILE *status = fopen(path, "re");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "Tgid: %d", &process) == 1) break;
    if (status) fclose(status);
    return process;
}

/* Writes the first half of what is to be written; -1 if it is of another kind, or a single byte. */
static int64_t half(const struct seccomp_notif *asked) {
    const uint64_t *arguments = (const uint64_t *)asked->data.args;
    size_t length = arguments[2] / 2;
    if ((asked->data.nr != SYS_write && asked->data.nr != SYS_pwrite64) || length == 0) return -1;
    char *bytes = malloc(length);
    struct iovec here = { bytes, length }, there = { (void *)arguments[1], length };
    int process = syscall(SYS_pidfd_open, process_of(asked->pid), 0);
    int file = process < 0 ? -1 : syscall(SYS_pidfd_getfd, process, (int)arguments[0], 0);
    int64_t written = -1;
    if (file >= 0 && process_vm_readv(asked->pid, &here, 1, &there, 1, 0) == (ssize_t)length)
        written = asked->data.nr == SYS_write ? write(file, bytes, length) : pwrite(file, bytes, length, arguments[3]);
    if (file >= 0) close(file);
    if (process >= 0) close(process);
    free(bytes);
    return written;
}

int main(int argc, char **argv) {
    if (argc < 7) {
        fputs("usage: inject KIND FIRST LAST LOG FOLDERS COMMAND...\n", stderr);
        return 2;
    }
    const char *kind = argv[1], *folders = argv[5];
    long first = atol(argv[2]), last = atol(argv[3]), counted = 0, failed = 0;
    int error = !strcmp(kind, "full") ? ENOSPC : !strcmp(kind, "error") ? EIO : !strcmp(kind, "readonly") ? EROFS : 0;
    char what[5000] = "", *list = NULL;
    size_t length = 0;
    FILE *listed = first ? NULL : open_memstream(&list, &length);
    int channel[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel)) fail("socketpair");
    pid_t parent = getpid(), child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (getppid() != parent) _exit(125);
        int listener = install();
        if (listener < 0) fail("seccomp");
        transfer(channel[1], &listener, 1);
        close(listener);
        execvp(argv[6], argv + 6);
        _exit(127);
    }
    int listener, status = 0, ended = 0;
    transfer(channel[0], &listener, 0);
    for (;;) {
        struct pollfd ready = { listener, POLLIN, 0 };
        int some = poll(&ready, 1, ended ? 0 : 20);
        if (!ended && waitpid(child, &status, WNOHANG) == child) ended = 1;
        if (ready.revents & POLLHUP) break;
        if (some <= 0 || !(ready.revents & POLLIN)) {
            if (ended) poll(NULL, 0, 20); /* what it started and left behind goes on */
            continue;
        }
        struct seccomp_notif asked = { 0 };
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked)) continue;
        struct seccomp_notif_resp answer = { .id = asked.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
        const struct operation *operation = find(asked.data.nr);
        char path[8192] = "";
        if (creates(&asked)) subject(&asked, operation, path, sizeof path);
        int fails = operation->kind == SYNC ? error == EIO : error ? 1 : operation->kind == DATA;
        fails = fails && is_below(path, folders);
        if (fails && listed) fprintf(listed, "%s %s\n", operation->name, path);
        if (fails && ++counted >= first && counted <= last) {
            int64_t written = error ? -1 : half(&asked);
            if (error || written >= 0) {
                answer = (struct seccomp_notif_resp){ .id = asked.id, .val = error ? 0 : written, .error = -error };
                if (!failed++) snprintf(what, sizeof what, "%s %.4000s", operation->name, path);
            }
        }
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
    if (!ended) waitpid(child, &status, 0);
    if (listed) fclose(listed);
    FILE *log = fopen(argv[4], "we");
    if (!log || fprintf(log, "%ld %ld %s\n%s", counted, failed, what, list ? list : "") < 0 || fclose(log)) fail(argv[4]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
