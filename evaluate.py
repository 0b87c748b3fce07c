"""Score a run on a split of its corpus or on any labelled articles. Options: python evaluate.py --help"""

import sys

from sitrep.shell import main

if __name__ == "__main__":
    sys.exit(main("evaluate"))
