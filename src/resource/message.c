/* SPDX-License-Identifier: BSD-3-Clause */
/* message.c - building protobuf-c messages that dn__*__free_unpacked(message, NULL) can free */
#include "resource/message.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int dn_message_bytes(ProtobufCBinaryData *field, const void *data, size_t len)
{
	uint8_t *copy = NULL;

	if (len) {
		copy = malloc(len);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, data, len);
	}
	free(field->data);
	*field = (ProtobufCBinaryData){ .len = len, .data = copy };
	return 0;
}

int dn_message_string(char **field, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	/* An unset string field points to this constant of the library. */
	if (*field != protobuf_c_empty_string)
		free(*field);
	*field = copy;
	return 0;
}

void *dn_message_new(const ProtobufCMessageDescriptor *descriptor)
{
	void *message = malloc(descriptor->sizeof_message);

	if (message)
		protobuf_c_message_init(descriptor, message);
	return message;
}

void *dn_message_append(void *array, size_t *n, size_t size)
{
	void **p = array;

	if ((*n & (*n - 1)) == 0) { /* 0 or a power of two: full */
		void *fresh = reallocarray(*p, *n ? *n * 2 : 1, size);
		if (!fresh)
			return NULL;
		*p = fresh;
	}
	return memset((char *)*p + (*n)++ * size, 0, size);
}

void *dn_message_add(void *array, size_t *n, const ProtobufCMessageDescriptor *descriptor)
{
	void *message = dn_message_new(descriptor);

	if (!message)
		return NULL;
	void **slot = dn_message_append(array, n, sizeof(void *));
	if (!slot) {
		free(message);
		return NULL;
	}
	*slot = message;
	return message;
}

int dn_message_add_bytes(ProtobufCBinaryData **array, size_t *n, const void *data, size_t len)
{
	ProtobufCBinaryData *field = dn_message_append(array, n, sizeof(*field));

	if (!field)
		return -ENOMEM;
	int r = dn_message_bytes(field, data, len);
	if (r < 0)
		(*n)--;
	return r;
}
