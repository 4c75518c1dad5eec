// SPDX-License-Identifier: GPL-2.0
/*
 * A device whose private mappings are anonymous memory that the mm takes for a shadow stack
 *
 * map_shadow_stack() needs a CPU with shadow stacks, which emulated ones are not. What
 * the mm allows depends on the flag of the VMA alone.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>

static int shadow_stack_mmap(struct file *file, struct vm_area_struct *vma)
{
	/* As map_shadow_stack(), which has no shared ones. */
	if (vma->vm_flags & VM_SHARED)
		return -EINVAL;
	if (VM_SHADOW_STACK == VM_NONE)
		return -EOPNOTSUPP;
	vma_set_anonymous(vma);
	vm_flags_set(vma, VM_SHADOW_STACK);
	return 0;
}

static const struct file_operations shadow_stack_fops = {
	.owner = THIS_MODULE,
	.mmap = shadow_stack_mmap,
};

static struct miscdevice shadow_stack_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "shadow-stack",
	.fops = &shadow_stack_fops,
};
module_misc_device(shadow_stack_device);

MODULE_DESCRIPTION("Shadow stacks without a CPU that has them");
MODULE_LICENSE("GPL");
