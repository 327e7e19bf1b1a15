"""What the crash tests share: checks that are counted, and files as they are."""

failures = 0


def check(what, fine, detail=""):
    global failures
    if not fine:
        failures += 1
        print(f"FAILED: {what}\n{detail}".rstrip(), flush=True)


def read(path):
    with open(path, "rb") as f:
        return f.read()
