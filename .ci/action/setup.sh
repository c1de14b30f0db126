#!/usr/bin/env bash
# Install what is missing, as `make setup` does, and let sandboxes start on a runner that forbids them.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

apparmor=${SYSCTLS:-/proc/sys}/kernel/apparmor_restrict_unprivileged_userns

sandbox_starts() {
  reason=$(bwrap --ro-bind / / --unshare-pid true 2>&1)
}

# Ubuntu 24.04 forbids user namespaces to all but a few programs. This is for runners that are thrown away afterwards:
# on a machine of yours, a profile of AppArmor for bwrap and mmdebstrap does it more narrowly.
allow_namespaces() {
  command -v bwrap >/dev/null || return 0
  if sandbox_starts; then return; fi
  local before=$reason
  if [ "$(cat "$apparmor" 2>/dev/null)" = 1 ]; then
    if sudo -n sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 && sandbox_starts; then
      echo "AppArmor forbade user namespaces ($before): allowed until this runner ends"
      return
    fi
  fi
  warn "no sandbox starts here ($reason), and so no broker of the image: $(remedy)"
}

remedy() {
  if [ "$(cat "$apparmor" 2>/dev/null)" = 1 ]; then
    echo "AppArmor forbids user namespaces and sudo is refused; as root, run: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
  else
    echo "user namespaces are forbidden; bench doctor says by what. Brokers that you run (place = external) work"
  fi
}

"$root/.ci/setup.sh" || fail $? "Setup failed; its last lines stand in the step's log."
allow_namespaces
note "Setup took $((SECONDS / 60)) min $((SECONDS % 60)) s; the environment has $(megabytes "$root/.venv" "$cache/kernels") MB."
