"""What formgrader reads in an instructor's JupyterLab on a hub, which opens at home: the course's settings, and their class."""

from pathlib import Path

from autograder.nbgrader_config import settings

c = get_config()  # noqa: F821 (nbgrader provides it)
settings(c)
if not Path("nbgrader_config.py").exists():  # in a class folder nbgrader's commands mean that one, whichever it is
    c.CourseDirectory.root = str(Path.home() / "class")
