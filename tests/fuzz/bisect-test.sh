#!/usr/bin/env bash
# bisect.sh finds the rewrite that a mistake comes with: rankc is stood in for by a script whose C is another
# model's from rewrite 5 on, and only when everything is fused.
#   tests/fuzz/bisect-test.sh TOOLS
set -uo pipefail
tools=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/tools"
for tool in make_batch compare_tensors run_model; do ln -s "$tools/$tool" "$work/tools/"; done
cat >"$work/right.rank" <<'M'
model right
dim F = 3
dim D = 4
input field : id(9)[F]
label click : f32
table v : f32[field, D] ~ normal(0, 1)
e = v[field]
pairs = sum[F, G, D](e * e[F -> G]) - sum[F, D](e * e)
z = pairs / 2 + 0 * pairs + pairs * 1
loss bce_logits(z, click)
output ctr = sigmoid(z)
train sgd(lr = 0.1), batch = 8
M
cat >"$work/tools/rankc" <<S
#!/usr/bin/env bash
case "\$*" in
*-v*) ;;
emit*--fuse=all*--max-rewrites=[0-4] | emit*--fuse=all*--max-rewrites=[0-4]\ *) ;;
emit*--fuse=all*) exec "$tools/rankc" emit "$work/wrong.rank" "\${@:3}" ;;
esac
exec "$tools/rankc" "\$@"
S
chmod +x "$work/tools/rankc"
sed 's|pairs / 2|pairs / 3|' "$work/right.rank" >"$work/wrong.rank"
bad=0
# wanted TEXT...: lines that bisect.sh says, in this order, and no others
wanted() {
  printf '%s\n' "$@" | diff - "$work/said" >"$work/diff" || {
    cat "$work/diff"
    bad=1
  }
}

export SIZES=2
bash "$here/bisect.sh" "$work/tools" "$work/right.rank" --fuse=all 2>&1 | sed 's/; the last rewrite, line [0-9]*: .*/; .../' >"$work/said"
wanted "--fuse=off: right" "--fuse=loops: right" "--fuse=tiles: right" "--fuse=all: wrong" \
  "--fuse=all goes wrong with rewrite 5:" "  5 rewrites and simplifications; ..."
bash "$here/bisect.sh" "$tools" "$work/right.rank" --fuse=all >"$work/said" 2>&1
wanted "nothing is wrong"
exit $bad
