"""`python -m initsup`."""

import sys

from initsup.cli.main import main

sys.exit(main())
