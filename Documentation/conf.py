# SPDX-License-Identifier: GPL-2.0
project = 'iopf'
extensions = []
html_theme = 'alabaster'
# Wide enough for tables of four columns and listings of 110 columns at 1280 pixels.
html_theme_options = {
    'page_width': '1240px',
    'sidebar_width': '200px',
    'body_max_width': 'none',
    'font_size': '15px',
}
html_static_path = ['static']
html_css_files = ['tables.css']
# kernel-doc marks functions and structures of C.
primary_domain = 'c'
highlight_language = 'none'
# Included by pages, no pages themselves.
exclude_patterns = ['generated']
