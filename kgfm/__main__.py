"""``python -m kgfm`` is ``kgfm``."""

import sys

from kgfm.cli import main

if __name__ == "__main__":
    sys.exit(main())
