# SPDX-License-Identifier: GPL-2.0
project = 'iopf'
extensions = []
html_theme = 'alabaster'
# kernel-doc marks functions and structures of C.
primary_domain = 'c'
highlight_language = 'none'
