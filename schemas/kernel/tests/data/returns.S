# A function that is described as if it returned nothing.
	.text
	.globl in_assembly
	.type in_assembly, @function
in_assembly:
	mov $7, %eax
	ret
	.size in_assembly, . - in_assembly
