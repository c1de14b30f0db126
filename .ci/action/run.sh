#!/usr/bin/env bash
# Measure the scenario once, for a comparison with stored runs and for the history. Output: images (MB of built ones).
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

read -r -d '' -a options <<<"${RUN_OPTIONS:-}" || true # of any number of lines
rm -rf "$results"
code=0
"$bench" run "$SCENARIO" --out "$results" "${options[@]}" || code=$?
images=$(megabytes "$cache/images")
output images "$images"
note "The run took $((SECONDS / 60)) min $((SECONDS % 60)) s; results have $(megabytes "$results") MB, images $images MB."
case $code in
  0) ;;
  3) warn "some trials are invalid: the report in the artifact says which and why" ;;
  *) fail "$code" "The run ended with exit code $code; the step's log says why." ;;
esac
