/* SPDX-License-Identifier: BSD-3-Clause */
/* epoll_watches.c - epolls: levels, edges, one-shots, numbers that were closed or reused, nested ones, one shared by
 * fork */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "victim.h"

enum { LEVEL = 1, EDGE, ONCE, FIRED, CLOSED, REUSED, NEW, INNER, TIMER, OTHER, HUNG_UP };

static void watch(int epoll, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = { .events = events, .data.u64 = data };

	must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

static void add(int fd, uint64_t n)
{
	must(write(fd, &n, sizeof(n)));
}

/* All that is ready now, as bits of data; one that comes twice is a failure. */
static uint64_t ready(int epoll)
{
	struct epoll_event events[32];
	uint64_t bits = 0;
	int n = must(epoll_wait(epoll, events, COUNT(events), 0));

	for (int i = 0; i < n; i++)
		bits |= 1ULL << events[i].data.u64;
	check(__builtin_popcountll(bits) == n, "%d events, bits %lx", n, bits);
	return bits;
}

#define BIT(n) (1ULL << (n))

static void expect(const char *when, uint64_t got, uint64_t wanted)
{
	check(got == wanted, "%s: ready are %lx, not %lx", when, got, wanted);
}

static int epoll, closed_twin;

static void child(void *arg)
{
	victim_here();
	victim_wait();
	/* A watch that the child makes in the shared epoll. */
	add(closed_twin, 1);
}

int main(void)
{
	struct itimerspec soon = { .it_value = { .tv_nsec = 1 } };
	struct epoll_event event;
	int level, edge, once, fired, closed, reused, inner, inside, timer, pipes[2], hung_up[2], reused_twin;
	pid_t pid;

	epoll = must(epoll_create1(EPOLL_CLOEXEC));
	level = must(eventfd(0, EFD_NONBLOCK));
	edge = must(eventfd(0, EFD_NONBLOCK));
	once = must(eventfd(0, EFD_NONBLOCK));
	fired = must(eventfd(0, EFD_NONBLOCK));
	closed = must(eventfd(0, EFD_NONBLOCK));
	reused = must(eventfd(0, EFD_NONBLOCK));
	inside = must(eventfd(0, EFD_NONBLOCK));
	inner = must(epoll_create1(0));
	timer = must(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	must(pipe(pipes));
	must(pipe(hung_up));

	watch(epoll, level, EPOLLIN, LEVEL);
	watch(epoll, edge, EPOLLIN | EPOLLET, EDGE);
	watch(epoll, once, EPOLLIN | EPOLLONESHOT, ONCE);
	watch(epoll, fired, EPOLLIN | EPOLLONESHOT, FIRED);
	watch(epoll, hung_up[0], EPOLLIN | EPOLLONESHOT, HUNG_UP);
	watch(epoll, closed, EPOLLIN, CLOSED);
	watch(epoll, reused, EPOLLIN, REUSED);
	watch(inner, inside, EPOLLIN, INNER);
	watch(epoll, inner, EPOLLIN, INNER);
	watch(epoll, timer, EPOLLIN, TIMER);
	watch(epoll, pipes[0], EPOLLIN, OTHER);
	/* The descriptions live on in duplicates, the watches under the old numbers. */
	closed_twin = must(fcntl(closed, F_DUPFD, 100));
	close(closed);
	reused_twin = must(fcntl(reused, F_DUPFD, 100));
	must(dup2(pipes[1], reused));
	watch(epoll, reused, EPOLLET, NEW); /* the same number once more, for another file */
	add(fired, 1);
	close(hung_up[1]);
	expect("before", ready(epoll), BIT(FIRED) | BIT(HUNG_UP));
	expect("before, again", ready(epoll), 0);
	add(level, 1);
	must(timerfd_settime(timer, 0, &soon, NULL));
	victim_gate();
	pid = victim_fork(child, NULL);
	victim_all_here(1);
	victim_ready();
	victim_wait();
	victim_join(pid);

	/* Pending then, and what the child did. */
	expect("after", ready(epoll), BIT(LEVEL) | BIT(TIMER) | BIT(CLOSED));
	must(read(level, &(uint64_t){ 0 }, 8));
	must(read(timer, &(uint64_t){ 0 }, 8));
	must(read(closed_twin, &(uint64_t){ 0 }, 8));
	expect("all read", ready(epoll), 0);
	add(edge, 1);
	add(once, 1);
	add(fired, 1);
	add(reused_twin, 1);
	add(inside, 1);
	must(write(reused, "x", 1)); /* the pipe */
	expect("all written", ready(epoll), BIT(EDGE) | BIT(ONCE) | BIT(REUSED) | BIT(INNER) | BIT(OTHER));
	expect("all written, again", ready(epoll), BIT(REUSED) | BIT(INNER) | BIT(OTHER));
	expect("inner", ready(inner), BIT(INNER));

	/* The watches can be changed and removed as before, under their numbers. */
	event = (struct epoll_event){ .events = EPOLLIN | EPOLLONESHOT, .data.u64 = FIRED };
	check(epoll_ctl(epoll, EPOLL_CTL_MOD, fired, &event) == 0, "the one-shot cannot be armed: %s", strerror(errno));
	check(epoll_ctl(epoll, EPOLL_CTL_DEL, inner, NULL) == 0, "the inner epoll is not watched: %s", strerror(errno));
	check(epoll_ctl(epoll, EPOLL_CTL_DEL, reused, NULL) == 0, "the new one is not watched: %s", strerror(errno));
	check(epoll_ctl(epoll, EPOLL_CTL_DEL, closed_twin, NULL) == -1 && errno == ENOENT,
	      "the duplicate's number is watched");
	must(dup2(closed_twin, closed)); /* a closed number that comes back with its file */
	check(epoll_ctl(epoll, EPOLL_CTL_DEL, closed, NULL) == 0, "the closed number is not watched: %s",
	      strerror(errno));
	expect("changed", ready(epoll), BIT(FIRED) | BIT(REUSED) | BIT(OTHER));
	return victim_end();
}
