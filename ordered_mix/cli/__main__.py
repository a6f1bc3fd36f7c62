"""``python -m ordered_mix.cli``."""

from ordered_mix.cli import main

main()
