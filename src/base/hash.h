/* SPDX-License-Identifier: ISC */
/* hash.h - a keyed hash of bytes. Tuples are chosen by strangers: without the
 * key nobody can choose those that fall into one chain. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* SipHash-1-3 of n bytes. key: 128 bits that are random for each process. The
 * same bytes and key give the same value on every machine. */
uint64_t hash_bytes(const uint64_t key[2], const void *bytes, size_t n);

#endif
