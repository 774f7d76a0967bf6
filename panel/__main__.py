"""`python -m panel` is `ktrdr-panel`."""

from panel.cli.entry import main

main()
