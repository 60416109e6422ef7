/* SPDX-License-Identifier: BSD-3-Clause */
/* sockdiag.c - what the kernel tells of sockets by netlink (sock_diag(7)) */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>

#include "base/util.h"
#include "resource/sockets.h"

#define BUFFER_SIZE 32768 /* the kernel puts up to that much of a list into one message */

struct waiting {
	uint32_t client, listener;
};

struct list {
	struct dn_unix_info *data;
	size_t count, cap;
	struct waiting *waiting;
	size_t waiting_count, waiting_cap;
};

/* Clients that were not accepted yet. */
static bool take_waiting(struct list *l, uint32_t listener, const struct nlattr *a)
{
	const uint32_t *inos = mnl_attr_get_payload(a);

	for (size_t k = 0; k < mnl_attr_get_payload_len(a) / sizeof(*inos); k++) {
		if (dn_grow(&l->waiting, &l->waiting_cap, l->waiting_count, sizeof(*l->waiting)) < 0) {
			errno = ENOMEM;
			return false;
		}
		l->waiting[l->waiting_count++] = (struct waiting){ .client = inos[k], .listener = listener };
	}
	return true;
}

static bool take(struct list *l, size_t index, const struct nlattr *a)
{
	struct dn_unix_info *i = &l->data[index];
	size_t len = mnl_attr_get_payload_len(a);
	const void *data = mnl_attr_get_payload(a);

	switch (mnl_attr_get_type(a)) {
	case UNIX_DIAG_PEER:
		i->has_peer = true;
		i->peer = len >= sizeof(i->peer) ? mnl_attr_get_u32(a) : 0;
		break;
	case UNIX_DIAG_SHUTDOWN: i->shutdown = len ? mnl_attr_get_u8(a) : 0; break;
	case UNIX_DIAG_VFS:
		i->file = len >= sizeof(struct unix_diag_vfs) ? ((const struct unix_diag_vfs *)data)->udiag_vfs_ino : 0;
		break;
	case UNIX_DIAG_RQLEN:
		if (len < sizeof(struct unix_diag_rqlen))
			break;
		i->waiting = ((const struct unix_diag_rqlen *)data)->udiag_rqueue;
		i->backlog = ((const struct unix_diag_rqlen *)data)->udiag_wqueue;
		break;
	case UNIX_DIAG_ICONS: return take_waiting(l, i->ino, a);
	}
	return true;
}

static int add_unix(const struct nlmsghdr *header, void *arg)
{
	const struct unix_diag_msg *m = mnl_nlmsg_get_payload(header);
	struct list *l = arg;
	const struct nlattr *a;

	if (mnl_nlmsg_get_payload_len(header) < sizeof(*m))
		return MNL_CB_OK;
	if (dn_grow(&l->data, &l->cap, l->count, sizeof(*l->data)) < 0) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	l->data[l->count++] = (struct dn_unix_info){ .ino = m->udiag_ino, .state = m->udiag_state };
	mnl_attr_for_each(a, header, sizeof(*m)) if (!take(l, l->count - 1, a)) return MNL_CB_ERROR;
	return MNL_CB_OK;
}

static int by_ino(const void *a, const void *b)
{
	const struct dn_unix_info *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static int ask(struct mnl_socket *s, struct list *l)
{
	char buffer[BUFFER_SIZE];
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	int r = MNL_CB_OK;

	header->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	struct unix_diag_req *q = mnl_nlmsg_put_extra_header(header, sizeof(*q));
	q->sdiag_family = AF_UNIX;
	q->udiag_states = ~0U;
	q->udiag_show = UDIAG_SHOW_PEER | UDIAG_SHOW_VFS | UDIAG_SHOW_ICONS | UDIAG_SHOW_RQLEN;
	if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 || mnl_socket_sendto(s, header, header->nlmsg_len) < 0)
		return -errno;
	while (r == MNL_CB_OK) {
		ssize_t n = mnl_socket_recvfrom(s, buffer, sizeof(buffer));
		r = n < 0 ? MNL_CB_ERROR : mnl_cb_run(buffer, (size_t)n, 0, mnl_socket_get_portid(s), add_unix, l);
	}
	return r == MNL_CB_ERROR ? -errno : 0;
}

int dn_unix_list(struct dn_unix_info **ret, size_t *ret_count, struct dn_error *err)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	struct list l = {};

	if (!s)
		return dn_error_set(err, -errno, "cannot ask the kernel about sockets");
	int r = ask(s, &l);
	mnl_socket_close(s);
	if (l.count)
		qsort(l.data, l.count, sizeof(*l.data), by_ino);
	for (size_t i = 0; i < l.waiting_count; i++) {
		const struct dn_unix_info key = { .ino = l.waiting[i].client };
		struct dn_unix_info *client = bsearch(&key, l.data, l.count, sizeof(key), by_ino);
		if (client)
			client->listener = l.waiting[i].listener;
	}
	free(l.waiting);
	if (r < 0) {
		free(l.data);
		return dn_error_set(err, r, "cannot ask the kernel about unix sockets (CONFIG_UNIX_DIAG)");
	}
	*ret = l.data;
	*ret_count = l.count;
	return 0;
}

const struct dn_unix_info *dn_unix_find(const struct dn_unix_info *list, size_t count, ino_t ino)
{
	const struct dn_unix_info key = { .ino = (uint32_t)ino };

	return count ? bsearch(&key, list, count, sizeof(*list), by_ino) : NULL;
}
