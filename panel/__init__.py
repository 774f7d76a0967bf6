"""ktrdr-panel: a local web control panel for the KTRDR trading-research backend."""

__version__ = "0.1.0"
