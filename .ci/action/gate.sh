#!/usr/bin/env bash
# Judge: stored results against the history, or both sides measured in turn. Outputs: code (of bench gate), images (MB).
#
#   gate.sh stored | paired
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

mode=${1:?stored or paired}
files=(--md "$work/gate.md" --junit "$work/gate.xml" --json "$work/gate.json" --comment-marker "${COMMENT:-performance}")
[ -z "${BUDGET:-}" ] || files+=(--budget "$BUDGET")
rm -f "$work"/gate.{md,xml,json}
if [ "$mode" = stored ]; then
  if [ "${HISTORY:-branch}" = none ]; then
    note "No history is kept (history: none), so there is nothing to compare with."
    sides=("$work/no-baseline" "$results" --allow-first) # its absolute limits are judged all the same
  else
    sides=("$results" --baseline-store "$store")
    main=${MAIN:-${CI_DEFAULT_BRANCH:-}}
    [ -z "$main" ] || is_pull_request || sides+=(--merge-base-with "$main")
  fi
else
  rm -rf "$results"
  sides=("$SCENARIO" --paired --out "$results")
  [ ! -e "$work/baseline.toml" ] || sides=("$work/baseline.toml" "${sides[@]}")
  [ -z "${PAIRS:-}" ] || sides+=(--pairs "$PAIRS")
  while read -r setting; do
    [ -z "$setting" ] || sides+=(--set-candidate "$setting")
  done <<<"${SET_CANDIDATE:-}"
fi
code=0
"$bench" gate "${sides[@]}" "${files[@]}" || code=$?
output code "$code"
if [ "$mode" = paired ]; then
  output images "$(megabytes "$cache/images")"
  note "The paired run took $((SECONDS / 60)) min $((SECONDS % 60)) s; results have $(megabytes "$results") MB."
fi
case $code in
  0) ;;
  1) fail 1 "The gate found a regression." ;;
  3)
    found="The gate decided nothing"
    if grep -q '"verdict": *"suspect"' "$work/gate.json" 2>/dev/null; then
      found="The gate suspects a change, which a paired run would confirm or dismiss"
    fi
    [ "${UNDECIDED:-pass}" = pass ] || fail 3 "$found, and undecided: fail is set."
    warn "$found: the summary says more"
    ;;
  *) fail "$code" "The gate ended with exit code $code; the step's log says why." ;;
esac
