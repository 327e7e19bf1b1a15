#!/usr/bin/env bash
# An ad server over libmicrohttpd (server.c) with a frozen model inside it, under load on loopback (client.c): every
# answer is right, whatever else is sent to it; once more under the address sanitizer.
#   tests/serve/serve.sh RANKC
set -euo pipefail
cd "$(dirname "$0")/../.."
rankc=$1 here=tests/serve
cc=$(command -v clang-19 || command -v clang || command -v gcc)
echo '#include <microhttpd.h>' | $cc -E -x c - >/dev/null 2>&1 || {
  echo "libmicrohttpd-dev is not here" && exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
warnings="-Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Werror"

"$rankc" build $here/ads.rank -o "$work/ads" -O1
"$work/ads/ads" synth --rows 2000 --out "$work/rows.csv" >/dev/null
"$work/ads/ads" train --quiet --no-cache --data "$work/rows.csv" --save "$work/w.st"
"$rankc" freeze $here/ads.rank "$work/w.st" -o "$work/frozen"
$cc -std=gnu11 -O2 $warnings $here/client.c -o "$work/client" -lpthread

serve() { # SERVER CONNECTIONS REQUESTS
  mkfifo "$work/input"
  "$1" 0 <"$work/input" >"$work/port" 2>"$work/errors" &
  local server=$!
  exec 3>"$work/input"
  rm "$work/input"
  for i in $(seq 200); do
    [ -s "$work/port" ] && break
    sleep 0.1
  done
  "$work/client" "$(cat "$work/port")" "$2" "$3" || { cat "$work/errors" && exit 1; }
  exec 3>&-
  wait $server || { cat "$work/errors" && exit 1; } # it ends by itself, and well
}
$cc ${RANKC_SANITIZE:+-fsanitize=$RANKC_SANITIZE} -std=gnu11 -O2 $warnings -I"$work/frozen" $here/server.c -o "$work/server" -L"$work/frozen" -lads -lmicrohttpd -lm \
  -Wl,-rpath,"$work/frozen"
serve "$work/server" 4 2000
flags="-std=gnu11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all"
if echo 'int main(void) { return 0; }' | $cc $flags -x c - -o "$work/empty" 2>/dev/null; then
  $cc $flags $warnings -I"$work/frozen" $here/server.c "$work/frozen/ads.c" -Wno-shadow -o "$work/sanitized" -lmicrohttpd -lm
  serve "$work/sanitized" 2 300
fi
