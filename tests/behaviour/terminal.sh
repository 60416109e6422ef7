#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# terminal.sh - a program on a terminal is restarted on another one, and into a pipe
. "$TESTS/lib.sh"

export folder
python3 - << 'END' || fail "see above"
import os, pty, select, subprocess, sys, time
folder = os.environ["folder"]
dunlin = os.environ["DUNLIN"]
image = folder + "/images/image"

def until(fd, text):
	seen = b""
	end = time.time() + 20
	while text not in seen:
		if time.time() > end or not select.select([fd], [], [], 20)[0]:
			sys.exit("waiting for %r, got %r" % (text, seen))
		seen += os.read(fd, 1000)
	return seen

script = 'echo ready; while read -r line; do echo "got $line"; [ "$line" = end ] && exit 6; done'
pid, master = pty.fork()
if pid == 0:
	os.execv("/bin/bash", ["bash", "-c", script])
until(master, b"ready")
os.write(master, b"one\n")
until(master, b"got one")
for round in "two", "three":
	child = subprocess.Popen([dunlin, "checkpoint", str(pid), "-o", image, "--kill"])
	if round == "two":
		os.waitpid(pid, 0)
	else:
		while select.select([master], [], [], 0.1)[0]:
			try:
				if not os.read(master, 1000): break
			except OSError:
				break
		os.waitpid(restart, 0)
	if child.wait() != 0:
		sys.exit("checkpoint ended with %d" % child.returncode)
	os.close(master)
	restart, master = pty.fork()
	if restart == 0:
		os.execv(dunlin, ["dunlin", "restart", image])
	os.write(master, round.encode() + b"\n")
	until(master, b"got " + round.encode())
os.write(master, b"end\n")
until(master, b"got end")
status = os.waitpid(restart, 0)[1]
if os.WEXITSTATUS(status) != 6:
	sys.exit("exit status %x" % status)
END
