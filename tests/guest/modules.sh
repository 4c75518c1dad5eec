#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# modules.sh: builds the modules that guests load, for the kernel that KERNEL, KSRC,
# IMPL and CONFIG name, and prints their paths.
set -euo pipefail

here=$(dirname "$0")
"$here/../../drivers-glue/in-tree/modules.sh"
"$here/shadow-stack/build.sh"
