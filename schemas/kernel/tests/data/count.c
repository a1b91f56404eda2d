/* Stands for vmlinux files that differ in where the preemption count is. See build.sh. */
struct task_struct {
	volatile long state;
	void *stack;
	int pid;
};

struct thread_info {
	struct task_struct *task;
	void *exec_domain;
	unsigned int flags;
	unsigned int status;
	unsigned int cpu;
#ifdef IN_STACK
	int preempt_count;
#endif
};

struct task_struct *current_task;
struct thread_info *current_thread_info;
#ifdef PER_CPU
int __preempt_count;
#endif
