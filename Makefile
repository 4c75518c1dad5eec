# SPDX-License-Identifier: GPL-2.0
#
# iopf: all entry points. The head of each script says what it does.

KERNEL	?= 7.3
IMPL	?= iopf
CONFIG	?= release
KSRC	?=
PREFIX	?= /usr/local
IOPF_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/iopf
export KERNEL IMPL CONFIG KSRC IOPF_CACHE

# Variables of the command line; an unknown one is probably misspelled.
VARIABLES := KERNEL IMPL CONFIG KSRC IOPF_CACHE FORCE FIXES OUT PRQ SMP MEM TIMEOUT ACCEL \
	     QEMU QEMU_ARGS APPEND CMD FILES MODULES LOG FAULTS \
	     MINUTES SEED SUITE OPERATIONS ROUND DISTURB VERBOSE BROKEN REPS MODE SCENARIOS PORT \
	     REPORT REPORTER AREA KDIR PREFIX DESTDIR
unknown := $(filter-out $(VARIABLES) MAKEFLAGS MFLAGS MAKEOVERRIDES, \
	   $(foreach v,$(.VARIABLES),$(if $(filter command line,$(origin $v)),$v)))
ifneq ($(strip $(unknown)),)
$(error unknown variable: $(strip $(unknown)). "make help" lists the known ones)
endif
export $(foreach v,$(VARIABLES),$(if $(filter command line,$(origin $v)),$v))

TREE := drivers-glue/in-tree

.DEFAULT_GOAL := help
.PHONY: help demo demo-vtd demo-guest-sva random stress stress-broken stress-guest-sva test \
	test-all test-vtd fuzz check bench lines kunit model-test mutants refresh-mutants model docs \
	apply unapply patch-fixes kernel kdir modules install-tools shell guest clean

help: ## print this list
	@echo "Targets:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{ printf "  %-16s %s\n", $$1, $$2 }' Makefile
	@echo "Variables:"
	@awk -F '## ' '/^## /{ print "  " $$2 }' Makefile

## KERNEL=7.3|6.12     series of Debian's kernel sources (7.3)
## KSRC=DIR            a kernel tree of your own instead; copied, except by apply and unapply
## IMPL=iopf|upstream  the kernel's fault queue: the library or its own (iopf)
## CONFIG=release|debug|kcsan  debug has KASAN, lockdep and the like (release)
## FIXES=1             apply, kernel: with fixes to known bugs of the tree (0)
## PRQ=kernel|iopf     VT-d's page request driver: the kernel's or the library's (kernel)
## FORCE=1             apply, unapply, kernel, patch-fixes: also untested kernel versions, and
##                     over edited files
## SMP=N MEM=SIZE      the guest's processors and memory (guest: 2, 2G; others have more)
## TIMEOUT=SECONDS     time limit of a guest (guest: 300; others have more)
## ACCEL=kvm|tcg       how the guest runs (KVM if it works; bench: tcg)
## QEMU=PROGRAM        a qemu-system-x86_64 of your own (Debian's newest, in the cache)
## QEMU_ARGS=ARGS      more arguments for QEMU
## APPEND=WORDS        more words for the kernel command line of a guest, or of kunit
## CMD=COMMAND         guest: the command to run
## FILES='A B'         guest: files to copy into the folder where CMD runs
## MODULES='A.ko B.ko' guest: modules to load (softacc.ko and, with the library, iopf_forward.ko)
## FAULTS=N            demo-guest-sva, stress-guest-sva: number of faults (150000, 1000000)
## LOG=FILE            guest: file for the console's output
## MINUTES=N           stress, random, model-test, fuzz: duration (5; test-all: 15)
## SEED=N              stress, random, model-test, fuzz: seed of all choices (a new one)
## OPERATIONS=N        model-test: operations of each run (100000)
## SUITE=NAME          kunit, mutants: this suite only, for example iopf_model
## ROUND=N             stress, random: begin with this round
## DISTURB=A,B         stress, random: these disturbances in all rounds, or none; an unknown name
##                     lists the known ones
## VERBOSE=1           random: log each operation in the guest's kernel before it begins
## BROKEN=NAME         apply, kernel: the library with a mistake of tests/mutants
## REPS=N              bench: pairs of runs (5); lines: guests of each fault queue (3)
## MODE=threads|icount bench: real time, or instructions (both)
## SCENARIOS='A B'     bench: only these; scale: with many PASIDs and devices. lines: one
## PORT=ring|vtd       bench: on softacc's own IOMMU, or on the emulated VT-d (ring)
## REPORT=batch|single|both  bench: how softacc reports to the library: single is as an
##                     unmodified driver does, both takes half as long again (batch)
## REPORTER=fifo|normal  bench: priority of the thread that reports (fifo)
## AREA=MIB            bench: memory touched in a round (64; icount: 16; SCENARIOS=scale: 256)
## KDIR=DIR            modules: build folder of your own kernel
## PREFIX=DIR DESTDIR=DIR  install-tools: where to (/usr/local, under /)
## OUT=DIR             patch-fixes: folder for the mails (one in the cache)
## IOPF_CACHE=DIR      downloads and builds (~/.cache/iopf)

demo: ## build everything, and show an accelerator fault on a process's memory
	@tests/guest/demo.sh

demo-guest-sva: ## show page faults that a program in user space serves
	@tests/guest/guest-sva.sh demo

stress-guest-sva: ## the same with a million faults; none may be lost
	@tests/guest/guest-sva.sh stress

test: ## build everything, and run all tests: KUnit, guests, iommufd's own, check
	@tests/run-all.sh

test-all: ## test, and those that take hours: mutants, long stress, VT-d, docs
	@tests/run-all.sh all

test-vtd: ## a million requests and 200 rounds of killed processes on an emulated VT-d
	@tests/vtd-test.sh long

fuzz: ## libFuzzer on VT-d's ring and decoder with a model of the hardware, for MINUTES
	@tests/vtd/fuzz.sh

demo-vtd: ## the demo on an emulated VT-d with the library's own driver
	@FIXES=1 PRQ=iopf tests/guest/demo.sh vtd

check: ## checkpatch, sparse, W=1, kernel-doc, shellcheck, layers, names in the model
	@tests/check.sh

bench: ## measure the library against the kernel's own fault queue
	@tests/bench/run.sh

lines: ## count how often cache lines change hands between CPUs for a request
	@tests/lines/lines.sh

kunit: ## the KUnit suites alone
	@tests/kunit.sh

model-test: ## random sequences of operations against the reference model, for MINUTES
	@tests/model-test.sh

mutants: ## check that the KUnit suites notice deliberate mistakes in the library
	@tests/mutants.sh

refresh-mutants: ## adapt the patches of deliberate mistakes to code that has moved
	@tests/refresh-mutants.sh

model: ## let spin check the model of a group's life, and broken variants of it
	@tests/model/model.sh

stress: ## the torture test for MINUTES, on a debug kernel
	@CONFIG=$(if $(filter file,$(origin CONFIG)),debug,$(CONFIG)) tests/stress/run.sh

random: ## random operations on all devices for MINUTES, on a debug kernel
	@CONFIG=$(if $(filter file,$(origin CONFIG)),debug,$(CONFIG)) tests/random/run.sh

stress-broken: ## check that the torture test notices deliberate mistakes
	@tests/stress/broken.sh

docs: ## the documentation as HTML, with the API from the sources
	@Documentation/build.sh

apply: ## put the library into the kernel tree KSRC
	@$(TREE)/tree.sh apply "$(KSRC)"

unapply: ## remove it again
	@$(TREE)/tree.sh unapply "$(KSRC)"

patch-fixes: ## write the fixes of the tree KERNEL or KSRC as mails for git am
	@$(TREE)/patch-fixes.sh

kernel: ## fetch and build the kernel that KERNEL, KSRC, IMPL and CONFIG name
	@$(TREE)/build.sh kernel

kdir: ## print its build directory, for KDIR= of external modules
	@$(TREE)/build.sh kdir

modules: ## build softacc.ko and iopf_forward.ko for that kernel, or for your own, KDIR
	@$(TREE)/modules.sh

install-tools: ## install iopfstat, its man page, and headers for programs, below PREFIX
	install -D -m 755 tests/tools/iopfstat "$(DESTDIR)$(PREFIX)/sbin/iopfstat"
	install -D -m 644 tests/tools/iopfstat.8 "$(DESTDIR)$(PREFIX)/share/man/man8/iopfstat.8"
	install -D -m 644 drivers-glue/softacc/softacc.h "$(DESTDIR)$(PREFIX)/include/iopf/softacc.h"
	install -D -m 644 drivers-glue/forwarder/iopf_forward.h \
		"$(DESTDIR)$(PREFIX)/include/iopf/iopf_forward.h"

shell: ## an interactive guest with the library and softacc
	@tests/guest/with-softacc.sh --shell

guest: ## run CMD in a fresh guest; its exit status is make's
	@tests/guest/with-softacc.sh

clean: ## remove kernels, modules and programs from the cache, keep downloads
	rm -rf "$(IOPF_CACHE)"/build "$(IOPF_CACHE)"/module "$(IOPF_CACHE)"/programs \
		"$(IOPF_CACHE)"/tree "$(IOPF_CACHE)"/guest "$(IOPF_CACHE)"/kunit
