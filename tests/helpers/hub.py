"""A hub for a test: JupyterHub with the course's own settings, and people who log in and work through it over HTTP.

Only what every hub chooses for itself is chosen here: people log in with one password, and their servers are processes of
this machine. Nobody has an account on it, nor is there a group of instructors: the hub is told of one. nbgrader takes a
student's name from the system's list of accounts, so each student's server sees a list of its own (bubblewrap), in which
whoever runs the test bears the student's name. Nor does it see that the course is installed here: on a hub the bundle is.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import requests
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from autograder import places

NPM = places.ROOT / "build" / "hub" / "node_modules" / ".bin" / "configurable-http-proxy"  # `make system` puts it there
PYTHON = Path(sys.executable).with_name("configurable-http-proxy")  # its port to Python, from the lock
DEADLINE = 300  # seconds; only a failure reaches it

LOCAL = """
import grp
import os

from jupyterhub.spawner import SimpleLocalProcessSpawner

load_subconfig({settings!r})  # the course's
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = {password!r}
c.Authenticator.allow_all = True
grp.getgrnam = {{"instructors": grp.struct_group(("instructors", "x", 0, {instructors!r}))}}.__getitem__

PORTS = {ports!r}


class Enclosed(SimpleLocalProcessSpawner):
    home_dir_template = {homes!r} + "/{{username}}"

    async def start(self):
        accounts = {accounts!r} + f"/{{self.user.name}}"
        self.port = PORTS.pop()
        if self.user.name in {students!r}:
            hidden = [word for file in {installed!r} for word in ("--ro-bind", "/dev/null", file)]
            seen = ["--dev-bind", "/", "/", "--ro-bind", accounts, "/etc/passwd", *hidden]
            self.cmd = ["bwrap", "--die-with-parent", *seen, *self.cmd]
        return await super().start()


c.JupyterHub.spawner_class = Enclosed
if os.getuid() == 0:
    c.Spawner.args = [*c.Spawner.args, "--allow-root"]
c.JupyterHub.tornado_settings = {{"slow_spawn_timeout": 0}}  # who asks for a server does not wait: they start side by side
c.Spawner.start_timeout = c.Spawner.http_timeout = {deadline}
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub_port}"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.ConfigurableHTTPProxy.command = [{proxy!r}]
c.JupyterHub.db_url = "sqlite:///:memory:"
c.JupyterHub.cookie_secret = {secret!r}
"""


def proxy_program() -> Path:
    """npm's configurable-http-proxy where it starts here, else its port to Python."""
    try:
        works = subprocess.run([NPM, "--version"], capture_output=True, timeout=DEADLINE).returncode == 0
    except OSError:
        works = False
    return NPM if works else PYTHON


def installed() -> list[str]:
    """The files by which this Python finds the course: a hub's finds the students' bundle in its place."""
    files = distribution("finetuning-course").files or []
    return [str(file.locate()) for file in files if file.suffix == ".pth"]


@contextlib.contextmanager
def hub(site: Path, students: list[str], instructors: list[str]) -> Iterator[Callable[[str], Person]]:
    """Start the hub whose `course/`, `handout/` and `exchange/` lie in `site`; gives a function that logs a person in."""
    port, hub_port, proxy_port, *ports = free_ports(3 + len(students) + len(instructors))
    password, accounts = secrets.token_hex(8), site / "accounts"
    accounts.mkdir()
    for name in students:
        (accounts / name).write_text(f"{name}:x:{os.getuid()}:{os.getgid()}::{site}/home/{name}:/bin/bash\n")
    (site / "home").mkdir(exist_ok=True)
    local, log = site / "local_config.py", site / "hub.log"
    local.write_text(LOCAL.format(
        settings=str(site / "course" / "install" / "hub" / "jupyterhub_config.py"), homes=str(site / "home"),
        students=students, instructors=instructors, accounts=str(accounts), installed=installed(), password=password,
        port=port, hub_port=hub_port, proxy_port=proxy_port, ports=ports, proxy=str(proxy_program()),
        secret=secrets.token_bytes(32), deadline=DEADLINE,
    ))  # fmt: skip
    with log.open("w") as file:
        process = subprocess.Popen([sys.executable, "-m", "jupyterhub", "-f", str(local)], cwd=site, stdout=file, stderr=file)
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: answers(f"{address}/hub/health"), "the hub", log, lambda: process.poll() is not None)
        yield lambda name: Person(address, name, password, log)
    finally:
        process.terminate()  # everybody's server and the proxy end with it
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()


class Person:
    """Somebody who has logged in, and whose server runs."""

    def __init__(self, address: str, name: str, password: str, log: Path) -> None:
        self.hub, self.name, self.log = f"{address}/hub", name, log
        self.server = f"{address}/user/{name}"
        session = requests.Session()
        session.get(f"{self.hub}/login", timeout=DEADLINE)
        typed = {"username": name, "password": password, "_xsrf": session.cookies.get("_xsrf", path="/hub/")}
        session.post(f"{self.hub}/login", data=typed, allow_redirects=False, timeout=DEADLINE)
        own = {"X-XSRFToken": session.cookies.get("_xsrf", path="/hub/")}  # the page is the hub's own
        token = said(session.post(f"{self.hub}/api/users/{name}/tokens", json={}, headers=own, timeout=DEADLINE))["token"]
        self.headers = {"Authorization": f"token {token}"}
        self.ask("POST", f"{self.hub}/api/users/{name}/server").raise_for_status()

    def wait(self) -> Person:
        """Until the server runs."""
        until(lambda: self.known()["server"], f"the server of {self.name}", self.log, lambda: self.known()["pending"] is None)
        return self

    def known(self) -> Any:
        """What the hub knows of the person: the server's address once it answers, and what the hub waits for until then."""
        return said(self.ask("GET", f"{self.hub}/api/users/{self.name}"))

    def ask(self, method: str, address: str, content: Any = None) -> requests.Response:
        return requests.request(method, address, headers=self.headers, json=content, timeout=DEADLINE)

    def get(self, path: str) -> requests.Response:
        return self.ask("GET", self.server + path)

    def post(self, path: str, **content: Any) -> Any:
        return said(self.ask("POST", self.server + path, content))

    def read(self, path: str) -> Any:
        """A file in the person's home: a notebook as an object, everything else as text."""
        return said(self.get(f"/api/contents/{path}"))["content"]

    def save(self, path: str, notebook: Any) -> None:
        model = {"type": "notebook", "format": "json", "content": notebook}
        said(self.ask("PUT", f"{self.server}/api/contents/{path}", model))

    def type(self, *commands: str) -> list[tuple[int, str]]:
        """Type commands in a terminal of JupyterLab, one after the other: for each how it ended and what it said."""
        return asyncio.run(self._typed(self.post("/api/terminals")["name"], commands))

    async def _typed(self, terminal: str, commands: tuple[str, ...]) -> list[tuple[int, str]]:
        address = f"{self.server}/terminals/websocket/{terminal}".replace("http", "ws", 1)
        socket = await websocket_connect(HTTPRequest(address, headers=self.headers))
        ended = []
        for number, command in enumerate(commands):
            await socket.write_message(json.dumps(["stdin", f"{command}; echo end-{number}''-$?-\r"]))
            text, end = "", None
            while end is None:
                message = await asyncio.wait_for(socket.read_message(), DEADLINE)
                assert message is not None, f"the terminal closed: {text}"
                kind, *content = json.loads(message)
                text += content[0] if kind == "stdout" else ""
                end = re.search(rf"end-{number}-(\d+)-", text)
            ended.append((int(end[1]), text[: end.start()]))
        socket.close()
        return ended


def said(response: requests.Response) -> Any:
    assert response.ok, f"{response.request.method} {response.url}: {response.status_code} {response.text[:500]}"
    return response.json()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, below those that systems hand out: no other test gets one of them by chance."""
    found: list[int] = []
    while len(found) < count:
        port = random.randint(20_000, 32_000)
        with socket.socket() as trial, contextlib.suppress(OSError):
            trial.bind(("127.0.0.1", port))
            found.append(port)
    return found


def answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=DEADLINE).ok
    except requests.ConnectionError:
        return False


def until(happened: Callable[[], Any], what: str, log: Path, ended: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not happened():
        assert time.monotonic() < deadline and (not ended() or happened()), f"{what} did not start:\n{log.read_text()[-5000:]}"
        time.sleep(0.1)
