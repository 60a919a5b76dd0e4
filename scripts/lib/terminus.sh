# Shell functions that the scripts share; to be sourced from the repository's root.
# shellcheck shell=bash

# Everything that setup makes lives here, outside the tree.
export TERMINUS_HOME=${TERMINUS_HOME:-$HOME/.cache/terminus}

# fail MESSAGE...: one line to stderr each, then exit 1.
fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

# mebibytes BYTES: "12 MiB", rounded up.
mebibytes() {
  echo "$((($1 + 1048575) / 1048576)) MiB"
}

# is_done STEP FILE...: whether mark_done was last called for STEP with these very contents.
is_done() {
  local stamp=$TERMINUS_HOME/stamps/$1
  [[ -f $stamp && $(<"$stamp") == "$(_fingerprint "${@:2}")" ]]
}

mark_done() {
  mkdir -p "$TERMINUS_HOME/stamps"
  _fingerprint "${@:2}" >"$TERMINUS_HOME/stamps/$1"
}

_fingerprint() {
  sha256sum "$@" | sha256sum
}

# Requirement files hold one wheel a line: NAME==VERSION --hash=... # size=BYTES [soname=LIBRARY]

# requirement_lines FILE: the lines without comments between them.
requirement_lines() {
  grep -E '^[a-z0-9-]+==' "$1"
}

# wheel_stem LINE: NAME-VERSION as wheels and their dist-info folders spell it.
wheel_stem() {
  local name=${1%%==*} version=${1#*==}
  echo "${name//-/_}-${version%% *}"
}

# has_wheel LINE: whether the wheel or source package of a requirement line lies in $WHEELS.
has_wheel() {
  local stem
  stem=$WHEELS/$(wheel_stem "$1")
  compgen -G "$stem-*.whl" >/dev/null || [[ -f $stem.tar.gz ]]
}

# pip_run VERB ARGUMENTS... -- LINES...: the pip of $VENV on exactly these requirement lines, hashes
# required, wheels unless ARGUMENTS say otherwise. If all lie in $WHEELS, it asks no index.
pip_run() {
  local arguments=() line offline=--no-index
  while [[ $1 != -- ]]; do
    arguments+=("$1")
    shift
  done
  shift
  for line in "$@"; do
    has_wheel "$line" || offline=
  done
  mkdir -p "$WHEELS"
  printf '%s\n' "$@" | "$VENV/bin/python3" -m pip "${arguments[0]}" --disable-pip-version-check \
    --no-deps --require-hashes --only-binary=:all: "${arguments[@]:1}" ${offline:+"$offline"} \
    --find-links "$WHEELS" --requirement /dev/stdin
}

# total_size: the sum of size= over the requirement lines on stdin.
total_size() {
  awk 'match($0, /size=[0-9]+/) { sum += substr($0, RSTART + 5, RLENGTH - 5) } END { printf "%.0f\n", sum }'
}

# find_nvcc: prints the path of nvcc, or fails if there is none.
find_nvcc() {
  local candidate
  for candidate in "${CUDA_HOME:-}/bin/nvcc" "$(command -v nvcc || true)" /usr/local/cuda/bin/nvcc; do
    if [[ -x $candidate ]]; then
      echo "$candidate"
      return
    fi
  done
  return 1
}
