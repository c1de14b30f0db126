# Whether a sandbox starts here, and what to do where none does, for what runs before Python is there; later `bench doctor`
# says more (brokers/places/sandbox.py). Sourced, not run.

apparmor=${SYSCTLS:-/proc/sys}/kernel/apparmor_restrict_unprivileged_userns
allowing=kernel.apparmor_restrict_unprivileged_userns=0

# Sets reason where none does. Without bubblewrap there is nothing to ask.
sandbox_starts() {
  ! command -v bwrap >/dev/null || reason=$(bwrap --ro-bind / / --unshare-pid true 2>&1)
}

apparmor_forbids() {
  [ "$(cat "$apparmor" 2>/dev/null)" = 1 ]
}

no_sandbox() {
  echo "no sandbox starts here ($reason), and so no broker of the image:"
  if apparmor_forbids; then
    echo "AppArmor forbids user namespaces; as root, run: sysctl -w $allowing"
  else
    echo "user namespaces are forbidden; bench doctor says by what. Brokers that you run (place = external) work"
  fi
}
