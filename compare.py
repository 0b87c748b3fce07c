"""Put the scores of several runs beside each other. Options: python compare.py --help"""

import sys

from sitrep.shell import main

if __name__ == "__main__":
    sys.exit(main("compare"))
