"""`python -m arietta` is the `arietta` command."""

import sys

from .cli import main

sys.exit(main())
