# Prints "PASSED FAILED SKIPPED" for a JUnit file of ctest. A Criterion program counts by its own tests (its Synthesis
# line, and its [SKIP] lines), any other by one; a program that failed counts as one failure at least, also when it
# died before it could report.
function finish(    s, f) {
    if (status == "")
        return
    if (status == "run" && tested >= 0) {
        passed += passing
        failed += failing
        skipped += skips
    } else if (status == "run") {
        passed++
    } else if (status == "fail") {
        if (tested >= 0) {
            passed += passing
            skipped += skips
        }
        failed += (tested >= 0 && failing > 0) ? failing : 1
    } else {
        skipped++
    }
    status = ""
}
/<testcase / {
    finish()
    tested = -1; skips = 0; passing = 0; failing = 0
    status = $0
    sub(/.* status="/, "", status)
    sub(/".*/, "", status)
    if (status == "fail" || status == "run") {}
    else status = "skipped"
}
/Synthesis: Tested: / {
    line = $0
    gsub(/[^0-9|]/, "", line)
    split(line, n, "|")
    if (tested < 0) tested = 0
    tested += n[1]; passing += n[2]; failing += n[3] + n[4]
}
/\[SKIP\]/ { skips++ }
END { finish(); printf "%d %d %d\n", passed, failed, skipped }
