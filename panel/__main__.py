"""`python -m panel` is `ktrdr-panel`."""

from panel.cli.main import main

main(prog_name="ktrdr-panel")
