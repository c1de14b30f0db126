#!/usr/bin/env bash
# Install actionlint, by which tests check action.yml and the workflows of docs/ci.md, where it is missing and Go is there.
# It takes a minute, once. Without Go those tests are skipped, and say so.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ ! -x .venv/bin/actionlint ] && command -v go >/dev/null || exit 0
GOBIN=$PWD/.venv/bin go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12 </dev/null >.venv/actionlint.log 2>&1 ||
  echo "actionlint: go could not install it (see .venv/actionlint.log); action.yml is checked less"
