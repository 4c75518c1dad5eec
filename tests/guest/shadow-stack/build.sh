#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build.sh: builds shadow_stack.ko and prints where it is, see module.sh.
exec "$(dirname "$0")/../../../drivers-glue/in-tree/module.sh" tests/guest/shadow-stack shadow_stack
