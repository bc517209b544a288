#!/bin/bash
# Asks oslo.policy anew and compares with the verdicts that the tests of the crate go by.
#   triples.sh PYTHON      one that has oslo.policy
set -euo pipefail
cd "$(dirname "$0")/.."
kept=tests/policy/triples.json
differs=$(mktemp)
trap 'rm -f "$differs"' EXIT
if "$1" tests/policy/triples.py | diff "$kept" - > "$differs"; then
    echo "oslo.policy says what $kept says ($(wc -l < "$kept") lines)"
else
    head -n 20 "$differs" | cut -c -200
    echo "oslo.policy differs from $kept: look why, then \`just triples PYTHON\`"
    exit 1
fi
