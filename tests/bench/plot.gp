# SPDX-License-Identifier: GPL-2.0
#
# plot.gp DIR: draws DIR/throughput.dat and DIR/latency.dat as SVG.
dir = ARG1
set terminal svg size 900,420 dynamic font "sans,12" background "white"
set style line 1 lc rgb "#b0b0b0"
set style line 2 lc rgb "#2060a0"

set output dir."/throughput.svg"
set title "Pages per second, median of the runs"
set style data histogram
set style histogram cluster gap 1
set style fill solid 0.9 border -1
set yrange [0:*]
set grid ytics
set key top left
plot dir."/throughput.dat" using 2:xtic(1) title "io-pgfault.c" ls 1, \
     "" using 3 title "iopf" ls 2

set output dir."/latency.svg"
set title "Share of page request groups that wait longer than ..."
set xlabel "microseconds from request to response"
set logscale xy
set yrange [1e-4:1]
set key bottom left
set style data steps
set auto x
set style line 11 lw 2 lc rgb "#b0b0b0" dt 1
set style line 12 lw 2 lc rgb "#2060a0" dt 1
set style line 13 lw 2 lc rgb "#b0b0b0" dt 2
set style line 14 lw 2 lc rgb "#2060a0" dt 2
set style line 15 lw 2 lc rgb "#b0b0b0" dt 3
set style line 16 lw 2 lc rgb "#2060a0" dt 3
plot for [i=0:5] dir."/latency.dat" index i using 1:2 with steps ls 11+i \
     title columnheader(1)
