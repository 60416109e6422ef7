#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# job_control.sh - a restarted job of an interactive shell: it reads, is stopped, continued and interrupted
# timeout: 120
. "$TESTS/lib.sh"

# Dies of an interrupt at any moment, as shells and interpreters do not: these look for signals before they read.
cat > job.sh << 'END'
exec sed -u -e '/end/Q6' -e 's/^/got /'
END
cat > parent.sh << 'END'
set -m # its child has a process group of its own, in the foreground
echo "parent $$"; bash job.sh; echo "child $?"; exit 8
END
export folder
python3 - << 'END' || fail "see above"
import os, pty, re, select, subprocess, sys, time
dunlin = os.environ["DUNLIN"]
image = os.environ["folder"] + "/images/image"
pid, master = pty.fork()
if pid == 0:
	os.environ["PS1"] = "$ "
	os.execv("/bin/bash", ["bash", "--norc", "--noediting", "-i"])
seen = ""

# Types a line, and waits for what it brings about.
def step(typed, text):
	global seen
	os.write(master, typed.encode())
	end = time.time() + 20
	while not re.search(text, seen):
		if time.time() > end or not select.select([master], [], [], 20)[0]:
			sys.exit("typed %r, waiting for %r, got %r" % (typed, text, seen))
		seen += os.read(master, 1000).decode().replace("\r", "")
	found = re.search(text, seen)
	seen = seen[found.end():]
	return found

def take(job):
	if subprocess.call([dunlin, "checkpoint", job, "-o", image, "--kill"]) != 0:
		sys.exit("checkpoint failed")
	step("", r"Killed.*\n\$ ")

restart = "%s restart %s" % (dunlin, image)
step("", r"\$ ")
job = step("bash -c 'echo pid $$; exec bash job.sh'\n", r"\npid (\d+)\n").group(1)
step("one\n", "got one\n")
take(job)
for how in "", " | cat":
	step(restart + how + "\ntwo\n", "got two\n")
	step("\x1a", r"Stopped.*\n\$ ") # Ctrl-Z
	step("jobs\n", r"Stopped.*\n\$ ")
	step("fg\n", r"restart.*\n")
	step("three\n", "got three\n")
	step("\x1a", r"Stopped.*\n\$ ")
	step("bg\n", r"&\n")
	while "Stopped" not in step("jobs\n", r"(Stopped|Running).*\n\$ ").group(): # it reads in the background
		time.sleep(0.02)
	step("fg\n", r"restart .*\n")
	step("four\n", "got four\n")
	if how == "":
		step("end\n", r"\$ ")
		step("echo \"status $?\"\n", r"\nstatus 6\n\$ ")
	else:
		step("\x03", r"\n\$ ") # Ctrl-C
# In a script, which is stopped and continued with it.
step("bash -c '%s; echo after $?'\n" % restart, "\n")
step("five\n", "got five\n")
step("\x1a", r"Stopped.*\n\$ ")
step("fg\n", r"restart .*\n")
step("again\n", "got again\n")
step("\x03", r"after 130\n\$ ")
# A tree with two groups: the child's is the one in the foreground.
job = step("bash parent.sh\n", r"\nparent (\d+)\n").group(1)
step("six\n", "got six\n")
take(job)
step(restart + "\nseven\n", "got seven\n")
step("end\n", r"child 6\n")
step("", r"\$ ")
step("echo \"status $?\"\n", r"\nstatus 8\n\$ ")
END
