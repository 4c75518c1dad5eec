#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build.sh: builds softacc.ko and prints where it is, see module.sh.
exec "$(dirname "$0")/../in-tree/module.sh" drivers-glue/softacc softacc
