#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""summary.py DIR: medians and paired ratios of DIR/results.csv.

Prints a table, which goes to DIR/summary.txt too, and writes what plot.gp draws:
throughput.dat and latency.dat.
"""
import collections
import csv
import statistics
import sys

# Metrics in the order of the table, and whether more is better.
METRICS = {"pages_per_s": "pages/s", "p50_us": "p50 us", "p99_us": "p99 us",
           "max_us": "max us"}
# What a scenario is measured against: the floor with groups of the same size.
FLOORS = {"s1": "floor1", "s2": "floor1", "s3": "floor8", "s6": "floor32"}


def read(path):
    """values[mode][scenario, metric][impl][rep]"""
    values = collections.defaultdict(lambda: collections.defaultdict(
        lambda: collections.defaultdict(dict)))
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            key = row["scenario"], row["metric"]
            values[row["mode"]][key][row["impl"]][row["rep"]] = float(row["value"])
    return values


def median(samples):
    return statistics.median(samples.values()) if samples else float("nan")


def ratios(impls):
    """Ours by upstream's, of each pair."""
    ours, theirs = impls["iopf"], impls["upstream"]
    return sorted(ours[rep] / theirs[rep] for rep in ours if theirs.get(rep))


def spread(pairs):
    if not pairs:
        return "-"
    return "%.2f (%.2f to %.2f)" % (statistics.median(pairs), pairs[0], pairs[-1])


def threads_table(values):
    rows = [("scenario", "", "iopf", "upstream", "ratio of pairs")]
    for (scenario, metric), impls in values.items():
        if metric not in METRICS:
            continue
        rows.append((scenario, METRICS[metric], "%.0f" % median(impls["iopf"]),
                     "%.0f" % median(impls["upstream"]), spread(ratios(impls))))
    return rows


def icount_table(values):
    """Virtual nanoseconds are instructions: so many for a page."""
    rows = [("scenario", "", "iopf", "upstream", "ratio of pairs", "iopf/floor",
             "upstream/floor")]

    def insns(scenario, impl):
        rates = values[scenario, "pages_per_s"][impl]
        return {rep: 1e9 / rate for rep, rate in rates.items()}

    for scenario, metric in list(values):
        if metric != "pages_per_s":
            continue
        impls = {impl: insns(scenario, impl) for impl in ("iopf", "upstream")}
        row = [scenario, "insns/page", "%.0f" % median(impls["iopf"]),
               "%.0f" % median(impls["upstream"]), spread(ratios(impls))]
        floor = FLOORS.get(scenario)
        for impl in impls:
            base = median(insns(floor, impl)) if floor else 0
            row.append("%.2f" % (median(impls[impl]) / base) if base else "")
        rows.append(row)
    return rows


def phases_table(values):
    """What the library measures itself, see enum iopf_phase."""
    phases = collections.defaultdict(dict)
    scenarios = []
    for (scenario, metric), impls in values.items():
        if metric.startswith("phase_"):
            phases[metric[6:]][scenario] = median(impls["iopf"])
            if scenario not in scenarios:
                scenarios.append(scenario)
    rows = [("phase", "ns of a") + tuple(scenarios)]
    for phase, times in phases.items():
        unit = "page" if phase in ("report", "response", "free") else "group"
        rows.append((phase, unit) + tuple("%.0f" % times[scenario]
                                          for scenario in scenarios))
    return rows


def layout(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(
        cell.ljust(width) if i < 2 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(row, widths))).rstrip()
        for row in rows)


def write_plots(directory, values):
    with open(directory + "/throughput.dat", "w") as file:
        for (scenario, metric), impls in values.items():
            if metric == "pages_per_s":
                print(scenario, median(impls["upstream"]), median(impls["iopf"]),
                      file=file)
    with open(directory + "/latency.dat", "w") as file:
        for scenario in "s1", "s2", "s3":
            for impl in "upstream", "iopf":
                write_distribution(file, values, scenario, impl)


def write_distribution(file, values, scenario, impl):
    """Share of answers that took longer, over the time, all runs together."""
    counts = {int(metric[4:]): sum(impls[impl].values())
              for (name, metric), impls in values.items()
              if name == scenario and metric.startswith("lat_")}
    left = total = sum(counts.values())
    print('"%s %s"' % (scenario, impl), file=file)
    for floor in sorted(counts):
        print(floor / 1000, left / total, file=file)
        left -= counts[floor]
    print("\n", file=file)


def add_phases(parts, values):
    rows = phases_table(values)
    if len(rows) > 1:
        parts.append("Where the time goes (measured in another run)\n" + layout(rows))


def main():
    directory = sys.argv[1]
    values = read(directory + "/results.csv")
    with open(directory + "/host") as file:
        parts = [file.read().rstrip()]
    if "threads" in values:
        parts.append("Threads, real time\n" + layout(threads_table(values["threads"])))
        write_plots(directory, values["threads"])
        add_phases(parts, values["threads"])
    if "icount" in values:
        parts.append("Instructions\n" + layout(icount_table(values["icount"])))
        add_phases(parts, values["icount"])
    text = "\n\n".join(parts)
    print(text)
    with open(directory + "/summary.txt", "w") as file:
        print(text, file=file)


main()
