#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""collect.py CSV MODE REP VARIANT [CORES]: adds a guest's result lines to a CSV file.

Reads the guest's output from standard input as it comes. CORES is what host/cores.c prints
meanwhile: each result gets the least and the greatest of the times since the results of the
scenario before. Other lines are shown, as they say what is wrong.
"""
import csv
import sys
import time


class Cores:
    """The times that host/cores.c has measured since the last scenario."""

    def __init__(self, path):
        self.file = open(path) if path else None
        self.begun = time.monotonic()
        self.scenario = None
        self.interval = ("", "")

    def during(self, scenario):
        """Return the least and the greatest time. Scenarios have several results each."""
        if scenario != self.scenario:
            self.scenario = scenario
            self.interval = self.measured() or self.interval
        return self.interval

    def measured(self):
        times = []
        for line in self.file or ():
            when, taken = line.split()
            if float(when) >= self.begun:
                times.append(int(taken))
        self.begun = time.monotonic()
        return times and (min(times), max(times))


def main():
    path, mode, rep, variant = sys.argv[1:5]
    impl, report = variant.split("-")
    cores = Cores(sys.argv[5] if len(sys.argv) > 5 else None)
    with open(path, "a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for line in iter(sys.stdin.readline, ""):
            words = line.split()
            if len(words) != 4 or words[0] != "result":
                print(line.rstrip(), file=sys.stderr)
                continue
            writer.writerow([mode, rep, impl, report, *words[1:], *cores.during(words[1])])


main()
