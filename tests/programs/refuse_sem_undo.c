/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_sem_undo.c - a semaphore that the end of the process would give back
 *
 * refused: SEM_UNDO
 */
#include <sys/ipc.h>
#include <sys/sem.h>

#include "victim.h"

int main(void)
{
	int set = can(semget(IPC_PRIVATE, 1, 0600));
	struct sembuf give = { .sem_op = 5 }, take = { .sem_op = -2, .sem_flg = SEM_UNDO };

	must(semop(set, &give, 1));
	must(semop(set, &take, 1));
	victim_ready();
	victim_wait();
	check(semctl(set, 0, GETVAL) == 3, "value: expected 3, got %d", semctl(set, 0, GETVAL));
	must(semctl(set, 0, IPC_RMID));
	return victim_end();
}
