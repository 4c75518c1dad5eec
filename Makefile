# SPDX-License-Identifier: GPL-2.0
#
# iopf: every entry point. Each script says in its head what it does.

KERNEL	?= 7.3
IMPL	?= iopf
CONFIG	?= release
KSRC	?=
IOPF_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/iopf
export KERNEL IMPL CONFIG KSRC IOPF_CACHE

# What may be given on the command line; anything else is a typing mistake.
VARIABLES := KERNEL IMPL CONFIG KSRC IOPF_CACHE FORCE SMP MEM TIMEOUT ACCEL \
	     QEMU QEMU_ARGS APPEND CMD FILES MODULES LOG
unknown := $(filter-out $(VARIABLES) MAKEFLAGS MFLAGS MAKEOVERRIDES, \
	   $(foreach v,$(.VARIABLES),$(if $(filter command line,$(origin $v)),$v)))
ifneq ($(strip $(unknown)),)
$(error unknown variable: $(strip $(unknown)). "make help" lists those there are)
endif
export $(foreach v,$(VARIABLES),$(if $(filter command line,$(origin $v)),$v))

TREE := drivers-glue/in-tree

.DEFAULT_GOAL := help
.PHONY: help demo test check kunit mutants docs apply unapply kernel kdir shell guest clean

help: ## this list
	@echo "Targets:"
	@awk -F ':.*## ' '/^[a-z]+:.*## /{ printf "  %-10s %s\n", $$1, $$2 }' Makefile
	@echo "Variables:"
	@awk -F '## ' '/^## /{ print "  " $$2 }' Makefile

## KERNEL=7.3|6.12     series of Debian's kernel sources (7.3)
## KSRC=DIR            your own kernel tree instead; copied, except by apply and unapply
## IMPL=iopf|upstream  whose fault queue the kernel has (iopf)
## CONFIG=release|debug  debug has KASAN, lockdep and the like (release)
## FORCE=1             apply: to kernel versions that were not tested, too
## SMP=N MEM=SIZE      the guest's processors and memory (2, 2G)
## TIMEOUT=SECONDS     end of patience with a guest (300)
## ACCEL=kvm|tcg       how the guest runs (KVM if it is seen to work)
## QEMU=PROGRAM        your own qemu-system-x86_64 (Debian's newest, in the cache)
## QEMU_ARGS=ARGS      more arguments for QEMU
## APPEND=WORDS        more words for the guest's kernel command line
## CMD=COMMAND         guest: what to run
## FILES='A B'         guest: files to put there, in the folder where CMD runs
## MODULES='A.ko B.ko' guest: modules to load (softacc.ko)
## LOG=FILE            guest: keep the console's output there
## IOPF_CACHE=DIR      downloads and builds (~/.cache/iopf)

demo: ## set everything up and watch an accelerator fault on a process's memory
	@tests/guest/demo.sh

test: ## set everything up and run all tests: KUnit, guests, iommufd's own, check
	@tests/run-all.sh

check: ## checkpatch, sparse, W=1, kernel-doc and shellcheck over our files
	@tests/check.sh

kunit: ## the KUnit suites alone
	@tests/kunit.sh

mutants: ## break the library on purpose and see the KUnit suites fail
	@tests/mutants.sh

docs: ## the documentation as HTML, with the API from the sources
	@Documentation/build.sh

apply: ## put the library into the kernel tree KSRC
	@$(TREE)/tree.sh apply "$(KSRC)"

unapply: ## take it out again
	@$(TREE)/tree.sh unapply "$(KSRC)"

kernel: ## fetch and build the kernel that KERNEL, KSRC, IMPL and CONFIG name
	@$(TREE)/build.sh kernel

kdir: ## print its build directory, for KDIR= of external modules
	@$(TREE)/build.sh kdir

shell: ## an interactive guest with the library and softacc
	@tests/guest/with-softacc.sh --shell

guest: ## run CMD in a fresh guest; its exit status is make's
	@tests/guest/with-softacc.sh

clean: ## remove kernels, modules and programs from the cache, keep downloads
	rm -rf "$(IOPF_CACHE)"/build "$(IOPF_CACHE)"/module "$(IOPF_CACHE)"/programs \
		"$(IOPF_CACHE)"/tree "$(IOPF_CACHE)"/guest "$(IOPF_CACHE)"/kunit
