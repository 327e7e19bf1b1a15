#!/usr/bin/env bash
# The page of `rankc explain --html`, with times of groups, in a real browser: pointing at a node, at a line of
# the model or at a line of C lights all three, a click keeps them and brings them into view, the longest
# group is the darkest, nothing is fetched, and no script fails.
#   tests/page.sh RANKC
set -uo pipefail
rankc=$(realpath "$1")
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [ -z "$browser" ] || ! command -v dot >/dev/null; then
  echo "skipped: there is no chromium or no graphviz here"
  exit 77
fi
model=$(realpath "$(dirname "$0")/../models/din.rank")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
fail() {
  echo "$*"
  exit 1
}

"$rankc" bench "$model" -o bench -O0 --levels all --rewrites on --seconds 0.02 --rounds 2 --batches 2 --vocab 50 \
  --groups --csv times.csv >said 2>&1 || fail "bench failed: $(cat said)"
"$rankc" explain "$model" --html page.html --bench times.csv >said 2>&1 || fail "explain failed: $(cat said)"

# Faults are collected before anything of the page runs; what was found is left in the page's title.
awk '{ print } /<head>/ && !done { done = 1
  print "<script>var faults = []; window.onerror = function (m) { faults.push(m); };</script>" }' page.html >tried.html
cat >>tried.html <<'END'
<script>
function expect(what, fine) { if (!fine) { faults.push(what); } }
function all(q) { return Array.from(document.querySelectorAll(q)); }
function send(e, type) { e.dispatchEvent(new MouseEvent(type, {bubbles: true})); }
function lit(e) { return e.classList.contains('lit'); }
function visible(e) {
  var r = e.getBoundingClientRect(), b = e.closest('.box').getBoundingClientRect();
  return r.bottom > b.top && r.top < b.bottom;
}
function hue(e) { return getComputedStyle(e).fill; }
window.addEventListener('load', function () {
  var boxes = all('.row')[0].querySelectorAll('.box');
  expect('a role has a graph, the model and its C', boxes.length === 3);
  var node = boxes[0].querySelector('g.node.L17'), model = boxes[1].querySelector('.L17');
  var code = boxes[2].querySelector('.L17');
  expect('line 17 is in all three', node && model && code);
  expect('the page starts dark', all('.lit').length === 0);
  [node, model, code].forEach(function (from, i) {
    send(from, 'mouseover');
    expect('pointing from box ' + i, lit(node) && lit(model) && lit(code));
    expect('only one line is lit from box ' + i,
      all('.lit').every(function (e) { return e.classList.contains('L17'); }));
    send(document.body, 'mouseover');
    expect('pointing elsewhere after box ' + i, all('.lit').length === 0);
  });
  var label = node.querySelector('text');
  var painted = getComputedStyle(node.querySelector('path, polygon')).fill;
  send(label, 'click');
  expect('a lit node has another colour',
    getComputedStyle(node.querySelector('path, polygon')).fill !== painted);
  send(document.body, 'mouseover');
  expect('a click keeps its line', lit(node) && lit(model) && lit(code));
  expect('a click on the graph shows the model', visible(model));
  expect('a click on the graph shows the C', visible(code));
  boxes[2].scrollTop = 0;
  send(model, 'click');
  expect('a click on the model shows the C', visible(code));
  boxes[1].scrollTop = boxes[0].scrollTop = 0;
  send(code, 'click');
  expect('a click on the C shows the graph', visible(node));
  all('.row').forEach(function (row) {
    var groups = Array.from(row.querySelectorAll('g.cluster')).filter(function (g) {
      return /_g[0-9]+$/.test(g.id); });
    var times = groups.map(function (g) {
      var m = /([0-9.,e+-]+) ns a sample, ([0-9.]+)%/.exec(g.textContent);
      expect(g.id + ' has a time', m);
      return m ? parseFloat(m[1].replace(/,/g, '')) : 0;
    });
    var most = times.indexOf(Math.max.apply(null, times));
    var least = times.indexOf(Math.min.apply(null, times));
    var colours = groups.map(function (g) { return hue(g.querySelector('polygon, path')); });
    expect('there are groups', groups.length > 5);
    expect('the longest and the shortest differ: ' + colours, colours[most] !== colours[least]);
    function green(c) { return parseInt(c.split(',')[1], 10); } /* falls from light to dark */
    expect('the longest is the darkest: ' + colours,
      colours.every(function (c) { return green(colours[most]) <= green(c); }));
    var number = parseInt(/group ([0-9]+)/.exec(groups[most].textContent)[1], 10);
    var line = Array.from(row.querySelectorAll('.box:last-child .code div')).find(function (e) {
      return e.textContent.indexOf('/* group ' + number + ':') > 0; });
    expect('the C of group ' + number + ' has its colour',
      line && getComputedStyle(line).borderLeftColor === colours[most]);
  });
  expect('nothing is fetched', performance.getEntriesByType('resource').length === 0);
  document.title = faults.length === 0 ? 'all fine' : faults.join('; ');
});
</script>
END
timeout 120 "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$work/profile" --window-size=1600,1000 \
  --virtual-time-budget=5000 --dump-dom "file://$work/tried.html" >dom.html 2>said ||
  fail "$browser failed: $(tail -n 3 said)"
title=$(sed -n 's:.*<title>\(.*\)</title>.*:\1:p' dom.html | head -n 1)
[ "$title" = "all fine" ] || fail "in the browser: $title"

# Times of another model are refused.
"$rankc" explain "$(dirname "$model")/fm.rank" --html fm.html --bench times.csv >said 2>&1 && fail "another model's times"
grep -q 'measured on another model' said || fail "said: $(cat said)"
grep '^model\|,,,,$' times.csv >levels.csv
"$rankc" explain "$model" --html fm.html --bench levels.csv >said 2>&1 && fail "times of no groups"
grep -q 'has no times of groups' said || fail "said: $(cat said)"
[ ! -e fm.html ] || fail "it left a page"
"$rankc" explain "$model" --bench times.csv >said 2>&1
[ $? = 2 ] && grep -q -- '--bench needs --html' said || fail "said: $(cat said)"
echo "all fine"
