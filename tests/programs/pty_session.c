/* SPDX-License-Identifier: BSD-3-Clause */
/* pty_session.c - pseudo-terminals with both ends in the program: modes, window, session, foreground group, packet mode
 */
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "victim.h"

static int master, packets, packets_slave;
static char slave[64];

static void put(int fd, const char *text)
{
	must(write(fd, text, strlen(text)));
}

/* What comes within a while; at least one read. */
static void expect(const char *what, int fd, const char *text)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	char got[128] = "";
	size_t len = 0;

	while (len < strlen(text) && poll(&ready, 1, 5000) == 1) {
		ssize_t n = read(fd, got + len, sizeof(got) - 1 - len);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	check(!strcmp(got, text), "%s: got '%s', not '%s'", what, got, text);
}

static volatile sig_atomic_t interrupted, resized;

static void on_signal(int sig)
{
	*(sig == SIGINT ? &interrupted : &resized) = 1;
}

static void wait_until(const char *what, volatile sig_atomic_t *flag)
{
	for (int i = 0; i < 5000 && !*flag; i++)
		victim_sleep_ms(1);
	check(*flag, "%s did not come", what);
}

/* The job in the foreground, in a group of its own. */
static void job(void *arg)
{
	int tty;

	must(setpgid(0, 0));
	signal(SIGINT, on_signal);
	signal(SIGWINCH, on_signal);
	victim_here();
	victim_wait();
	tty = open("/dev/tty", O_RDWR);
	check(tty >= 0, "the job has no controlling terminal: %s", strerror(errno));
	check(tcgetpgrp(tty) == getpid(), "the job is not in the foreground: %d is", tcgetpgrp(tty));
	expect("job", 0, "to the job\n");
	put(1, "from the job");
	wait_until("SIGINT", &interrupted);
	wait_until("SIGWINCH", &resized);
	put(1, ", done");
}

/* The leader of a session on the terminal, as a shell is. */
static void leader(void *arg)
{
	struct termios modes;
	pid_t pid;
	int fd;

	must(setsid());
	fd = must(open(slave, O_RDWR));
	close(master);
	must(dup2(fd, 0));
	must(dup2(fd, 1));
	close(fd);
	must(tcgetattr(0, &modes));
	modes.c_lflag &= ~(tcflag_t)ECHO;
	modes.c_oflag &= ~(tcflag_t)OPOST;
	modes.c_cc[VERASE] = 'z';
	must(tcsetattr(0, TCSANOW, &modes));
	signal(SIGTTOU, SIG_IGN);
	pid = victim_fork(job, NULL);
	must(setpgid(pid, pid) == -1 && errno != EACCES ? -1 : 0);
	must(tcsetpgrp(0, pid));
	victim_here();
	victim_wait();
	check(isatty(0) && !strcmp(ttyname(0), slave), "the terminal is '%s', not '%s'", ttyname(0), slave);
	check(tcgetsid(0) == getpid(), "the session is %d", tcgetsid(0));
	check(tcgetattr(0, &modes) == 0 && !(modes.c_lflag & ECHO) && !(modes.c_oflag & OPOST) &&
		      modes.c_cc[VERASE] == 'z',
	      "the modes are others");
	victim_join(pid);
}

static int open_master(char name[64])
{
	int fd = must(posix_openpt(O_RDWR | O_NOCTTY));

	must(grantpt(fd));
	must(unlockpt(fd));
	must0(ptsname_r(fd, name, 64));
	return fd;
}

int main(void)
{
	struct winsize size = { .ws_row = 33, .ws_col = 99 };
	char name[64], locked_name[64];
	int locked, on = 1, value = 0;
	pid_t pid;

	master = open_master(slave);
	must(ioctl(master, TIOCSWINSZ, &size));
	packets = open_master(name);
	packets_slave = must(open(name, O_RDWR | O_NOCTTY));
	must(ioctl(packets, TIOCPKT, &on));
	locked = must(posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK));
	must0(ptsname_r(locked, locked_name, sizeof(locked_name)));
	victim_gate();
	pid = victim_fork(leader, NULL);
	victim_all_here(2);
	victim_ready();
	victim_wait();

	memset(&size, 0, sizeof(size));
	check(ioctl(master, TIOCGWINSZ, &size) == 0 && size.ws_row == 33 && size.ws_col == 99, "the window is %u x %u",
	      size.ws_row, size.ws_col);
	put(master, "to the job\n");
	expect("master", master, "from the job");
	put(master, "\003");
	size.ws_row = 44;
	must(ioctl(master, TIOCSWINSZ, &size));
	expect("master", master, ", done");
	victim_join(pid);
	check(ioctl(packets, TIOCGPKT, &value) == 0 && value, "packet mode is off");
	put(packets_slave, "x");
	char packet[8] = "";
	check(read(packets, packet, sizeof(packet)) == 2 && packet[0] == TIOCPKT_DATA && packet[1] == 'x',
	      "no packet came");
	check(ioctl(locked, TIOCGPTLCK, &value) == 0 && value, "the locked one is not");
	check(open(locked_name, O_RDWR | O_NOCTTY) == -1 && errno == EIO, "the locked one can be opened");
	check(fcntl(locked, F_GETFL) & O_NONBLOCK, "O_NONBLOCK");
	return victim_end();
}
