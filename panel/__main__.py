"""`python -m panel` is `ktrdr-panel`."""

from panel.cli import main

main(prog_name="ktrdr-panel")
