# says.sh: sourced by tests of what programs say. It makes a folder to work in and counts: n asked, bad wrong.
command -v python3 >/dev/null || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
bad=0 n=0
wrong() {
  echo "$1" | cut -c1-300
  [ ! -s said ] || tail -n 5 said | cut -c1-300
  bad=$((bad + 1))
}
# says CODE TEXT COMMAND...: the exit code, and a fixed text in what it says
says() {
  local code=$1 text=$2 got
  shift 2
  n=$((n + 1))
  timeout $((60 * ${RANKC_PATIENCE:-1})) "$@" >said 2>&1 </dev/null
  got=$?
  [ $got = "$code" ] && { [ -z "$text" ] || grep -qF -e "$text" said; } || wrong "exit code $got, wanted $code and <$text>: $*"
}
