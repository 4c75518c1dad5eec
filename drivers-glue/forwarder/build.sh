#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build.sh: builds iopf_forward.ko and prints where it is, see module.sh.
exec "$(dirname "$0")/../in-tree/module.sh" drivers-glue/forwarder iopf_forward
