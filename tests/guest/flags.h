/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Flags by their names: "kill,flush" on the command line, " kill flush" in the output
 *
 * The name at index i stands for the flag 1 << i.
 */
#ifndef FLAGS_H
#define FLAGS_H

#include <stdio.h>
#include <string.h>

/**
 * flags_parse() - Parse a list of flags
 * @list: names, separated by commas, or "none"
 * @what: what a flag is, for the error message
 * @names: the known names
 * @nr: length of @names
 *
 * Return: the flags, or -1 for an unknown name, after a message that lists the known ones.
 */
static inline int flags_parse(const char *list, const char *what,
			      const char *const names[], unsigned int nr)
{
	int flags = 0;
	unsigned int i;
	size_t len;

	if (!strcmp(list, "none"))
		return 0;
	for (;; list += len + 1) {
		len = strcspn(list, ",");
		for (i = 0; i < nr; i++)
			if (strlen(names[i]) == len && !memcmp(list, names[i], len))
				break;
		if (i == nr)
			break;
		flags |= 1U << i;
		if (!list[len])
			return flags;
	}
	fprintf(stderr, "unknown %s \"%.*s\"; known are: none", what, (int)len, list);
	for (i = 0; i < nr; i++)
		fprintf(stderr, " %s", names[i]);
	fprintf(stderr, "\n");
	return -1;
}

/* Print the names of @flags, each after a space. */
static inline void flags_print(unsigned int flags, const char *const names[],
			       unsigned int nr)
{
	unsigned int i;

	if (!flags)
		printf(" none");
	for (i = 0; i < nr; i++)
		if (flags & 1U << i)
			printf(" %s", names[i]);
}

#endif /* FLAGS_H */
