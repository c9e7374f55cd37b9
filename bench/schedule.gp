# Makespan beside the lower bound, by lanes: the coordinator and static sharding. In: data (TSV), out (SVG).
set terminal svg size 760,460 font "sans,13" background "white"
set output out
set logscale x 2
set logscale y 10
set xlabel "lanes"
set ylabel "makespan / lower bound"
set xtics (16, 64, 256, 1024, 4096, 16384)
set yrange [0.9:*]
set key top left
set grid ytics lc rgb "#dddddd"
plot data using 1:4 with linespoints lw 2 pt 5 lc rgb "#b2182b" title "static, contiguous blocks", \
     data using 1:3 with linespoints lw 2 pt 9 lc rgb "#ef8a62" title "static, round robin", \
     data using 1:5 with linespoints lw 2 pt 13 lc rgb "#999999" title "static, with the planner's cuts", \
     data using 1:2 with linespoints lw 2 pt 7 lc rgb "#2166ac" title "coordinator (nodes lost on the way)"
