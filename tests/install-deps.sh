#!/usr/bin/env bash
# Installs what rankc needs on Debian 12 (or a later Debian or Ubuntu), through apt-get.
#   tests/install-deps.sh            to build and to run the tests
#   tests/install-deps.sh --peers    also what tests/peers compares with (PyTorch, scikit-learn)
# Does nothing, and needs no rights, where everything is there already.
set -euo pipefail

packages=(
  gcc libc6-dev clang-19 libomp-19-dev # compilers, and OpenMP for each
  cmake ninja-build git
  graphviz # explain --html
  chromium # a test of its page
  zlib1g-dev libxxhash-dev libjsmn-dev libopenblas-dev libhnswlib-dev
  libmicrohttpd-dev python3-numpy # a test that serves over HTTP; one of a library from numpy
  libcmocka-dev clang-format-14 g++ valgrind libclang-rt-19-dev # tests; the last for sanitizers
)
if [ "${1:-}" = --peers ]; then
  packages+=(python3-torch python3-numpy python3-sklearn)
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

sudo=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || {
    echo "install-deps.sh: run as root, or install: ${missing[*]}" >&2
    exit 1
  }
  sudo=(sudo)
fi
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${sudo[@]}" apt-get update -qq
"${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
