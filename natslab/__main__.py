"""`python -m natslab`, the same as `natslab`."""

from natslab.cli import main

main()
