"""Read new articles with one or several runs. Options: python predict.py --help"""

import sys

from sitrep.shell import main

if __name__ == "__main__":
    sys.exit(main("predict"))
