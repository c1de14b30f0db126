#!/usr/bin/env bash
# Put together what people read, whatever came of the steps before: comment.md, shown on the run's own page as well.
#
#   SETUP    outcome of the setup, as GitHub names it: success, failure, cancelled, skipped
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

rm -f "$work/latest" # leads to the results: an upload would have them twice
{
  if [ -s "$work/gate.md" ]; then
    cat "$work/gate.md"
  else
    echo "<!-- busbench: ${COMMENT:-performance} -->"
    if [ "${SETUP:-success}" = success ]; then
      echo "**Performance: no verdict.** ${SCENARIO:-The scenario} was not judged."
    else
      echo "**Performance: no result.** The setup ended with: ${SETUP:-nothing}. Nothing was measured, so nothing is said of this change."
    fi
  fi
  if [ -s "$work/history.txt" ]; then
    printf '\n<details><summary>Over time</summary>\n\n```\n'
    tail -n 400 "$work/history.txt" | cut -c -300 | sed 's/```/` ` `/g'
    printf '```\n\n</details>\n'
  fi
  if [ -s "$work/notes.md" ]; then
    echo
    sed 's/^/- /' "$work/notes.md"
  fi
} >"$work/comment.md"
cat "$work/comment.md" >>"${GITHUB_STEP_SUMMARY:-/dev/stdout}"
