#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""summary.py DIR: medians and paired ratios of DIR/results.csv.

Ratios are to io-pgfault.c in the same pair. What single reports make of the library has a
table of its own: whether a driver that is not changed falls behind.

Prints a table, which goes to DIR/summary.txt too, and writes what plot.gp draws:
throughput.dat and latency.dat.
"""
import collections
import csv
import statistics
import sys

# Metrics in the order of the table.
METRICS = {"pages_per_s": "pages/s", "p50_us": "p50 us", "p99_us": "p99 us",
           "max_us": "max us"}
# What a scenario is measured against: the floor with groups of the same size.
FLOORS = {"s1": "floor1", "s2": "floor1", "s3": "floor8", "s6": "floor32"}


# Nothing is reported in these.
ALIKE = ("cpu1", "cpu2", "populate", "floor1", "floor8", "floor32")
# How the library is reported to.
REPORTS = ("batch", "single")


def read(path):
    """values[mode][scenario, metric][variant][rep]: upstream, or how iopf was reported to"""
    values = collections.defaultdict(lambda: collections.defaultdict(
        lambda: collections.defaultdict(dict)))
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            key = row["scenario"], row["metric"]
            variant = row["report"] if row["impl"] == "iopf" else row["impl"]
            values[row["mode"]][key][variant][row["rep"]] = float(row["value"])
    return values


def measured(values):
    """Those of REPORTS that there are, in that order."""
    return [report for report in REPORTS
            if any(variants[report] for variants in values.values())]


def median(samples):
    return statistics.median(samples.values()) if samples else float("nan")


def ratios(variants, report):
    """Ours by upstream's, of each pair."""
    ours, theirs = variants[report], variants["upstream"]
    return sorted(ours[rep] / theirs[rep] for rep in ours if theirs.get(rep))


def spread(pairs):
    if not pairs:
        return "-"
    return "%.2f (%.2f to %.2f)" % (statistics.median(pairs), pairs[0], pairs[-1])


def threads_table(values):
    rows = [("scenario", "", "report", "iopf", "upstream", "ratio of pairs")]
    for (scenario, metric), variants in values.items():
        if metric not in METRICS:
            continue
        for report in measured(values):
            rows.append((scenario, METRICS[metric], report,
                         "%.0f" % median(variants[report]),
                         "%.0f" % median(variants["upstream"]),
                         spread(ratios(variants, report))))
    return rows


def insns(values, scenario):
    """Virtual nanoseconds are instructions: so many for a page."""
    rates = values[scenario, "pages_per_s"]
    counts = collections.defaultdict(dict)
    for variant in rates:
        counts[variant] = {rep: 1e9 / rate for rep, rate in rates[variant].items()}
    return counts


def floors(counts, base, variant):
    """How many floors a page costs, if the floor was measured."""
    if not counts[variant] or not base[variant]:
        return ""
    return "%.2f" % (median(counts[variant]) / median(base[variant]))


def icount_table(values):
    rows = [("scenario", "", "report", "iopf", "upstream", "ratio of pairs", "iopf/floor",
             "upstream/floor")]
    for scenario, metric in list(values):
        if metric != "pages_per_s":
            continue
        counts = insns(values, scenario)
        base = insns(values, FLOORS.get(scenario))
        for report in measured(values):
            rows.append((scenario, "insns/page", report,
                         "%.0f" % median(counts[report]),
                         "%.0f" % median(counts["upstream"]),
                         spread(ratios(counts, report)),
                         floors(counts, base, report),
                         floors(counts, base, "upstream")))
    return rows


def verdict(pairs, more_is_better):
    """Pairs that do not agree decide nothing."""
    if pairs[0] <= 1 <= pairs[-1]:
        return "level"
    return "ahead" if (pairs[0] > 1) == more_is_better else "behind"


def dropin_table(mode, values):
    """A driver that is not changed: does it fall behind?"""
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
                         verdict(pairs, unit == "pages/s")))
    return rows


def phases_table(values, report):
    """What the library measures itself, see enum iopf_phase."""
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
    """The first @left columns begin with the words, the others end with the figures."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(
        cell.ljust(width) if i < left else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(row, widths))).rstrip()
        for row in rows)


def write_plots(directory, values):
    with open(directory + "/throughput.dat", "w") as file:
        for (scenario, metric), variants in values.items():
            if metric == "pages_per_s":
                print(scenario, median(variants["upstream"]),
                      median(variants[measured(values)[0]]), file=file)
    with open(directory + "/latency.dat", "w") as file:
        for scenario in "s1", "s2", "s3":
            for variant in "upstream", measured(values)[0]:
                write_distribution(file, values, scenario, variant)


def write_distribution(file, values, scenario, variant):
    """Share of responses that took longer, over the time, all runs together."""
    counts = {int(metric[4:]): sum(variants[variant].values())
              for (name, metric), variants in values.items()
              if name == scenario and metric.startswith("lat_")}
    left = total = sum(counts.values())
    impl = "upstream" if variant == "upstream" else "iopf"
    print('"%s %s"' % (scenario, impl), file=file)
    for floor in sorted(counts):
        print(floor / 1000, left / total, file=file)
        left -= counts[floor]
    print("\n", file=file)


def add_tables(parts, mode, values):
    """What follows the figures of a mode."""
    rows = dropin_table(mode, values)
    if len(rows) > 1:
        parts.append("A driver that is not changed: one report for each request\n" +
                     layout(rows))
    for report in measured(values):
        rows = phases_table(values, report)
        if len(rows) > 1:
            parts.append("Where the time goes, %s (measured in another run)\n" % report +
                         layout(rows))


def main():
    directory = sys.argv[1]
    values = read(directory + "/results.csv")
    with open(directory + "/host") as file:
        parts = [file.read().rstrip()]
    if "threads" in values:
        parts.append("Threads, real time\n" +
                     layout(threads_table(values["threads"]), 3))
        write_plots(directory, values["threads"])
        add_tables(parts, "threads", values["threads"])
    if "icount" in values:
        parts.append("Instructions\n" + layout(icount_table(values["icount"]), 3))
        add_tables(parts, "icount", values["icount"])
    text = "\n\n".join(parts)
    print(text)
    with open(directory + "/summary.txt", "w") as file:
        print(text, file=file)


main()
