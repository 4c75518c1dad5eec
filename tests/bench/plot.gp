# SPDX-License-Identifier: GPL-2.0
#
# plot.gp DIR: draws DIR/ratio.dat as DIR/throughput.svg and DIR/range.dat as
# DIR/latency.svg. Scenarios are rows, so that their names and small figures can be read.
dir = ARG1
stats dir."/ratio.dat" index 0 using 3 nooutput
rows = STATS_records
stats dir."/range.dat" index 0 using 3 nooutput
rows_of_latency = STATS_records
stats dir."/ratio.dat" using 4 name "low" nooutput
stats dir."/ratio.dat" using 5 name "high" nooutput
stats dir."/range.dat" using 3 name "fast" nooutput
stats dir."/range.dat" using 4 name "slow" nooutput
set terminal svg size 820,130 + 34 * rows dynamic font "sans,14" background "white"
set style line 1 lc rgb "#808080" lw 2 pt 7 ps 0.7
set style line 2 lc rgb "#2060a0" lw 2 pt 7 ps 0.7
set style line 3 lc rgb "#d06010" lw 2 pt 5 ps 0.7
set yrange [rows - 0.4:-0.6]
set grid xtics lc rgb "#d0d0d0"
set border 1
set ytics nomirror scale 0
set xtics nomirror
set key outside top center horizontal samplen 2 width -4
set lmargin at screen 0.29
set rmargin at screen 0.97

set output dir."/throughput.svg"
set title "Pages per second: ratio to io-pgfault.c, median and range of the pairs"
set logscale x
set xrange [low_min / 1.1:high_max * 1.1]
set xtics (0.5, 0.7, 1, 1.2, 1.5, 2, 3, 5, 10, 20, 50, 100, 200)
set arrow from 1, graph 0 to 1, graph 1 nohead lc rgb "#808080" lw 1.5
plot dir."/ratio.dat" index 0 using 3:($2 - 0.12):4:5:ytic(1) with xerrorbars ls 2 \
     title "batch reports", \
     "" index 1 using 3:($2 + 0.12):4:5 with xerrorbars ls 3 title "single reports"

unset arrow
set terminal svg size 820,130 + 34 * rows_of_latency dynamic font "sans,14" background "white"
set output dir."/latency.svg"
set title "Microseconds from request to response: p50 to p99"
set xtics (1, 10, 100, 1000, 10000, 100000)
set xrange [fast_min / 1.5:slow_max * 1.5]
set yrange [rows_of_latency - 0.4:-0.6]
plot dir."/range.dat" index 0 using 3:($2 - 0.2):3:4:ytic(1) with xerrorbars ls 1 \
     title "io-pgfault.c", \
     "" index 1 using 3:2:3:4 with xerrorbars ls 2 title "batch reports", \
     "" index 2 using 3:($2 + 0.2):3:4 with xerrorbars ls 3 title "single reports"
