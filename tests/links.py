#!/usr/bin/python3
"""Links of the documents: every one leads somewhere.

    links.py [ROOT]

In each Markdown file: a relative link's file is there, and its #anchor is a heading of that file, as GitHub writes anchors; a
file that is named in `backticks` below one of the project's folders is there. Addresses of the web are checked in their form
only, since the tests use no network. Last line: N passed, N failed.
"""
import os
import re
import sys
from urllib.parse import unquote, urlsplit

FOLDERS = "coordinator|nodes|shard|models|slurm|tests|bench|docs"
LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
NAMED = re.compile(r"`((?:%s)/[A-Za-z0-9_./-]*[A-Za-z0-9_/])`" % FOLDERS)
SKIPPED = {".git", "node_modules", ".cache"}


def prose(text):
    """Without fenced blocks, whose brackets are code."""
    return re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.M | re.S)


def anchors(path):
    found = {}
    with open(path, encoding="utf-8") as f:
        for title in re.findall(r"^#{1,6} +(.+?) *#*$", prose(f.read()), re.M):
            title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
            word = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
            n = found.get(word, 0)
            found[word] = n + 1
            if n:
                found[f"{word}-{n}"] = 1
    return found


def faults(root, path):
    """(what is wrong or None, for each link)"""
    with open(os.path.join(root, path), encoding="utf-8") as f:
        text = prose(f.read())
    for target in LINK.findall(re.sub(r"`[^`\n]*`", "``", text)):
        parts = urlsplit(target)
        if parts.scheme:
            good = parts.scheme in ("https", "http", "mailto") and (parts.netloc or parts.scheme == "mailto")
            yield None if good else f"{target}: no address of the web"
            continue
        file = os.path.normpath(os.path.join(os.path.dirname(path), unquote(parts.path))) if parts.path else path
        if file.startswith("..") or not os.path.exists(os.path.join(root, file)):
            yield f"{target}: no such file"
        elif parts.fragment and file.endswith(".md") and unquote(parts.fragment) not in anchors(os.path.join(root, file)):
            yield f"{target}: {file} has no such heading"
        else:
            yield None
    for name in NAMED.findall(text):
        if re.search("NAME|FOLDER", name):
            continue  # a pattern
        yield None if os.path.exists(os.path.join(root, name)) else f"`{name}`: no such file"


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    passed = failed = 0
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in SKIPPED and not f.startswith("build"))
        for file in sorted(files):
            if not file.endswith(".md"):
                continue
            path = os.path.relpath(os.path.join(folder, file), root)
            for fault in faults(root, path):
                passed += fault is None
                failed += fault is not None
                if fault:
                    print(f"{path}: {fault}")
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
