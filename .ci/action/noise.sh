#!/usr/bin/env bash
# Say which effects this runner can decide at all; half a minute. A noisy runner is warned of, and measured on nevertheless.
#
#   EFFECT    the change that is to be decided, such as 5%; by default those of the gate's budget
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

code=0
"$bench" doctor --noise ${EFFECT:+--effect "$EFFECT"} ${PAIRS:+--pairs "$PAIRS"} >"$work/noise.txt" || code=$?
cat "$work/noise.txt"
case $code in
  0) note "$(tail -n 1 "$work/noise.txt")" ;;
  3)
    note "$(tail -n 1 "$work/noise.txt")"
    warn "this runner is too noisy: $(tail -n 1 "$work/noise.txt")"
    ;;
  *) fail "$code" "The noise of this runner could not be measured; the step's log says why." ;;
esac
