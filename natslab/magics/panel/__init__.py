"""The kernel's half of the workbench in JupyterLab: what its panel shows, and what its editor asks."""
