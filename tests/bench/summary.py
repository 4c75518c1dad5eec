#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""summary.py DIR: medians and paired ratios of DIR/results.csv.

Ratios are to io-pgfault.c in the same pair. A table of its own compares an unmodified
driver, which reports requests one by one. A scenario of a pair is left out if the host's
cores were farther apart in one of the pair's guests than in another, see host/cores.c.

Prints the tables, writes them to DIR/summary.txt, and writes ratio.dat and range.dat for
plot.gp. summary.py --pairs DIR prints the least number of pairs of a scenario instead.
"""
import collections
import csv
import statistics
import sys

# Metrics in the order of the table
METRICS = {"pages_per_s": "pages/s", "p50_us": "p50 us", "p99_us": "p99 us",
           "max_us": "max us", "loops_per_s": "loops/s"}
# The scenario to compare with: the floor with groups of the same size
FLOORS = {"s1": "floor1", "s2": "floor1", "s3": "floor8", "s6": "floor32"}

# What a plot calls a scenario
LABELS = {"s1": "s1: 1 page, one at a time", "s2": "s2: 1 page, 32 outstanding",
          "s3": "s3: 8 pages, 16 outstanding", "s4": "s4: s3, 4 processes",
          "s5": "s5: s3, mappings change", "s6": "s6: 32 pages, 16 outstanding",
          "s8.file": "s8: s3, a file in memory", "s8.thp": "s8: s3, huge pages",
          "s10": "s10: s1 beside s2", "s12": "s12: 3 of s3, unbind loop",
          "s11": "s11: s1 after stale requests"}
# As s1 or s4, and not drawn
NOT_DRAWN = ("s7", "s10.alone", "s11.before", "s12.alone")
# Ratios of hundreds would press the others together.
NO_RATIO = ("s11",)

# Scenarios without reports
ALIKE = ("cpu1", "cpu2", "populate", "floor1", "floor8", "floor32")
# Ways to report to the library
REPORTS = ("batch", "single")
# A cache line that takes this many times as long between cores makes another machine: on a
# virtual one 80 ns are usual, 120 not rare, and 380 mean that no cache is shared.
APART = 2.5


class Cores:
    """How far apart the host's cores were: the least and the greatest time of each pair."""

    def __init__(self):
        self.times = {}

    def add(self, row):
        """Add the times of a result. Icount has none."""
        if row["near_ns"]:
            pair = row["scenario"], row["rep"]
            times = float(row["near_ns"]), float(row["far_ns"])
            self.times[pair] = [choose(both) for choose, both in
                                zip((min, max), zip(times, self.times.get(pair, times)))]

    def moved(self, row):
        if not row["near_ns"]:
            return False
        times = self.times[row["scenario"], row["rep"]]
        return times[1] > APART * times[0]

    def describe(self):
        """Return a line for the table's head."""
        used = [times for times in self.times.values() if times[1] <= APART * times[0]]
        if not self.times:
            return "cores not measured"
        if not used:
            return "cores moved: all %d measurements left out" % len(self.times)
        return ("cores a cache line goes from core to core and back in %.0f to %.0f ns; "
                "%d of %d measurements left out, as that changed" %
                (min(times[0] for times in used), max(times[1] for times in used),
                 len(self.times) - len(used), len(self.times)))


def read(path):
    """Return values[mode][scenario, metric][variant][rep], and the host's cores.

    A variant is upstream or a report.
    """
    values = collections.defaultdict(lambda: collections.defaultdict(
        lambda: collections.defaultdict(dict)))
    cores = Cores()
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        cores.add(row)
    for row in rows:
        key = row["scenario"], row["metric"]
        variant = row["report"] if row["impl"] == "iopf" else row["impl"]
        # The scenario exists, even if no pair of it can be used.
        reps = values[row["mode"]][key][variant]
        if not cores.moved(row):
            reps[row["rep"]] = float(row["value"])
    return values, cores


def least_pairs(values):
    """Return how many pairs the scenario with the fewest has."""
    return min((len(ratios(variants, report))
                for modes in values.values() for (_, metric), variants in modes.items()
                for report in measured(modes)
                if metric in METRICS and "upstream" in variants), default=0)


def measured(values):
    """Return the measured ones of REPORTS, in that order."""
    return [report for report in REPORTS
            if any(report in variants for variants in values.values())]


def median(samples):
    return statistics.median(samples.values()) if samples else float("nan")


def ratios(variants, report):
    """Return the ratio of ours to upstream's for each pair, sorted."""
    ours, theirs = variants[report], variants["upstream"]
    return sorted(ours[rep] / theirs[rep] for rep in ours if theirs.get(rep))


def spread(pairs):
    if not pairs:
        return "-"
    return "%.2f (%.2f to %.2f)" % (statistics.median(pairs), pairs[0], pairs[-1])


def threads_table(values):
    reports = measured(values)
    rows = [["scenario", "", "upstream"]]
    for report in reports:
        rows[0] += [report, "ratio of pairs"]
    for (scenario, metric), variants in values.items():
        if metric not in METRICS:
            continue
        rows.append([scenario, METRICS[metric], "%.0f" % median(variants["upstream"])])
        for report in reports:
            rows[-1] += ["%.0f" % median(variants[report]),
                         spread(ratios(variants, report))]
    return rows


def insns(values, scenario):
    """Return the instructions per page, which are virtual nanoseconds."""
    rates = values[scenario, "pages_per_s"]
    counts = collections.defaultdict(dict)
    for variant in rates:
        counts[variant] = {rep: 1e9 / rate for rep, rate in rates[variant].items()}
    return counts


def floors(counts, base, variant):
    """Return the cost of a page in multiples of the floor, if that was measured."""
    if not counts[variant] or not base[variant]:
        return ""
    return "%.2f" % (median(counts[variant]) / median(base[variant]))


def icount_table(values):
    reports = measured(values)
    rows = [["scenario", "", "upstream", "floors"]]
    for report in reports:
        rows[0] += [report, "floors", "ratio of pairs"]
    for scenario, metric in list(values):
        if metric != "pages_per_s":
            continue
        counts = insns(values, scenario)
        base = insns(values, FLOORS.get(scenario))
        rows.append([scenario, "insns/page", "%.0f" % median(counts["upstream"]),
                     floors(counts, base, "upstream")])
        for report in reports:
            rows[-1] += ["%.0f" % median(counts[report]), floors(counts, base, report),
                         spread(ratios(counts, report))]
    return rows


def verdict(pairs, more_is_better):
    """Return "level" unless all pairs agree."""
    if pairs[0] <= 1 <= pairs[-1]:
        return "level"
    return "ahead" if (pairs[0] > 1) == more_is_better else "behind"


def dropin_table(mode, values):
    """Return the comparison of an unmodified driver."""
    rows = [("scenario", "", "pairs", "ratio of pairs", "verdict")]
    for scenario, metric in list(values):
        if scenario in ALIKE or metric not in METRICS:
            continue
        if mode == "threads":
            variants, unit = values[scenario, metric], METRICS[metric]
        elif metric == "pages_per_s":
            variants, unit = insns(values, scenario), "insns/page"
        else:
            continue
        pairs = ratios(variants, "single")
        if pairs:
            rows.append((scenario, unit, str(len(pairs)), spread(pairs),
                         verdict(pairs, unit in ("pages/s", "loops/s"))))
    return rows


def phases_table(values, report):
    """Return the times that the library measures, see enum iopf_phase."""
    phases = collections.defaultdict(dict)
    scenarios = []
    for (scenario, metric), variants in values.items():
        if metric.startswith("phase_"):
            phases[metric[6:]][scenario] = median(variants[report])
            if scenario not in scenarios:
                scenarios.append(scenario)
    rows = [("phase", "ns of a") + tuple(scenarios)]
    for phase, times in phases.items():
        unit = "page" if phase in ("report", "response", "free") else "group"
        rows.append((phase, unit) + tuple("%.0f" % times[scenario]
                                          for scenario in scenarios))
    return rows


def layout(rows, left=2):
    """Align the first @left columns to the left and the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(
        cell.ljust(width) if i < left else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(row, widths))).rstrip()
        for row in rows)


def write_blocks(path, blocks, scenarios):
    """Write a block of rows for each of the blocks: name, row, figures.

    gnuplot does not count empty blocks, so what was not measured is not a number.
    """
    with open(path, "w") as file:
        for block in blocks:
            for row, scenario in enumerate(scenarios):
                print('"%s"' % LABELS.get(scenario, scenario), row,
                      *("%.4g" % figure for figure in
                        block(scenario) or [float("nan")] * 3), file=file)
            print("\n", file=file)


def write_plots(directory, values):
    def ratio(report):
        def of(scenario):
            pairs = ratios(values[scenario, "pages_per_s"], report)
            return pairs and (statistics.median(pairs), pairs[0], pairs[-1])
        return of

    def times(variant):
        def of(scenario):
            return [median(values[scenario, metric][variant])
                    for metric in ("p50_us", "p99_us")]
        return of

    def compared(metric, omitted):
        return [scenario for scenario, name in list(values)
                if name == metric and scenario not in ALIKE + NOT_DRAWN + omitted and
                ratios(values[scenario, metric], measured(values)[0])]

    write_blocks(directory + "/ratio.dat", [ratio(report) for report in REPORTS],
                 compared("pages_per_s", NO_RATIO))
    write_blocks(directory + "/range.dat", [times(v) for v in ("upstream",) + REPORTS],
                 compared("p99_us", ()))


def add_tables(parts, mode, values):
    """Add the further tables of a mode."""
    rows = dropin_table(mode, values)
    if len(rows) > 1:
        parts.append("An unmodified driver: one report for each request\n" +
                     layout(rows))
    for report in measured(values):
        rows = phases_table(values, report)
        if len(rows) > 1:
            parts.append("Time of each phase, %s (measured in another run)\n" % report +
                         layout(rows))


def main():
    directory = sys.argv[-1]
    values, cores = read(directory + "/results.csv")
    if sys.argv[1] == "--pairs":
        print(least_pairs(values))
        return
    with open(directory + "/host") as file:
        parts = [file.read().rstrip()]
    if "threads" in values:
        parts[0] += "\n" + cores.describe()
        parts.append("Threads, real time\n" +
                     layout(threads_table(values["threads"])))
        write_plots(directory, values["threads"])
        add_tables(parts, "threads", values["threads"])
    if "icount" in values:
        parts.append("Instructions\n" + layout(icount_table(values["icount"])))
        add_tables(parts, "icount", values["icount"])
    text = "\n\n".join(parts)
    print(text)
    with open(directory + "/summary.txt", "w") as file:
        print(text, file=file)


main()
