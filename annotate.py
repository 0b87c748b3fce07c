"""Work on the labels: make or extend the split, count labels. Options: python annotate.py --help"""

import sys

from sitrep.shell import main

if __name__ == "__main__":
    sys.exit(main("annotate"))
