#!/usr/bin/env bash
# Install what is missing, as `make setup` does, and let sandboxes start on a runner that forbids them.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source "$root/.ci/sandbox.sh"

# Ubuntu 24.04 forbids user namespaces to all but a few programs. This is for runners that are thrown away afterwards:
# on a machine of yours, a profile of AppArmor for bwrap and mmdebstrap does it more narrowly.
allow_namespaces() {
  if sandbox_starts; then return; fi
  local before=$reason
  if apparmor_forbids && sudo -n sysctl -w "$allowing" && sandbox_starts; then
    echo "AppArmor forbade user namespaces ($before): allowed until this runner ends"
    return
  fi
  warn "$(no_sandbox | paste -sd ' ')"
}

"$root/.ci/setup.sh" || fail $? "Setup failed; its last lines stand in the step's log."
allow_namespaces
note "Setup took $((SECONDS / 60)) min $((SECONDS % 60)) s; the environment has $(megabytes "$root/.venv" "$cache/kernels") MB."
