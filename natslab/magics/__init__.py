"""The magics: how a notebook speaks to the commands."""
