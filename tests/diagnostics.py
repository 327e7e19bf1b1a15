#!/usr/bin/env python3
"""Every message that the sources can say has a test that provokes it.

    tests/diagnostics.py [--list]

Messages are the string literals in calls that report errors, in compiler/ and runtime/. One is provoked when
a golden .err has a line of its form, or when a test (a script or a unit test) has a string of its form or one of
at least ten characters that is part of it. diagnostics.allow lists those that no test can provoke, or none should: out of
memory and what only rankc's own mistakes say; a line there that is not needed any more is an error too.
--list prints all messages with how they are provoked.
"""
import os
import re
import sys

top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CALLS = re.compile(r"\b(fail|wrong|wrong_node|note|expect|expect_name|diag_error|diag_note|rank_fail|parse_fail|"
                   r"fail_unknown|argp_error|fail_status|rows_fail|json_fail|stream_fail|fprintf)\s*\(")
STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
LEAST = 10
ESCAPES = {"\\n": "\n", '\\"': '"', "\\\\": "\\", "\\t": "\t"}


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def files(folder, *ends):
    for base, _, names in os.walk(os.path.join(top, folder)):
        for name in sorted(names):
            if name.endswith(ends):
                yield os.path.join(base, name)


def plain(text):
    return re.sub(r'\\[n"\\t]', lambda m: ESCAPES[m.group()], text)


def call_text(text, at):
    """From an opening bracket to the one that closes it."""
    depth, i = 0, at
    while i < len(text):
        if text[i] == '"':
            i = STRING.match(text, i).end() - 1 if STRING.match(text, i) else i
        elif text[i] == "'":
            i += 3 if text[i + 1] == "\\" else 2
        elif text[i] in "()":
            depth += 1 if text[i] == "(" else -1
            if depth == 0:
                return text[at:i + 1]
        i += 1
    return text[at:]


def messages():
    """{text: where}, one entry for each literal with words; neighbours are one literal."""
    found = {}
    for path in list(files("compiler", ".c")) + list(files("runtime", ".c")):
        text = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group()), read(path), flags=re.S)
        for m in CALLS.finditer(text):
            call = call_text(text, m.end() - 1)
            if m.group(1) == "fprintf" and not call.startswith("(stderr"):
                continue
            # calls inside are visited by themselves
            for run in re.finditer(STRING.pattern + r"(?:\s*" + STRING.pattern + r")*", call):
                said = plain("".join(STRING.findall(run.group())))
                said = re.sub(r"^rankc: error: ", "", said).strip()
                if len(re.sub(r"%[-.*0-9]*[a-z]+", "", said)) >= 8 and " " in said:
                    line = text.count("\n", 0, m.start()) + 1
                    found.setdefault(said, f"{os.path.relpath(path, top)}:{line}")
    return found


CONVERSION = re.compile(r"%(?:\.\*s|[-+ #0]*(?:\*|\d+)?(?:\.(?:\*|\d+))?(?:hh|h|ll|l|z|j)?[a-zA-Z]|%)")


def expectations():
    errs = [line for p in files("tests/golden", ".err") for line in read(p).split("\n")]
    strings = set()
    for p in files("tests", ".sh", ".c", ".py"):
        if p.endswith("diagnostics.py"):
            continue
        text = read(p)
        for run in re.finditer(STRING.pattern + r"(?:\s*" + STRING.pattern + r")*", text):
            strings.add(plain("".join(STRING.findall(run.group()))))
        strings.update(re.findall(r"'([^'\n]+)'", text))
        strings.update(re.findall(r'"([^"\n]+)"', text))
    whole = "\n".join(x for x in strings if len(x) > 2 * LEAST)
    parts = set()
    for s in strings:  # patterns: what stands between their wildcards
        for part in re.split(r"\.\*|\.\+|\[[^]]*\][+*]?|\||\$\w+|\$\{[^}]*\}|\([^)]*\)|\^|\$", s):
            part = re.sub(r"\\(.)", r"\1", part).strip()
            if len(part) >= LEAST:
                parts.add(part)
    return errs, parts, whole


def main():
    listing = "--list" in sys.argv
    errs, parts, whole_strings = expectations()
    joined = "\n".join(errs)
    allowed = [a for a in read(os.path.join(top, "tests/diagnostics.allow")).split("\n") if a and a[0] != "#"]
    used, bad, total = set(), 0, 0
    for said, where in sorted(messages().items(), key=lambda x: x[1]):
        total += 1
        pieces = CONVERSION.split(said)
        form = re.compile(".*".join(re.escape(p) for p in pieces))
        how = "golden" if form.search(joined) else None
        if not how and sum(len(p.strip()) for p in pieces) >= 8 and form.search(whole_strings):
            how = "test, all of it"
        if not how:
            whole = CONVERSION.sub("\0", said)
            for part in parts:
                words = [w for w in pieces if len(w.strip()) >= LEAST]
                if part in whole or any(w.strip() in part for w in words) or (len(part) > 2 * LEAST and form.search(part)):
                    how = f"test: {part[:60]}"
                    break
        if not how:
            rule = next((a for a in allowed if a in said), None)
            if rule:
                used.add(rule)
                how = "allowed"
        if not how:
            bad += 1
            print(f"{where}: no test provokes: {said}")
        elif listing:
            print(f"{where}: {how}: {said}")
    for rule in allowed:
        if rule not in used:
            bad += 1
            print(f"diagnostics.allow: not needed: {rule}")
    print(f"{total} messages, {bad} without a test")
    sys.exit(bad > 0)


main()
