"""Are the made parts of the pages as the code is? `python docs/generate` writes them anew, `--check` only looks."""

import sys

from parts import write_parts

if __name__ == "__main__":
    looks_only = "--check" in sys.argv[1:]
    names = write_parts(check=looks_only)
    if names and looks_only:
        sys.exit(f"not as the code is, make docs writes them anew: {'; '.join(names)}")
