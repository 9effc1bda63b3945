"""What nbgrader's Validate button reads in the student's JupyterLab: the course's settings."""

import zmq

from autograder.nbgrader_config import settings

c = get_config()  # noqa: F821 (traitlets provides it)
settings(c)
if zmq.has("curve"):  # otherwise the kernel complains in the terminal that its messages are not encrypted
    c.KernelManager.transport_encryption = "auto"
