"""A student's notebooks: their cells, running them, marking them, JupyterLab on them. Lies in the student bundle."""
