#!/bin/sh
# Run the checks beside the tests.
# usage: gate.sh MAKE PYTEST [ARGUMENT...]
# The checks report in one piece as soon as they end. The gate fails where a check or a test does.
set -u
make=$1
shift
report=$(mktemp)
trap 'rm -f "$report"' EXIT

(
    trap 'kill "$running" 2>/dev/null; exit 1' TERM
    # the tests measure time, so they go first where there is not enough for both
    nice -n 5 "$make" --no-print-directory checks >"$report" 2>&1 &
    running=$!
    wait "$running"
    code=$?
    echo
    cat "$report"
    exit "$code"
) &
checks=$!
trap 'kill "$checks" 2>/dev/null; exit 130' INT TERM

echo "== tests, and the checks beside them"
"$@"
tests=$?
if ! wait "$checks"; then
    echo "the checks failed: their report is above, and \`make checks\` repeats it" >&2
    exit 1
fi
exit "$tests"
