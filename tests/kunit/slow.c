// SPDX-License-Identifier: GPL-2.0
/*
 * Memory whose faults take as long as a test wants
 *
 * A fault for a page that is held sleeps uninterruptibly until the page is released.
 * All mappings have the same pages.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>

#include "fake.h"
#include "slow.h"

struct slow slow = {
	.closed = COMPLETION_INITIALIZER(slow.closed),
};

static struct completion present[SLOW_PAGES];

/* Spin by the clock. mdelay() is too short if it was calibrated beside other load. */
static void slow_spin(unsigned int ms)
{
	u64 end = ktime_get_ns() + ms * NSEC_PER_MSEC;

	while (ktime_get_ns() < end)
		cpu_relax();
}

static vm_fault_t slow_fault(struct vm_fault *vmf)
{
	if (slow.work != current_work()) {
		slow.work = current_work();
		slow.nr_works++;
	}
	slow_spin(slow.busy_ms);
	wait_for_completion(&present[vmf->pgoff]);
	vmf->page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	return vmf->page ? 0 : VM_FAULT_OOM;
}

static void slow_close(struct vm_area_struct *vma)
{
	slow.closer = current_work();
	strscpy(slow.closer_comm, current->comm, sizeof(slow.closer_comm));
	complete(&slow.closed);
}

static const struct vm_operations_struct slow_vm_ops = {
	.fault = slow_fault,
	.close = slow_close,
};

static int slow_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_ops = &slow_vm_ops;
	return 0;
}

static const struct file_operations slow_fops = {
	.mmap = slow_mmap,
};

/* Let faults for @page sleep. */
void slow_hold(unsigned int page)
{
	reinit_completion(&present[page]);
}

/* Wake faults for @page, and do not let further ones sleep. */
void slow_release(unsigned int page)
{
	complete_all(&present[page]);
}

/* Release all pages, and let faults not spin. */
void slow_release_all(void)
{
	unsigned int i;

	for (i = 0; i < SLOW_PAGES; i++)
		complete_all(&present[i]);
	slow.busy_ms = 0;
}

/* Map @nr pages from @page on into the caller's mm, at @addr unless that is 0. */
unsigned long slow_map_pages(struct kunit *test, unsigned long addr,
			     unsigned int page, unsigned int nr)
{
	unsigned long flags = MAP_SHARED;
	struct file *file;

	KUNIT_ASSERT_LE(test, page + nr, SLOW_PAGES);
	if (addr)
		flags |= MAP_FIXED;
	file = anon_inode_getfile("[iopf-kunit]", &slow_fops, NULL, O_RDWR);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	addr = vm_mmap(file, addr, nr * PAGE_SIZE, PROT_READ | PROT_WRITE,
		       flags, page * PAGE_SIZE);
	fput(file);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	return addr;
}

/* Map the first @nr pages at %FAKE_SVA_PASID. None of them is held. */
unsigned long slow_map(struct kunit *test, unsigned int nr)
{
	/* Attach the test's address space. */
	fake_map(test, PAGE_SIZE, PROT_READ);
	return slow_map_pages(test, 0, 0, nr);
}

/*
 * Create an address space that has @page at *@addr, or anywhere if that is 0. The test
 * is its only user, and has a reference to it until the test ends. To be called before
 * the test has an address space of its own.
 */
struct mm_struct *slow_new_mm(struct kunit *test, unsigned int page,
			      unsigned long *addr)
{
	struct mm_struct *mm = fake_new_mm(test);

	mmgrab(mm);
	fake_drop_mm_at_exit(test, mm);
	kthread_use_mm(mm);
	*addr = slow_map_pages(test, *addr, page, 1);
	kthread_unuse_mm(mm);
	reinit_completion(&slow.closed);
	return mm;
}

static int __init slow_init_pages(void)
{
	unsigned int i;

	for (i = 0; i < SLOW_PAGES; i++)
		init_completion(&present[i]);
	slow_release_all();
	return 0;
}
core_initcall(slow_init_pages);
