#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# words.sh [FILE...]: finds words that comments and documentation do not use, as
# "file:line: word: use ...". Status 1 if there are any. Without a FILE all files of the
# repository are looked through.
set -euo pipefail
. "$(dirname "$0")/../drivers-glue/in-tree/lib.sh"

cd "$TOP"
if [ $# -eq 0 ]; then
	# Not all trees are git's.
	mapfile -t files < <({ git ls-files -co --exclude-standard 2>/dev/null | grep . ||
				find . -type f -not -path './.git/*' -printf '%P\n'; } |
		grep -E '\.(c|h|rst|md|sh|pml|cocci|mail|patch|py)$|Makefile$|Kconfig$|tests/guest/init$')
	set -- "${files[@]}"
fi
need_packages python3
exec python3 - "$@" <<'END'
import re
import sys

# A regular expression, and what to write in its place.
WORDS = [
    (r"\b(he|his|him|himself)\b", "the handler, the driver, the worker"),
    (r"\b(somebody|someone|nobody|anybody|everybody|whoever)\b", "the name of the part that does it"),
    (r"\b(who|whom)\b", "the name of the part that does it"),
    (r"\blanes?\b", "PASID queue"),
    (r"\banswer(s|ed|ing)?\b|\bunanswered\b", "response, respond to, send the response"),
    (r"\bsolo\b", "single"),
    (r"\b(disown|disowned|disowns)\b", "interrupt, cancel"),
    (r"\b(kept|keeps?|held|holds?) back\b", "deferred"),
    (r"\bat home\b|\bgoes? home\b", "the default queue"),
    (r"\bthe (watch|look)\b|\ba (watch|look) per\b", "timeout work, monitor"),
    (r"\bsees? there\b", "the name of the place"),
    (r"\b(goes|go|going|gone|went) on\b", "continue"),
    (r"\bsees? to (it|the|them|that)\b", "the verb for it"),
    (r"\bin vain\b", "without success"),
    (r"\b(get|gets|be|is|getting) rid of\b", "remove, free"),
    (r"\bhad better\b|\ball the time in the world\b|\btook it upon\b", "a plain statement"),
    (r"\?(?=\s*($|\*/|[A-Z]))", "a statement: comments ask no questions"),
]

def c_comments(text):
    for found in re.finditer(r"/\*.*?\*/|//[^\n]*", text, re.S):
        yield found.start(), found.group()

def hash_comments(text):
    for found in re.finditer(r"(?m)(?:^|(?<=\s))#(?![!{(#])[^\n]*", text):
        yield found.start(), found.group()

def paragraph(text):
    yield 0, text.split("\n--- a/")[0]

def parts(name, text):
    if re.search(r"\.(c|h|pml|cocci)$", name):
        return c_comments(text)
    if name.endswith(".patch"):
        return paragraph(text)
    if re.search(r"\.(rst|md|mail)$", name):
        return [(0, text)]
    return hash_comments(text)

bad = 0
for name in sys.argv[1:]:
    if name == "tests/words.sh":
        continue
    with open(name, encoding="utf-8") as file:
        text = file.read()
    for start, part in parts(name, text):
        for word, instead in WORDS:
            for found in re.finditer(word, part, re.I):
                line = text.count("\n", 0, start + found.start()) + 1
                print(f"{name}:{line}: {found.group().strip()!r}: use {instead}")
                bad += 1
sys.exit(1 if bad else 0)
END
