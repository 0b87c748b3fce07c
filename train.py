"""Train a model and score it on dev. Options: python train.py --help"""

import sys

from sitrep.shell import main

if __name__ == "__main__":
    sys.exit(main("train"))
