/* SPDX-License-Identifier: ISC */
/* bpf_run.h - runs a program of classic BPF over a message as Linux does, the
 * search for netlink attributes included; and checks it as Linux does when it
 * takes one. What it would refuse ends the test. */
#ifndef TESTS_BPF_RUN_H
#define TESTS_BPF_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/filter.h>

struct bpf_machine {
	const uint8_t *data;
	size_t size;
	uint32_t a, x, mem[BPF_MEMWORDS];
	uint16_t stored; /* bit i: mem[i] */
};

static inline void bpf_must(bool is_so, const char *what)
{
	if (is_so)
		return;
	fprintf(stderr, "bpf: %s\n", what);
	abort();
}

/* A header of this machine; false if no attribute is at this place. */
static inline bool bpf_attr(const struct bpf_machine *m, size_t at, size_t end,
			    uint16_t *len, uint16_t *type)
{
	if (at > end || end - at < 4)
		return false;
	memcpy(len, m->data + at, sizeof(*len));
	memcpy(type, m->data + at + 2, sizeof(*type));
	*type &= 0x3fff;
	return *len >= 4 && *len <= end - at;
}

/* nla_find(): from an offset to another; 0: there is none. */
static inline uint32_t bpf_attr_find(const struct bpf_machine *m, size_t at,
				     size_t end, uint32_t wanted)
{
	uint16_t len, type;

	for (; bpf_attr(m, at, end, &len, &type); at += (len + 3U) & ~3U)
		if (type == wanted)
			return (uint32_t)at;
	return 0;
}

static inline uint32_t bpf_nest_find(const struct bpf_machine *m, uint32_t at,
				     uint32_t wanted)
{
	uint16_t len;

	if (m->size < 4 || at > m->size - 4)
		return 0;
	memcpy(&len, m->data + at, sizeof(len));
	if (len < 4 || len > m->size - at)
		return 0;
	return bpf_attr_find(m, at + 4, at + len, wanted);
}

/* False: beyond the message, which does not pass then. */
static inline bool bpf_load(struct bpf_machine *m, uint16_t code, uint64_t at)
{
	size_t n = BPF_SIZE(code) == BPF_B   ? 1
		   : BPF_SIZE(code) == BPF_H ? 2
					     : 4;

	if (at + n > m->size)
		return false;
	m->a = 0;
	for (size_t i = 0; i < n; i++)
		m->a = m->a << 8 | m->data[at + i];
	return true;
}

static inline bool bpf_load_any(struct bpf_machine *m,
				const struct sock_filter *f)
{
	switch (f->code) {
	case BPF_LD | BPF_IMM:
		m->a = f->k;
		return true;
	case BPF_LD | BPF_MEM:
		bpf_must(f->k < BPF_MEMWORDS && m->stored >> f->k & 1,
			 "M is read before it is written");
		m->a = m->mem[f->k];
		return true;
	case BPF_LD | BPF_W | BPF_ABS:
		if (f->k == (uint32_t)(SKF_AD_OFF + SKF_AD_NLATTR))
			m->a = m->size < 4 || m->a > m->size - 4
				       ? 0
				       : bpf_attr_find(m, m->a, m->size, m->x);
		else if (f->k == (uint32_t)(SKF_AD_OFF + SKF_AD_NLATTR_NEST))
			m->a = bpf_nest_find(m, m->a, m->x);
		else
			return bpf_load(m, f->code, f->k);
		return true;
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS:
		return bpf_load(m, f->code, f->k);
	case BPF_LD | BPF_W | BPF_IND:
	case BPF_LD | BPF_H | BPF_IND:
	case BPF_LD | BPF_B | BPF_IND:
		return bpf_load(m, f->code, (uint64_t)m->x + f->k);
	default:
		bpf_must(false, "unknown load");
		return false;
	}
}

static inline bool bpf_holds(const struct bpf_machine *m,
			     const struct sock_filter *f)
{
	switch (BPF_OP(f->code)) {
	case BPF_JEQ:
		return m->a == f->k;
	case BPF_JGT:
		return m->a > f->k;
	case BPF_JGE:
		return m->a >= f->k;
	case BPF_JSET:
		return m->a & f->k;
	default:
		bpf_must(false, "unknown jump");
		return false;
	}
}

/* Whether the message passes. *n_steps, if not NULL: instructions executed. */
static inline bool bpf_passes(const struct sock_filter *insns, size_t n,
			      const void *data, size_t size, size_t *n_steps)
{
	struct bpf_machine m = { .data = data, .size = size };
	size_t steps = 1;

	for (size_t pc = 0;; pc++, steps++) {
		const struct sock_filter *f = &insns[pc];

		bpf_must(pc < n, "it runs over its end");
		if (n_steps)
			*n_steps = steps;
		if (BPF_CLASS(f->code) == BPF_RET) {
			return f->k != 0;
		} else if (f->code == (BPF_JMP | BPF_JA)) {
			pc += f->k;
		} else if (BPF_CLASS(f->code) == BPF_JMP) {
			pc += bpf_holds(&m, f) ? f->jt : f->jf;
		} else if (f->code == (BPF_LDX | BPF_IMM)) {
			m.x = f->k;
		} else if (f->code == (BPF_MISC | BPF_TAX)) {
			m.x = m.a;
		} else if (f->code == BPF_ST) {
			bpf_must(f->k < BPF_MEMWORDS, "no such word");
			m.mem[f->k] = m.a;
			m.stored |= (uint16_t)(1U << f->k);
		} else if (BPF_CLASS(f->code) == BPF_LD) {
			if (!bpf_load_any(&m, f))
				return false;
		} else {
			bpf_must(false, "unknown instruction");
		}
	}
}

#endif
