"""A system bus of one's own: dbus-daemon with the stock default policy and the project's bus policy, in a new folder.

Goes out: an address. Nothing of the host's bus is used; the bus and its folder are gone after stop(), at the latest when
the interpreter ends.
"""

import pathlib
import shutil
import socket
import subprocess
import tempfile

from deadline import Deadline, end_at_exit
from paths import ROOT

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={folder}/socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Introspectable"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Properties"/>
  </policy>
  <policy user="root">
    <allow own="org.freedesktop.systemd1"/>
  </policy>
  <policy context="default">
    <allow send_destination="org.freedesktop.systemd1"/>
  </policy>
  <include>{policy}</include>
</busconfig>
"""


class PrivateBus:
    def __init__(self, policy=ROOT / "dbus" / "org.agentassembly.Ebpfd1.conf"):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="aa-bus-"))
        self.folder.chmod(0o755)  # other users' test clients connect too
        self._config = self.folder / "bus.conf"
        self._config.write_text(CONFIG.format(folder=self.folder, policy=policy))
        self.address = f"unix:path={self.folder}/socket"
        self.log = self.folder / "log"
        self.start()

    def start(self):
        """Also after kill(): a new bus at the same address."""
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["dbus-daemon", f"--config-file={self._config}", "--nofork", "--nopidfile", "--nosyslog"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end_at_exit(self.process, self.folder)
        try:
            self._wait_until_it_listens()
        except BaseException:
            self.stop()
            raise

    def kill(self):
        self.process.kill()
        self.process.wait()
        (self.folder / "socket").unlink(missing_ok=True)

    def _wait_until_it_listens(self):
        deadline = Deadline(30, "the private bus listens")
        while not self._accepts():
            if self.process.poll() is not None:
                raise RuntimeError(f"dbus-daemon ended with {self.process.returncode}: {self.log.read_text()}")
            deadline.pause()

    def _accepts(self):
        """The socket's file is there before anybody listens on it: only a connection proves it."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.folder / "socket")) == 0

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
