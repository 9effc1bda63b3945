"""End the Python process in the middle of the cells."""

import os

os._exit(0)
