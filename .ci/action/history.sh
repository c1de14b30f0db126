#!/usr/bin/env bash
# The history of stored runs, as a branch of this repository that has nothing in common with others.
#
#   history.sh fetch     bring what is stored into the work folder
#   history.sh add       add the run, and say what changed over time
#   history.sh push      store it; what others stored meanwhile is kept
#
# No file of the checkout is touched, and no branch of it. Files of a history are written once and never changed, so two
# histories are merged by having the files of both.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

attempts=${ATTEMPTS:-5}

fetch() {
  local heads
  # Whole, although its newest commit has every file: a shallow fetch would make the checkout a shallow one.
  if git fetch --quiet --no-tags origin "refs/heads/$branch" 2>"$work/fetch.err"; then
    tip=$(git rev-parse FETCH_HEAD)
    git archive "$tip" | tar --extract --directory "$store"
  else
    # Who does not answer may have a history: only an origin that answers and has none begins one.
    heads=$(git ls-remote --heads origin "refs/heads/$branch") && [ -z "$heads" ] ||
      fail 4 "The branch $branch cannot be fetched: $(tail -n 1 "$work/fetch.err")"
    tip=
  fi
}

add() {
  local code=0 of
  "$bench" history add "$results" --store "$store" || fail $? "The run was not stored; the step's log says why."
  of=$("$bench" history branch) # of a branch, its own series are looked at
  "$bench" history check --store "$store" ${of:+--branch "$of"} --html "$work/history.html" >"$work/history.txt" || code=$?
  cat "$work/history.txt"
  case $code in
    0) ;;
    3) warn "the history shows a change that nobody has judged: the summary has it" ;;
    *) fail "$code" "The history cannot be judged; the step's log says why." ;;
  esac
}

commit_store() { # prints the commit that has every file of the store
  local tree git_dir
  git_dir=$(git rev-parse --absolute-git-dir)
  export GIT_INDEX_FILE=$work/history.index
  rm -f "$GIT_INDEX_FILE"
  (cd "$store" && git --git-dir "$git_dir" --work-tree . add --all --force .)
  tree=$(git --git-dir "$git_dir" write-tree)
  unset GIT_INDEX_FILE
  git -c user.name=busbench -c user.email=busbench@localhost commit-tree "$tree" ${tip:+-p "$tip"} \
    -m "busbench: run of ${GITHUB_SHA:-$(git rev-parse HEAD)}"
}

push() {
  local attempt commit
  for attempt in $(seq "$attempts"); do
    fetch
    commit=$(commit_store)
    if git push --quiet origin "${commit:?}:refs/heads/$branch" 2>"$work/push.err"; then
      echo "stored on branch $branch"
      return
    fi
    echo "attempt $attempt of $attempts: $(tail -n 1 "$work/push.err")"
    sleep "$((RANDOM % (attempt + 1)))"
  done
  fail 4 "The history cannot be stored on branch $branch (the job needs permissions: contents: write): \
$(tail -n 1 "$work/push.err")"
}

mkdir -p "$store"
case ${1:-} in
  fetch)
    rm -rf "${store:?}"/* # of an earlier job, where the folder outlives one
    fetch
    ;;
  add | push) "$1" ;;
  *) fail 2 "history.sh: say fetch, add or push" ;;
esac
