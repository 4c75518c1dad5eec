/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-space build of VT-d's page request queue: small bitmaps
 */
#ifndef STUBS_LINUX_BITMAP_H
#define STUBS_LINUX_BITMAP_H

#define BITS_PER_WORD	(8 * sizeof(unsigned long))

#define DECLARE_BITMAP(name, bits) \
	unsigned long name[((bits) + BITS_PER_WORD - 1) / BITS_PER_WORD]

static inline void __set_bit(unsigned long nr, unsigned long *map)
{
	map[nr / BITS_PER_WORD] |= 1UL << nr % BITS_PER_WORD;
}

static inline unsigned long find_first_zero_bit(const unsigned long *map,
						unsigned long size)
{
	unsigned long nr;

	for (nr = 0; nr < size; nr++)
		if (!(map[nr / BITS_PER_WORD] >> nr % BITS_PER_WORD & 1))
			break;
	return nr;
}

#endif /* STUBS_LINUX_BITMAP_H */
