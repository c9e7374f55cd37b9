# manual_man.awk: the manual page, in man(7), from the lines of docs/manual.sh.

# Text as roff wants it: backslashes, hyphens that are minus signs, a dot or an apostrophe at the beginning of a line; what stands
# in `quotes` is bold.
function roff(text) {
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    while (match(text, /`[^`]+`/))
        text = substr(text, 1, RSTART - 1) "\\fB" substr(text, RSTART + 1, RLENGTH - 2) "\\fR" substr(text, RSTART + RLENGTH)
    sub(/^[.']/, "\\\\\\&&", text)
    return text
}

function sentence(text) {
    return roff(text (text ~ /[.]$/ ? "" : "."))
}

BEGIN {
    split(version, words, " ")
    printf ".TH FAKESIFT 1 \"\" \"%s\" \"User commands\"\n", roff(version)
    print ".SH NAME\nfakesift \\- scores every video of a corpus for deepfakes"
    print ".SH SYNOPSIS\n.B fakesift\n.I COMMAND\n[\\fIOPTION\\fR]... [\\fIARGUMENT\\fR]..."
    print ".SH DESCRIPTION"
    print "Scores every video of a large corpus for deepfakes, on one machine or on a cluster, and reduces the scores to one report."
    print "Alone it works with all processors of a machine; started by \\fBmpirun\\fR(1) or \\fBsrun\\fR(1) one rank a node works on them"
    print "together; \\fBfakesift submit\\fR hands a run in to Slurm. Every video ends with exactly one outcome. The same command, given"
    print "again, goes on where it was."
    print ".SH COMMANDS"
}

$1 == "command" {
    name = $2
    purpose = $3
    next
}

$1 == "usage" {
    printf ".SS fakesift %s [\\fIOPTION\\fR]...%s\n", roff(name), $2 == "-" ? "" : " \\fI" roff($2) "\\fR"
    print roff($3)
    after = $4
    n = 0
    if (after != "-")
        printf ".PP\n%s\n", roff(after)
    next
}

$1 == "option" {
    head = $3 == "-" ? "" : "\\fB\\-" roff($3) "\\fR, "
    argument = $4 == "-" ? "" : $5 == "optional" ? "[=\\fI" roff($4) "\\fR]" : "=\\fI" roff($4) "\\fR"
    printf ".TP\n%s\\fB\\-\\-%s\\fR%s\n%s\n", head, roff($2), argument, sentence($6)
}

END {
    print ".PP\nEach command also knows \\fB\\-\\-help\\fR, \\fB\\-\\-usage\\fR and \\fB\\-\\-version\\fR."
    print ".SH EXIT STATUS"
    split("0|Done.|1|Wrong usage.|2|Failed; one line says which file, which value and which rule.|" \
        "3|Done, but some videos have no score (\\fB\\-\\-strict\\fR), or there are findings (\\fBaudit \\-\\-fail\\-on\\fR).|" \
        "75|Stopped early, by a signal or a time limit; the same command goes on.", codes, "|")
    for (i = 1; i <= 10; i += 2)
        printf ".TP\n.B %s\n%s\n", codes[i], codes[i + 1]
    print ".SH ENVIRONMENT"
    print ".TP\n.B FAKESIFT_CACHE\nWhere detectors are installed; default \\fI~/.cache/fakesift\\fR."
    print ".TP\n.B FAKESIFT_ZOO_MIRROR\nA folder that \\fBmodels fetch\\fR looks into before the network."
    print ".SH FILES"
    print ".TP\n.I RUN/scores.csv\nA line a video: its outcome and its score."
    print ".TP\n.I RUN/report.html\nThe report, one file that works offline; \\fIreport.json\\fR and \\fIresults.sqlite\\fR hold the same."
    print ".TP\n.I RUN/journal/\nWhat is done, from which a run goes on."
    print ".SH EXAMPLES"
    print ".nf\nfakesift run videos/ \\-\\-detector fakesift\\-small \\-o run"
    print "mpirun \\-n 4 fakesift run videos/ \\-\\-detector fakesift\\-small \\-o run"
    print "fakesift submit videos/ \\-\\-detector fakesift\\-small \\-o run\nfakesift status run\n.fi"
}
