#!/usr/bin/env bash
# Everything from nothing: installs what is needed, builds rankc, and runs all tests.
#   tests/all.sh [PRESET]    dev unless said; see CMakePresets.json
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-dev}

bash tests/install-deps.sh
cmake --preset "$preset" >/dev/null
cmake --build --preset "$preset"
ctest --preset "$preset"
