/* From the PVH entry (32 bits, no paging) to main() in the kernel's half, with page tables that can be attacked, a
 * stack, and handlers of exceptions that continue where the attack says.
 */
#define VIRTUAL 0xffffffff80000000
#define PHYSICAL(symbol) ((symbol) - VIRTUAL)

	.section .note.Xen, "a", @note
	.long 4, 8, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.quad PHYSICAL(start)

	.section .text.boot, "ax"
	.code32
	.globl start
start:
	cli
	/* 4 GiB in pages of 2 MiB: at 0, in the direct map, and the first GiB at the image's place. */
	mov $PHYSICAL(pd), %edi
	mov $0x83, %eax
1:	mov %eax, (%edi)
	movl $0, 4(%edi)
	add $8, %edi
	add $0x200000, %eax
	jnc 1b
	mov $PHYSICAL(pdpt), %edi
	mov $(PHYSICAL(pd) + 3), %eax
	mov $4, %ecx
2:	mov %eax, (%edi)
	add $8, %edi
	add $4096, %eax
	loop 2b
	movl $(PHYSICAL(pd) + 3), PHYSICAL(pdpt_image) + 510 * 8
	movl $(PHYSICAL(pdpt) + 3), PHYSICAL(pml4)
	movl $(PHYSICAL(pdpt) + 3), PHYSICAL(pml4) + 273 * 8
	movl $(PHYSICAL(pdpt_image) + 3), PHYSICAL(pml4) + 511 * 8
	mov $PHYSICAL(pml4), %eax
	mov %eax, %cr3
	mov %cr4, %eax
	or $0x620, %eax
	mov %eax, %cr4
	mov $0xc0000080, %ecx
	rdmsr
	or $0x100, %eax
	wrmsr
	mov %cr0, %eax
	or $0x80000000, %eax
	mov %eax, %cr0
	lgdt PHYSICAL(gdt_pointer)
	ljmp $8, $PHYSICAL(long_mode)

	.code64
long_mode:
	movabs $high, %rax
	jmp *%rax
high:
	lgdt gdt_pointer_high
	mov $0x10, %eax
	mov %eax, %ss
	mov %eax, %ds
	mov %eax, %es
	xor %eax, %eax
	mov %eax, %fs
	mov %eax, %gs
	mov $stack_top, %rsp
	movabs $tss, %rax
	mov %ax, gdt + 0x1a
	shr $16, %rax
	mov %al, gdt + 0x1c
	mov %ah, gdt + 0x1f
	shr $16, %rax
	mov %eax, gdt + 0x20
	movabs $fault_stack_top, %rax
	mov %rax, tss + 36
	mov $0x18, %eax
	ltr %ax
	xor %ebp, %ebp
	call main
	/* No table of handlers: the exception is a triple fault, and the processor resets. */
	lidt no_idt
	int3
0:	hlt
	jmp 0b

	/* An exception, or a jump to its handler, continues at `resume` with the stack of then; without one it ends the
	 * guest.
	 */
	.section .entry.text, "ax"
	.macro handler name code
	.globl \name
	.type \name, @function
\name:
	.if !\code
	push $0
	.endif
	jmp continue
	.size \name, . - \name
	.endm
	handler asm_exc_page_fault 1
	handler asm_exc_general_protection 1
	handler stack_fault 1
	handler other_exception 0
continue:
	incq faults
	mov resume, %rax
	test %rax, %rax
	jz 0f
	mov %rax, 8(%rsp)
	mov resume_stack, %rax
	mov %rax, 32(%rsp)
	mov resume_frame, %rbp
	add $8, %rsp
	iretq
0:	lidt no_idt
	int3

	/* void jump_with_stack(void *function, void *stack, void *argument): the function is entered with a forged stack.
	 * It does not come back there: what faults, or finish_jump, does.
	 */
	.text
	.globl jump_with_stack
	.type jump_with_stack, @function
jump_with_stack:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, resume_stack
	mov %rbp, resume_frame
	movq $1f, resume
	mov %rdi, %rax
	mov %rsi, %rsp
	mov %rdx, %rdi
	jmp *%rax
1:	mov resume_stack, %rsp
	movq $0, resume
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret
	.size jump_with_stack, . - jump_with_stack
	.globl finish_jump
finish_jump = 1b

	/* Functions of Linux that have probes. Each can be called, or jumped to with any stack: where `back` is not 0, it
	 * returns there without a look at the stack.
	 */
	.macro probed name
	.globl \name
	.type \name, @function
	.p2align 4
\name:
	.fill 8, 1, 0x90
	cmpq $0, back(%rip)
	jz 1f
	jmp *back(%rip)
1:	ret
	.size \name, . - \name
	.endm
	probed submit_bio
	probed submit_bio_noacct
	probed submit_bio_noacct_nocheck
	probed bio_endio
	probed blk_mq_insert_requests
	probed blk_mq_start_request
	probed blk_mq_end_request
	probed do_init_module
	probed free_module
	probed wake_up_new_task
	probed __set_task_comm
	probed __x64_sys_read
	probed __x64_sys_write
	probed schedule
	probed __schedule
	probed vfs_read
	probed not_in_the_catalog

	/* Many frames of a probed function that never return. */
	.globl blk_finish_plug
	.type blk_finish_plug, @function
blk_finish_plug:
	dec %rdi
	jz finish_jump
	call blk_finish_plug
	ret
	.size blk_finish_plug, . - blk_finish_plug

	/* Its first instruction faults if its argument is wild. */
	.globl bio_split
	.type bio_split, @function
bio_split:
	mov (%rdi), %rax
	mov %rax, (%rdi)
	ret
	.size bio_split, . - bio_split

	.data
	.globl gdt, gdt_pointer
	.p2align 4
gdt:	.quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
	.quad 0x0000890000000067, 0, 0
gdt_pointer:
	.word 0x2f
	.long PHYSICAL(gdt)
gdt_pointer_high:
	.word 0x2f
	.quad gdt
no_idt:	.word 0
	.quad 0
	.globl faults, back
resume:	.quad 0
resume_stack: .quad 0
resume_frame: .quad 0
faults:	.quad 0
back:	.quad 0
	.p2align 4
tss:	.fill 104, 1, 0

	.bss
	.p2align 12
	.globl pml4, pdpt, pd
pml4:	.skip 4096
pdpt:	.skip 4096
pdpt_image: .skip 4096
pd:	.skip 4 * 4096
	.skip 65536
stack_top:
	.skip 16384
fault_stack_top:

	/* Offsets in the per-CPU data. */
	.globl current_task, __preempt_count
	.type current_task, @object
	.type __preempt_count, @object
current_task = 0x40
__preempt_count = 0x48
