#!/usr/bin/env bash
# Decide what this run does, and by which keys its caches are found.
#
# Outputs: mode (stored, paired), environment-key, image-key, environment, kernels, images, results, history (paths), keep
# (whether the run goes into the history).
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# What an earlier job left, where the folder outlives one.
rm -rf "$work"/{notes,gate,comment}.md "$work"/{history,noise}.txt "$work"/gate.{xml,json} "$work/history.html" "$results"
[ -n "${SCENARIO:-}" ] || fail 2 "scenario: name a file of your repository, such as bench/ci.toml"
for pair in "against:${AGAINST:=history}:history merge-base" "undecided:${UNDECIDED:=pass}:pass fail" \
  "history:${HISTORY:=branch}:branch artifact none"; do
  IFS=: read -r name value allowed <<<"$pair"
  [[ " $allowed " == *" $value "* ]] || fail 2 "$name: ${value:-nothing} is none of: ${allowed// /, }"
done

mode=stored
[ -z "${SET_CANDIDATE:-}" ] || mode=paired
rm -f "$work/baseline.toml"
if [ "$mode" = stored ] && [ "$AGAINST" = merge-base ] && is_pull_request; then
  [ -e "$SCENARIO" ] || fail 2 "scenario: $SCENARIO is no file of this repository, which against: merge-base needs"
  base=$(git merge-base HEAD "origin/$target") ||
    fail 2 "HEAD and origin/$target have no commit in common here: set fetch-depth: 0 in actions/checkout"
  if git show "$base:./$(realpath --relative-to=. "$SCENARIO")" >"$work/baseline.toml" 2>/dev/null; then
    mode=paired
  else
    rm "$work/baseline.toml"
    note "$SCENARIO is new here: there is nothing to compare with yet."
  fi
fi
keep=false
[ "$mode" = paired ] || [ "$HISTORY" = none ] || is_pull_request || keep=true

# An environment is bound to its path and interpreter, an image to its recipes alone.
digest() { sha256sum | cut -c -16; }
system=$(. /etc/os-release && echo "$ID-${VERSION_ID:-}-$(uname -m)")
environment=$({ echo "$root"; python3 -VV; cat "$root"/{requirements.lock,pyproject.toml,.ci/setup.sh}; } | digest)
image=$(cat "$root"/brokers/image/*.toml | digest)
output mode "$mode"
output keep "$keep"
output environment-key "busbench-environment-$system-$environment"
output image-key "busbench-image-$(uname -m)-$image"
output environment "$root/.venv"
output kernels "$cache/kernels"
output images "$cache/images"
output results "$results"
output history "$store"
