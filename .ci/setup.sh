#!/usr/bin/env bash
# Prepare this machine and the virtual environment .venv; `make setup` calls it.
#
# It installs system packages (by apt) only where a tool or a header is missing, then the
# Python packages of requirements.lock, and checks that Proton can do TLS and SASL. Run it
# as often as you like: what is there already is left alone, what is half made is made anew.
#
#   PYTHON=…   the interpreter to use, instead of the first good one of 3.11 or newer
#
# Exit codes: 0 ready · 2 no suitable Python · 3 system packages missing · 4 Python packages
# failed · 5 Proton lacks TLS or SASL · 130 interrupted.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/busbench
log=$cache/setup.log
venv=$root/.venv
stamp=$venv/setup.stamp
mkdir -p "$cache"
trap 'echo "setup: interrupted; run it again, it goes on from a clean state" >&2; exit 130' INT TERM HUP

say() { echo "setup: $*"; }
fail() { # exit code, message
  echo "setup: error: $2" >&2
  exit "$1"
}

step() { # exit code on failure, what is done, command…
  local code=$1 what=$2 started=$SECONDS
  shift 2
  printf '\n== %s\n' "$what" >>"$log"
  if "$@" </dev/null >>"$log" 2>&1; then
    say "$what: $((SECONDS - started)) s"
  else
    tail -n 25 "$log" >&2
    fail "$code" "$what failed; the full log is $log"
  fi
}

# --- Python -----------------------------------------------------------------------------

suits() { # interpreter: new enough, and able to make a virtual environment
  "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
  local name names=(python3.13 python3.12 python3.11 python3)
  [ -z "${PYTHON:-}" ] || names=("$PYTHON")
  for name in "${names[@]}"; do
    if suits "$name"; then
      "$name" -c 'import sys; print(sys.executable)'
      return
    fi
  done
}

has_python_headers() {
  "$python" -c '
import pathlib, sys, sysconfig
sys.exit(not (pathlib.Path(sysconfig.get_paths()["include"]) / "Python.h").exists())'
}

# --- System packages --------------------------------------------------------------------

has() { command -v "$1" >/dev/null 2>&1; }
library() { has pkg-config && pkg-config --exists "$1"; }

has_plain() { # a plug-in of Cyrus SASL, wherever the distribution has its libraries
  compgen -G "/usr/lib*/sasl2/libplain.so*" >/dev/null || compgen -G "/usr/lib/*/sasl2/libplain.so*" >/dev/null
}

# Sets sandbox (an image and its brokers), build (Proton, .venv), login (Proton), capture (packets), trace (syncs).
list_missing() {
  python=$(find_python)
  sandbox=() build=() login=() capture=() trace=()
  has mmdebstrap || sandbox+=(mmdebstrap)
  [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || sandbox+=(debian-archive-keyring)
  has newuidmap || sandbox+=(uidmap)
  has bwrap || sandbox+=(bubblewrap)
  has mvn || sandbox+=(maven)
  has javac || sandbox+=(default-jdk-headless)
  has tcpdump || [ -x /usr/sbin/tcpdump ] || capture+=(tcpdump)
  has strace || trace+=(strace)
  has gcc || build+=(gcc libc6-dev)
  has pkg-config || build+=(pkg-config)
  library openssl || build+=(libssl-dev)
  library libsasl2 || build+=(libsasl2-dev)
  has_plain || login+=(libsasl2-modules)
  [ -n "$python" ] || build+=(python3 python3-venv)
  case $python in # an interpreter of another origin brings its own headers
    /usr/bin/*) has_python_headers || build+=("$("$python" -c 'import sys; print("python3.%d-dev" % sys.version_info[1])')") ;;
    "") build+=(python3-dev) ;;
  esac
}

install_packages() {
  local as=() packages=("${build[@]}" "${login[@]}" "${sandbox[@]}" "${capture[@]}" "${trace[@]}")
  if [ "$(id -u)" -ne 0 ]; then
    has sudo || return 1
    as=(sudo)
    [ -t 0 ] || as=(sudo -n)
    say "sudo is asked for, to install: ${packages[*]}"
    "${as[@]}" true || return 1
  fi
  [ ${#build[@]} -eq 0 ] || say "missing, to build Proton and .venv: ${build[*]}"
  [ ${#login[@]} -eq 0 ] || say "missing, for Proton to log in by password: ${login[*]}"
  [ ${#sandbox[@]} -eq 0 ] || say "missing, to build the image and run brokers in it: ${sandbox[*]}"
  [ ${#capture[@]} -eq 0 ] || say "missing, for bench crosscheck --capture: ${capture[*]}"
  [ ${#trace[@]} -eq 0 ] || say "missing, for durability classes by evidence: ${trace[*]}"
  step 3 "reading the package lists" "${as[@]}" apt-get update
  step 3 "installing ${#packages[@]} system packages" "${as[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install --yes --no-install-recommends "${packages[@]}"
}

say_what_works() { # reason
  say "$1"
  [ ${#sandbox[@]} -eq 0 ] || {
    say "  does not work here: the image and brokers started from it (missing: ${sandbox[*]})"
    say "  works: brokers that you run (place = \"external\"), the memory driver, reports"
  }
  [ ${#capture[@]} -eq 0 ] || say "  does not work here: bench crosscheck --capture (missing: ${capture[*]})"
  [ ${#trace[@]} -eq 0 ] || say "  does not work here: durability classes by evidence (missing: ${trace[*]})"
  [ ${#login[@]} -eq 0 ] || say "  does not work here: logins of the Proton drivers by password (missing: ${login[*]})"
  [ ${#build[@]} -eq 0 ] || {
    say "  Proton is built from source and wants: ${build[*]} (Debian's names)"
    say "  on Fedora: dnf install gcc python3-devel pkgconf-pkg-config openssl-devel cyrus-sasl-devel cyrus-sasl-plain"
  }
}

system_part() {
  list_missing
  [ $((${#sandbox[@]} + ${#build[@]} + ${#login[@]} + ${#capture[@]} + ${#trace[@]})) -gt 0 ] || return 0
  if ! has apt-get; then
    say_what_works "this system has no apt-get, so nothing is installed by us"
  elif install_packages; then
    list_missing
    [ $((${#sandbox[@]} + ${#build[@]} + ${#login[@]} + ${#capture[@]} + ${#trace[@]})) -eq 0 ] ||
      say_what_works "still missing after the installation: ${build[*]} ${login[*]} ${sandbox[*]} ${capture[*]} ${trace[*]}"
  else
    say_what_works "not root, and sudo is missing or refused: as root, run: apt-get install ${build[*]} ${login[*]} ${sandbox[*]} ${capture[*]} ${trace[*]}"
    [ ${#build[@]} -eq 0 ] || fail 3 "the virtual environment cannot be built without: ${build[*]}"
  fi
}

sandbox_part() { # told and not changed, as it is a switch of the whole machine
  source .ci/sandbox.sh
  sandbox_starts || say "$(no_sandbox | paste -sd ' ')"
}

# --- Python packages --------------------------------------------------------------------

digest() { # changes whenever .venv must be made anew
  { echo "$root"; "$python" -VV; cat requirements.lock pyproject.toml .ci/setup.sh; } | sha256sum
}

up_to_date() {
  [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$(digest)" ] && "$venv/bin/python" -c 'import bench' 2>/dev/null
}

pip() { "$venv/bin/python" -m pip --disable-pip-version-check --no-input "$@"; }

install_build_tools() { # what source packages are built with, so that this is locked too
  awk '/^[a-z0-9]/ { wanted = $1 ~ /^(cffi|packaging|pbr|pip|pycparser|setuptools|wheel)==/ } wanted' \
    requirements.lock >"$venv/build-tools.lock"
  pip install --no-compile --require-hashes -r "$venv/build-tools.lock"
}

proton_is_whole() {
  "$venv/bin/python" -c '
import sys
from proton import SASL, SSL
missing = [name for name, there in (("TLS", SSL.present()), ("extended SASL", SASL.extended())) if not there]
print("Proton lacks", missing) if missing else None
sys.exit(bool(missing))'
}

rebuild_proton() {
  awk '/^[a-z0-9]/ { wanted = $1 ~ /^python-qpid-proton==/ } wanted' requirements.lock >"$venv/proton.lock"
  pip install --require-hashes --no-build-isolation --no-deps --force-reinstall --no-cache-dir \
    --no-binary python-qpid-proton -r "$venv/proton.lock"
}

python_part() {
  if up_to_date; then
    say "ready (.venv is up to date)"
    return
  fi
  [ ! -e "$venv" ] || say "making .venv anew: it is unfinished or its lock, settings or Python changed"
  rm -rf "$venv"
  step 4 "making .venv with $("$python" -V)" "$python" -m venv "$venv"
  step 4 "installing build tools" install_build_tools
  # Half of the time would go to byte code of modules that nobody imports; Python compiles the others as it meets them.
  step 4 "installing $(grep -c '==' requirements.lock) locked packages" \
    pip install --no-compile --require-hashes --no-build-isolation -r requirements.lock
  step 4 "installing busbench" pip install --no-deps --no-build-isolation -e .
  if ! proton_is_whole >>"$log" 2>&1; then
    # A wheel from the cache may date from before the headers were there.
    step 5 "building Proton again, with TLS and SASL" rebuild_proton
    proton_is_whole || fail 5 "Proton was built without TLS or SASL although the headers \
seem to be there (libssl-dev, libsasl2-dev); see $log for what its build found"
  fi
  # The first run would do it otherwise, and say so.
  step 4 "compiling the data plane" "$venv/bin/bench" prepare
  digest >"$stamp"
  say "ready"
}

if has flock; then # two at once would tear down each other's .venv
  exec 9<"$root"
  flock 9
fi
echo "setup of $root, $(date)" >"$log"
if [ -n "${PYTHON:-}" ] && ! has "$PYTHON"; then
  fail 2 "PYTHON=$PYTHON is no program: name an interpreter of 3.11 or newer, or leave PYTHON unset"
fi
system_part
[ -n "$python" ] || fail 2 "no Python of 3.11 or newer with venv and ensurepip was found\
${PYTHON:+ (PYTHON=$PYTHON)}: install one, or name it: make setup PYTHON=/path/to/python3"
sandbox_part
python_part
