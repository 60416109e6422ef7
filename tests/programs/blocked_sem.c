/* SPDX-License-Identifier: BSD-3-Clause */
/* blocked_sem.c - semop and msgrcv on System V objects, which live on in the kernel */
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>

#include "blocked.h"

static int sem, queue;

static void run_semop(struct blocked *b)
{
	struct sembuf down = { 0, -1, 0 };
	int r = b->nr == SYS_semop ? (int)syscall(SYS_semop, sem, &down, 1) : semtimedop(sem, &down, 1, NULL);

	check(r == 0, "%s: got %d (%s)", b->name, r, strerror(errno));
	check(victim_may_go(), "%s came back too early", b->name);
}

static void run_msgrcv(struct blocked *b)
{
	struct {
		long type;
		char text[16];
	} message;
	ssize_t n = msgrcv(queue, &message, sizeof(message.text), 7, 0);

	check(n == 3 && memcmp(message.text, "abc", 3) == 0, "msgrcv: got %zd (%s)", n, strerror(errno));
}

static struct blocked all[] = {
	{ "semop", SYS_semop, run_semop },
	{ "semtimedop", SYS_semtimedop, run_semop },
	{ "msgrcv", SYS_msgrcv, run_msgrcv },
};

int main(void)
{
	struct sembuf up = { 0, 2, 0 };
	struct {
		long type;
		char text[3];
	} message = { 7, "abc" };

	sem = must(semget(IPC_PRIVATE, 1, 0600));
	queue = must(msgget(IPC_PRIVATE, 0600));
	blocked_start(all, COUNT(all));
	victim_ready();
	victim_wait();
	must(semop(sem, &up, 1));
	must(msgsnd(queue, &message, 3, 0));
	blocked_join(all, COUNT(all));
	must(semctl(sem, 0, IPC_RMID));
	must(msgctl(queue, IPC_RMID, NULL));
	return victim_end();
}
