# What the steps of action.yml share: where things are, and how they speak. Sourced, not run.
#
#   SCENARIO         the scenario, a path in the repository or the name of a shipped one
#   RUN_OPTIONS      more options of `bench run`, separated by spaces (--quick is refused by the gate)
#   SET_CANDIDATE    PATH=VALUE of the candidate alone, one a line: both sides are run in turn
#   AGAINST          what a pull request is held against: history (default), or merge-base: both sides in turn
#   PAIRS, BUDGET    of the gate, both optional
#   UNDECIDED        pass (default) or fail: what becomes of the job where the gate decides nothing
#   HISTORY          where stored runs are: branch (default), artifact, or none
#   HISTORY_BRANCH   by default busbench-history
#   MAIN             the main branch, where nothing else tells
#   COMMENT          the name of the comment on a pull request, by default performance
#   BUSBENCH_WORK    folder for everything that is made, by default below RUNNER_TEMP
#
# What GitHub is told goes to the step's log where its variables are not set.
set -euo pipefail
shopt -s inherit_errexit

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=${BUSBENCH_WORK:-${RUNNER_TEMP:-/tmp}/busbench}
bench=$root/.venv/bin/bench
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/busbench
results=$work/results
store=$work/history
branch=${HISTORY_BRANCH:-busbench-history}
mkdir -p "$work"

output() { # name, value: for later steps
  echo "$1=$2" >>"${GITHUB_OUTPUT:-/dev/stdout}"
}

warn() {
  echo "::warning title=busbench::$1"
}

# Leaves a line for people, also where a later step fails; see summary.sh.
note() {
  echo "$1" >>"$work/notes.md"
}

fail() { # exit code, message
  echo "::error title=busbench::$2"
  note "$2"
  exit "$1"
}

# Where a pull request is to be merged into: GitHub, GitLab and Jenkins say it for pull requests alone.
target=${GITHUB_BASE_REF:-${CI_MERGE_REQUEST_TARGET_BRANCH_NAME:-${CHANGE_TARGET:-}}}
is_pull_request() {
  [ -n "$target" ]
}

# As `du` has it, in MB; 0 for what is not there.
megabytes() {
  { du -sm "$@" 2>/dev/null || true; } | awk '{ sum += $1 } END { print sum + 0 }'
}
