#!/usr/bin/env bash
# The journey of a line in compiler/README.md is true: every line that it quotes is in the model, in what
# rankc prints of it, or in its C (but for blanks; `...` stands for what is left out).
#   tests/journey.sh RANKC
set -euo pipefail
rankc=$(realpath "$1")
page=$(realpath "$(dirname "$0")/../compiler/README.md")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

awk '/^## /{ inside = /journey/ } inside && /^    /' "$page" >quoted
awk '/^## /{ inside = /journey/ } inside && /^    / { begun = 1; print substr($0, 5) } begun && /^$/ { exit }' \
  "$page" >line.rank
"$rankc" dump line.rank >said
"$rankc" explain line.rank >>said
"$rankc" emit line.rank -o c
cat line.rank c/*.c >>said

squeeze() { tr -s ' \t' ' ' | sed 's/^ //; s/ $//'; }
squeeze <said >squeezed
bad=0
while IFS= read -r line; do
  if [ "$line" != ... ] && ! grep -qF -e "$line" squeezed; then
    echo "not said any more: $line"
    bad=$((bad + 1))
  fi
done < <(squeeze <quoted)
echo "$(wc -l <quoted) lines, $bad wrong"
[ $bad = 0 ]
