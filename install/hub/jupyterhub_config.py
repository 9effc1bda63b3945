"""JupyterHub's settings for the course: who gets which half of it, and where they exchange assignments.

It takes no part in how people log in, where their servers run, and what stands before them: those stay your hub's own.
`docs/hub.md` says how to start with it. Beside the folder of the course that this file lies in there are two more:

    course/     the course with its answers; the members of the machine's group `instructors` may read it, and nobody else
    handout/    the student bundle (`course release --to ../handout`), and in its .venv the programs that everybody's server runs
    exchange/   nbgrader's exchange; everybody may write
"""

import grp
import os
from pathlib import Path

COURSE = Path(__file__).parents[2]
HANDOUT, EXCHANGE = COURSE.with_name("handout"), COURSE.with_name("exchange")
PROGRAMS = HANDOUT / ".venv" / "bin"
NOTEBOOKS = HANDOUT / "autograder" / "notebooks"


def is_instructor(name: str) -> bool:
    """Whether this person's account is in the machine's group. The Littlest JupyterHub calls the account of ada `jupyter-ada`."""
    try:
        members = grp.getgrnam("instructors").gr_mem
    except KeyError:
        return False  # no such group: nobody is an instructor yet
    return name in members or f"jupyter-{name}" in members


def choose_half(spawner) -> None:
    """Instructors import the course, students their bundle, which holds no answer; each has the settings that go with it."""
    instructor = is_instructor(spawner.user.name)
    rooms = [COURSE / "install" / "hub" / "jupyter"] if instructor else [NOTEBOOKS / "on_a_hub", NOTEBOOKS / "jupyter"]
    spawner.environment = spawner.environment | {
        "PYTHONPATH": str(COURSE if instructor else HANDOUT),
        "JUPYTER_CONFIG_PATH": os.pathsep.join(map(str, rooms)),
    }


c = get_config()  # noqa: F821 (JupyterHub provides it)
c.Spawner.pre_spawn_hook = choose_half
c.Spawner.cmd = [str(PROGRAMS / "python"), "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--ServerApp.terminado_settings=shell_command=['bash']"]  # a login shell would forget the PATH
c.Spawner.environment = {
    "PATH": os.pathsep.join([str(PROGRAMS), os.environ.get("PATH", os.defpath)]),  # course, nbgrader, and what nbgrader calls
    "COURSE_EXCHANGE": str(EXCHANGE),
    "JUPYTER_PREFER_ENV_PATH": "1",  # a notebook's kernel is that environment's too
    "COURSE_THREADS": "1",  # many share this machine
}
