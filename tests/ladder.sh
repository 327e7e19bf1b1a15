#!/usr/bin/env bash
# The ladder: base < ir < front < pass < emit < driver. A file of compiler/ includes headers of its own
# rung and of those below; only driver/ and the interpreter see runtime/, and runtime/ sees nothing of
# compiler/. Lists every include that climbs.
set -euo pipefail
cd "$(dirname "$0")/.."

awk '
  BEGIN {
    n = split("base ir front pass emit driver", order, " ")
    for (i = 1; i <= n; i++) rung[order[i]] = i
  }
  function climbs(what) { printf "%s:%d: %s\n", FILENAME, FNR, what; bad = 1 }
  /^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, quoted, "\"")
    m = split(FILENAME, here, "/")
    path = FILENAME
    sub("[^/]*$", "", path)
    path = path quoted[2]
    while (sub("[^/]+/\\.\\./", "", path)) {}
    split(path, there, "/")
    if (here[1] == "runtime") {
      if (there[1] != "runtime") climbs("the runtime includes " path)
    } else if (!(here[2] in rung)) {
      climbs("compiler/" here[2] " is no rung of the ladder")
    } else if (there[1] == "runtime") {
      if (here[2] != "driver" && FILENAME != "compiler/ir/interpret.c")
        climbs(here[2] " includes " path)
    } else if (!(there[2] in rung) || rung[there[2]] > rung[here[2]]) {
      climbs(here[2] " includes " path)
    }
  }
  END { exit bad }
' $(find compiler runtime -name '*.[ch]' | sort)
