/* SPDX-License-Identifier: BSD-3-Clause */
/* timerfd.c - driver: timerfds
 *
 * A timer goes on with what remained at the checkpoint, started when the tree is let go.  One that was
 * set to a moment of the wall clock keeps that moment.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <time.h>

#include "base/util.h"
#include "resource/drivers.h"
#include "resource/fileopen.h"
#include "resource/filetable.h"
#include "resource/message.h"

#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS _IOW('T', 0, uint64_t)
#endif

#define SECOND 1000000000ULL

static uint64_t to_ns(struct timespec ts)
{
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

static struct timespec from_ns(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / SECOND), .tv_nsec = (long)(ns % SECOND) };
}

static bool of_wall_clock(int clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM;
}

static uint64_t now_of(int clock)
{
	struct timespec now = {};

	clock_gettime(clock == CLOCK_REALTIME_ALARM   ? CLOCK_REALTIME
		      : clock == CLOCK_BOOTTIME_ALARM ? CLOCK_BOOTTIME
						      : clock,
		      &now);
	return to_ns(now);
}

static bool match(const struct dn_file_probe *probe)
{
	return !strcmp(probe->link, "anon_inode:[timerfd]") && !(probe->flags & O_PATH);
}

static int capture(struct dn_capture *c, const struct dn_file_probe *probe, Dn__File *file, struct dn_error *err)
{
	_cleanup_text_ struct dn_text text = {};
	struct itimerspec value;
	char whose[96];

	/* Asking for the time also counts the periods that passed, which fdinfo alone does not. */
	if (timerfd_gettime(probe->fd, &value) < 0)
		return dn_error_set(err, -errno, "%s a timerfd: cannot read it", dn_probe_whose(probe, whose));
	int r = dn_read_text(&text, err, "/proc/self/fdinfo/%d", probe->fd);
	if (r < 0)
		return r;
	const char *clock = dn_text_field(&text, "clockid"), *ticks = dn_text_field(&text, "ticks");
	const char *flags = dn_text_field(&text, "settime flags");
	if (!clock || !ticks || !flags)
		return dn_error_say(err, -EINVAL, "%s a timerfd: cannot understand its fdinfo",
				    dn_probe_whose(probe, whose));
	Dn__TimerFile *m = file->timer = dn_message_new(&dn__timer_file__descriptor);
	if (!m)
		return dn_error_set(err, -ENOMEM, "cannot list timerfds");
	m->clock = (int)strtol(clock, NULL, 10);
	m->ticks = strtoull(ticks, NULL, 10);
	m->settime_flags = (uint32_t)strtoul(flags, NULL, 8);
	m->value_ns = to_ns(value.it_value);
	m->interval_ns = to_ns(value.it_interval);
	m->armed = m->value_ns != 0;
	if (m->armed && m->settime_flags & TFD_TIMER_ABSTIME && of_wall_clock(m->clock))
		m->value_ns += now_of(m->clock);
	return 0;
}

static int check(struct dn_restore *r, const Dn__File *file, struct dn_error *err)
{
	const Dn__TimerFile *m = file->timer;

	if (!m || m->value_ns > INT64_MAX || m->interval_ns > INT64_MAX ||
	    m->settime_flags & ~(uint32_t)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
		return dn_error_say(err, -EINVAL, "file %u of the image is no timer", file->id);
	return 0;
}

static int restore(struct dn_restore *r, const Dn__File *file, int *ret_fd, struct dn_error *err)
{
	*ret_fd = timerfd_create(file->timer->clock, TFD_CLOEXEC);
	if (*ret_fd < 0)
		return dn_error_set(err, -errno, "cannot make a timerfd of clock %d", file->timer->clock);
	return 0;
}

static int start(struct dn_restore *r, const Dn__File *file, int fd, struct dn_error *err)
{
	const Dn__TimerFile *m = file->timer;
	struct itimerspec value = { .it_interval = from_ns(m->interval_ns) };

	if (m->armed && m->settime_flags & TFD_TIMER_ABSTIME && !of_wall_clock(m->clock))
		value.it_value = from_ns(m->value_ns + now_of(m->clock));
	else if (m->armed)
		value.it_value = from_ns(m->value_ns);
	if (timerfd_settime(fd, (int)m->settime_flags, &value, NULL) < 0)
		return dn_error_set(err, -errno, "cannot set a timerfd");
	if (m->ticks && ioctl(fd, TFD_IOC_SET_TICKS, &m->ticks) < 0)
		return dn_error_set(err, -errno, "cannot set the ticks of a timerfd");
	return 0;
}

const struct dn_file_driver dn_driver_timerfd = {
	.name = "timerfd",
	.match = match,
	.capture = capture,
	.check = check,
	.restore = restore,
	.start = start,
};
