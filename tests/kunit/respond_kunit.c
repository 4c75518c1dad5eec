// SPDX-License-Identifier: GPL-2.0
/*
 * Response codes of groups, and that each group gets one response
 */
#include <linux/mm.h>
#include <linux/mman.h>

#include "fake.h"

static void pri_response_codes(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 0x0,
			iopf_pri_response_code(IOMMU_PAGE_RESP_SUCCESS));
	KUNIT_EXPECT_EQ(test, 0x1,
			iopf_pri_response_code(IOMMU_PAGE_RESP_INVALID));
	KUNIT_EXPECT_EQ(test, 0xf,
			iopf_pri_response_code(IOMMU_PAGE_RESP_FAILURE));
	KUNIT_EXPECT_EQ(test, 0x1, iopf_pri_response_code(42));
}

static void domain_handler_responds_twice(struct kunit *test)
{
	struct fake *fake = test->priv;

	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, FAKE_PASID, 1, 0));
	iopf_group_response(fake->taken[0], IOMMU_PAGE_RESP_INVALID);
	iopf_group_response(fake->taken[0], IOMMU_PAGE_RESP_SUCCESS);
	iopf_free_group(fake->taken[0]);
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[0].code);
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->stats.late);
}

static void domain_handler_fails(struct kunit *test)
{
	struct fake *fake = test->priv;

	fake->handler_error = -ENOSPC;
	KUNIT_EXPECT_EQ(test, 0, fake_partial(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, -ENOSPC, fake_last(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[0].code);
	KUNIT_EXPECT_EQ(test, 0, iopf_nr_groups(fake_fdev(fake)));
}

/* Report a group of one request of the SVA PASID, and return its response code. */
static u32 sva_response(struct kunit *test, u32 perm, u64 addr)
{
	struct fake *fake = test->priv;
	unsigned int before = fake->responses;

	fake_report(fake, FAKE_LAST, FAKE_SVA_PASID, 1, perm, addr);
	KUNIT_ASSERT_TRUE(test, fake_wait_responses(fake, before + 1));
	return fake->log[before].code;
}

static void sva_fault_populates_pages(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 16);
	struct fake *fake = test->priv;
	s64 before = fake_anon_pages();
	int i;

	for (i = 0; i < 11; i++)
		fake_partial(fake, FAKE_SVA_PASID, 2, addr + i * PAGE_SIZE);
	fake_last(fake, FAKE_SVA_PASID, 2, addr + i * PAGE_SIZE);
	KUNIT_ASSERT_TRUE(test, fake_wait_responses(fake, 1));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS, fake->log[0].code);
	KUNIT_EXPECT_EQ(test, before + 12, fake_anon_pages());
	/* Addresses need not be aligned, and a page may be requested again. */
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS,
			sva_response(test, IOMMU_FAULT_PERM_WRITE, addr + 123));
}

static void sva_permissions(struct kunit *test)
{
	unsigned long addr = fake_map(test, PAGE_SIZE, PROT_READ);

	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS,
			sva_response(test, IOMMU_FAULT_PERM_READ, addr));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID,
			sva_response(test, IOMMU_FAULT_PERM_WRITE, addr));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID,
			sva_response(test, IOMMU_FAULT_PERM_READ |
				     IOMMU_FAULT_PERM_WRITE, addr));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID,
			sva_response(test, IOMMU_FAULT_PERM_EXEC, addr));
}

/* A write-only mapping may be read, as page tables have no write-only pages. */
static void sva_write_only(struct kunit *test)
{
	unsigned long addr = fake_map(test, 2 * PAGE_SIZE, PROT_WRITE);

	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS,
			sva_response(test, IOMMU_FAULT_PERM_READ, addr));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS,
			sva_response(test, IOMMU_FAULT_PERM_WRITE, addr));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS,
			sva_response(test, IOMMU_FAULT_PERM_READ |
				     IOMMU_FAULT_PERM_WRITE, addr + PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID,
			sva_response(test, IOMMU_FAULT_PERM_EXEC, addr));
}

/* Devices must not write to a shadow stack: only special instructions of a CPU may. */
static void sva_shadow_stack(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 1);
	struct vm_area_struct *vma;

	if (VM_SHADOW_STACK == VM_NONE)
		kunit_skip(test, "this kernel has no shadow stacks");
	mmap_write_lock(current->mm);
	vma = vma_lookup(current->mm, addr);
	KUNIT_EXPECT_NOT_NULL(test, vma);
	if (vma)
		vm_flags_set(vma, VM_SHADOW_STACK);
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS,
			sva_response(test, IOMMU_FAULT_PERM_READ, addr));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID,
			sva_response(test, IOMMU_FAULT_PERM_WRITE, addr));
}

static void sva_unmapped(struct kunit *test)
{
	unsigned long addr = fake_map(test, PAGE_SIZE, PROT_READ);

	KUNIT_EXPECT_EQ(test, 0, vm_munmap(addr, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID,
			sva_response(test, IOMMU_FAULT_PERM_READ, addr));
}

static void sva_malformed(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 1);
	struct fake *fake = test->priv;

	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID,
			sva_response(test, IOMMU_FAULT_PERM_EXEC |
				     IOMMU_FAULT_PERM_WRITE, addr));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID,
			sva_response(test, IOMMU_FAULT_PERM_READ, TASK_SIZE));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID,
			sva_response(test, IOMMU_FAULT_PERM_READ, 1ULL << 63));
	KUNIT_EXPECT_EQ(test, 3, fake_fdev(fake)->stats.malformed);
	/* A malformed request spoils its group, but not the next one. */
	KUNIT_EXPECT_EQ(test, 0, fake_report(fake,
					     IOMMU_FAULT_PAGE_REQUEST_PASID_VALID,
					     FAKE_SVA_PASID, 1, 0, addr));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID,
			sva_response(test, IOMMU_FAULT_PERM_WRITE, addr));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS,
			sva_response(test, IOMMU_FAULT_PERM_WRITE, addr));
}

static struct kunit_case iopf_respond_cases[] = {
	KUNIT_CASE(pri_response_codes),
	KUNIT_CASE(domain_handler_responds_twice),
	KUNIT_CASE(domain_handler_fails),
	KUNIT_CASE(sva_fault_populates_pages),
	KUNIT_CASE(sva_permissions),
	KUNIT_CASE(sva_write_only),
	KUNIT_CASE(sva_shadow_stack),
	KUNIT_CASE(sva_unmapped),
	KUNIT_CASE(sva_malformed),
	{ }
};

static struct kunit_suite iopf_respond_suite = {
	.name = "iopf_respond",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = iopf_respond_cases,
};

kunit_test_suite(iopf_respond_suite);
