/* SPDX-License-Identifier: ISC */
/* probes.h - short dialogues with a reference node in FT-FW mode, each for a
 * rule of PROTOCOL.md 3. refprobe holds them with a real one,
 * test_sim_reference.c with the model: what one of them answers, the other has
 * to. */
#ifndef TOOLS_PROBES_H
#define TOOLS_PROBES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* ---- what the table is made of ------------------------------------------ */

enum probe_type { NEW, UPD, DEL, CTL = 10 };

enum probe_flag {
	RESYNC = 0x02,
	NACK = 0x04,
	ACK = 0x08,
	ALIVE = 0x10,
	HELLO = 0x20,
	HELLO_BACK = 0x40,
};

enum probe_op {
	PROBE_END,
	PROBE_SAY,    /* a message of ours, under number seq */
	PROBE_MANY,   /* ALIVEs, n of them from number seq on */
	PROBE_HEAR,   /* its next message but signs of life and ACKs */
	PROBE_QUIET,  /* for n ms it sends no other than these */
	PROBE_BEGIN,  /* its kernel has a new flow n, ... */
	PROBE_UPDATE, /* ... a change of it, ... */
	PROBE_FINISH, /* ... its end */
	PROBE_START,  /* it starts; n: with StartupResync */
	PROBE_HAS,    /* its external cache has flow n, ... */
	PROBE_LACKS,  /* ... or not */
};

struct probe_step {
	enum probe_op op;
	enum probe_type type;
	uint8_t flags;
	uint32_t seq;      /* of ours */
	uint32_t from, to; /* of ACK and NACK */
	bool is_of_heard;  /* from and to count the messages heard */
	int n;
};

struct probe {
	const char *rule;
	struct probe_step steps[16];
};

enum { PROBE_WINDOW = 20 /* its ACKWindowSize */, PROBE_HEARD_MAX = 16 };

/* clang-format off */
#define SAY(seq, flags)       { PROBE_SAY, CTL, flags, seq, 0, 0, false, 0 }
#define SAY_RANGE(seq, flag, from, to) \
	{ PROBE_SAY, CTL, flag, seq, from, to, false, 0 }
#define SAY_HEARD(seq, flag, first, last) \
	{ PROBE_SAY, CTL, flag, seq, first, last, true, 0 }
#define SAY_DATA(seq, type, flow, flags) \
	{ PROBE_SAY, type, flags, seq, 0, 0, false, flow }
#define SAY_MANY(seq, n)      { PROBE_MANY, CTL, ALIVE, seq, 0, 0, false, n }
#define HEAR(flags)           { PROBE_HEAR, CTL, flags, 0, 0, 0, false, 3000 }
#define HEAR_RANGE(flags, from, to) \
	{ PROBE_HEAR, CTL, flags, 0, from, to, false, 3000 }
#define HEAR_SOON(flags, from, to) \
	{ PROBE_HEAR, CTL, flags, 0, from, to, false, 500 }
/* n is the flow; within 3 s */
#define HEAR_DATA(type, flow, flags) \
	{ PROBE_HEAR, type, flags, 0, 0, 0, false, flow }
#define QUIET(ms)             { PROBE_QUIET, CTL, 0, 0, 0, 0, false, ms }
#define BEGIN(flow)           { PROBE_BEGIN, NEW, 0, 0, 0, 0, false, flow }
#define UPDATE(flow)          { PROBE_UPDATE, UPD, 0, 0, 0, 0, false, flow }
#define FINISH(flow)          { PROBE_FINISH, DEL, 0, 0, 0, 0, false, flow }
#define START(resync)         { PROBE_START, CTL, 0, 0, 0, 0, false, resync }
#define HAS(flow)             { PROBE_HAS, CTL, 0, 0, 0, 0, false, flow }
#define LACKS(flow)           { PROBE_LACKS, CTL, 0, 0, 0, 0, false, flow }
/* Both have started and know it: its last is 1000, its first message the ACK.
 */
#define MEET START(0), HEAR(ALIVE | HELLO), \
	SAY(1000, ALIVE | HELLO | HELLO_BACK), \
	HEAR_RANGE(ACK | HELLO_BACK, 1000, 1000)

static const struct probe probes[] = {
	{ "its first sign of life says HELLO", {
		START(0), HEAR(ALIVE | HELLO) } },
	{ "HELLO goes on until HELLO_BACK comes", {
		START(0), HEAR(ALIVE | HELLO), HEAR(ALIVE | HELLO),
		SAY(1000, ALIVE), HEAR_RANGE(ACK | HELLO, 1000, 1000),
		SAY(1001, ALIVE | HELLO_BACK), HEAR_RANGE(ACK, 1001, 1001) } },
	{ "HELLO is answered with the next message", {
		START(0), HEAR(ALIVE | HELLO), SAY(1000, ALIVE | HELLO),
		HEAR_RANGE(ACK | HELLO | HELLO_BACK, 1000, 1000) } },
	{ "with StartupResync it begins with RESYNC", {
		START(1), HEAR_RANGE(RESYNC | HELLO, 0, 0) } },
	{ "a gap is acknowledged up to it, and asked for", {
		MEET, SAY(1001, ALIVE), SAY(1004, ALIVE),
		HEAR_SOON(ACK, 1001, 1001), HEAR_SOON(NACK, 1002, 1003),
		HEAR_RANGE(ACK, 1004, 1004) } },
	{ "a gap with nothing to acknowledge is only asked for", {
		MEET, SAY(1010, ALIVE), HEAR_SOON(NACK, 1001, 1009),
		HEAR_RANGE(ACK, 1010, 1010) } },
	{ "what is late is dropped", {
		MEET, SAY(1001, ALIVE), HEAR_RANGE(ACK, 1001, 1001),
		SAY(1000, ALIVE), SAY_DATA(900, NEW, 7, 0),
		SAY(1002, ALIVE), HEAR_RANGE(ACK, 1002, 1002), LACKS(7) } },
	{ "a full window is acknowledged at once", {
		MEET, SAY_MANY(1001, PROBE_WINDOW - 1),
		HEAR_SOON(ACK, 1001, 1000 + PROBE_WINDOW - 1),
		SAY_MANY(1000 + PROBE_WINDOW, PROBE_WINDOW),
		HEAR_SOON(ACK, 1000 + PROBE_WINDOW,
			  1000 + 2 * PROBE_WINDOW - 1) } },
	{ "a window that began before a timed ACK goes on", {
		MEET, SAY_MANY(1001, 9), HEAR_RANGE(ACK, 1001, 1009),
		SAY_MANY(1010, 10), HEAR_SOON(ACK, 1010, 1019) } },
	{ "after a gap the window counts from the gap on", {
		MEET, SAY_MANY(1002, 1), HEAR_SOON(NACK, 1001, 1001),
		SAY_MANY(1003, PROBE_WINDOW - 1),
		HEAR_SOON(ACK, 1002, 1001 + PROBE_WINDOW) } },
	{ "numbers with HELLO are taken without looking for gaps", {
		START(0), HEAR(ALIVE | HELLO),
		SAY(1000, ALIVE | HELLO | HELLO_BACK),
		SAY(1005, ALIVE | HELLO),
		HEAR_RANGE(ACK | HELLO_BACK, 1000, 1005) } },
	{ "a HELLO may lie anywhere", {
		MEET, SAY(10, ALIVE | HELLO),
		HEAR_RANGE(ACK | HELLO_BACK, 10, 10),
		SAY(11, ALIVE), HEAR_RANGE(ACK, 11, 11) } },
	{ "an old HELLO takes the numbers back", {
		MEET, SAY(1001, ALIVE), SAY(1000, ALIVE | HELLO),
		SAY(1002, ALIVE), HEAR_SOON(ACK | HELLO_BACK, 1000, 1000),
		HEAR_SOON(NACK, 1001, 1001), HEAR_RANGE(ACK, 1002, 1002) } },
	{ "an ACK that ends before it begins is not accepted", {
		MEET, SAY_RANGE(1001, ACK, 10, 5), SAY(1002, ALIVE),
		HEAR_SOON(NACK, 1001, 1001), HEAR_RANGE(ACK, 1002, 1002) } },
	{ "what is asked for is sent anew", {
		MEET, BEGIN(5), HEAR_DATA(NEW, 5, 0), SAY_HEARD(1001, NACK, 2, 2),
		HEAR_DATA(NEW, 5, 0), SAY_HEARD(1002, NACK, 3, 3),
		HEAR_DATA(NEW, 5, 0) } },
	{ "what is sent anew has a new number, the old one holds nothing", {
		MEET, BEGIN(5), HEAR_DATA(NEW, 5, 0), SAY_HEARD(1001, NACK, 2, 2),
		HEAR_DATA(NEW, 5, 0), SAY_HEARD(1002, NACK, 2, 2), QUIET(1500) } },
	{ "what is acknowledged is let go", {
		MEET, BEGIN(5), HEAR_DATA(NEW, 5, 0), SAY_HEARD(1001, ACK, 2, 2),
		SAY_HEARD(1002, NACK, 2, 2), QUIET(1500) } },
	{ "a HELLO lets everything go", {
		MEET, BEGIN(5), HEAR_DATA(NEW, 5, 0), SAY(1001, ALIVE | HELLO),
		SAY_HEARD(1002, NACK, 2, 2), QUIET(1500) } },
	{ "what changes while it is held is told anew at once", {
		MEET, BEGIN(5), HEAR_DATA(NEW, 5, 0), UPDATE(5), HEAR_DATA(UPD, 5, 0),
		SAY_HEARD(1001, NACK, 2, 2), QUIET(1500),
		SAY_HEARD(1002, NACK, 3, 3), HEAR_DATA(UPD, 5, 0) } },
	{ "an end is held like anything", {
		MEET, BEGIN(5), HEAR_DATA(NEW, 5, 0), FINISH(5), HEAR_DATA(DEL, 5, 0),
		SAY_HEARD(1001, NACK, 3, 3), HEAR_DATA(DEL, 5, 0),
		SAY_HEARD(1002, ACK, 4, 4), SAY_RANGE(1003, RESYNC, 0, 0),
		QUIET(1500) } },
	{ "a new life forgets the end of the former", {
		MEET, BEGIN(5), HEAR_DATA(NEW, 5, 0), FINISH(5), HEAR_DATA(DEL, 5, 0),
		BEGIN(5), HEAR_DATA(NEW, 5, 0), SAY_HEARD(1001, NACK, 3, 3),
		QUIET(1500) } },
	{ "a RESYNC is answered with all there is, ends included", {
		MEET, BEGIN(5), HEAR_DATA(NEW, 5, 0), SAY_HEARD(1001, ACK, 2, 2),
		SAY_RANGE(1002, RESYNC, 0, 0), HEAR_DATA(NEW, 5, 0), FINISH(5),
		HEAR_DATA(DEL, 5, 0), SAY_RANGE(1003, RESYNC, 0, 0),
		HEAR_DATA(DEL, 5, 0) } },
	{ "what a dump found is told at a RESYNC only", {
		BEGIN(5), START(0), HEAR(ALIVE | HELLO),
		SAY(1000, ALIVE | HELLO | HELLO_BACK),
		HEAR_RANGE(ACK | HELLO_BACK, 1000, 1000), QUIET(1500),
		SAY_RANGE(1001, RESYNC, 0, 0), HEAR_DATA(NEW, 5, 0) } },
	{ "acknowledgements are held, with the flags they had", {
		MEET, SAY_HEARD(1001, NACK, 1, 1),
		HEAR_RANGE(ACK | HELLO_BACK, 1000, 1000) } },
	{ "requests are held", {
		MEET, SAY(1003, ALIVE), HEAR_SOON(NACK, 1001, 1002),
		SAY_HEARD(1004, NACK, 2, 2), HEAR_RANGE(NACK, 1001, 1002) } },
	{ "a RESYNC is held, and says HELLO for ever", {
		START(1), HEAR_RANGE(RESYNC | HELLO, 0, 0),
		SAY(1000, ALIVE | HELLO_BACK), HEAR_RANGE(ACK, 1000, 1000),
		SAY_HEARD(1001, NACK, 0, 0),
		HEAR_RANGE(RESYNC | HELLO, 0, 0) } },
	{ "data sent anew says HELLO no longer", {
		START(0), HEAR(ALIVE | HELLO), BEGIN(5),
		HEAR_DATA(NEW, 5, HELLO), SAY(1000, ALIVE | HELLO_BACK),
		HEAR_RANGE(ACK, 1000, 1000), SAY_HEARD(1001, NACK, 1, 1),
		HEAR_DATA(NEW, 5, 0) } },
	{ "signs of life are not held", {
		MEET, HEAR(ALIVE), SAY_HEARD(1001, NACK, 2, 2), QUIET(1500) } },
	{ "NEW, UPD and DEL go into the external cache", {
		MEET, SAY_DATA(1001, NEW, 7, 0), HAS(7),
		SAY_DATA(1002, DEL, 7, 0), LACKS(7), SAY_DATA(1003, UPD, 7, 0),
		HAS(7) } },
	{ "data after a gap is taken", {
		MEET, SAY_DATA(1005, NEW, 7, 0), HEAR_SOON(NACK, 1001, 1004),
		HAS(7) } },
	{ "old data with HELLO is taken again", {
		START(0), HEAR(ALIVE | HELLO),
		SAY_DATA(1000, NEW, 7, HELLO | HELLO_BACK),
		SAY_DATA(1001, DEL, 7, HELLO), LACKS(7),
		SAY_DATA(1000, NEW, 7, HELLO), HAS(7) } },
};
/* clang-format on */

enum { N_PROBES = sizeof(probes) / sizeof(probes[0]) };

/* ---- whom it is held with ----------------------------------------------- */

struct probe_peer {
	void *ctx;
	/* A datagram to it. */
	void (*send)(void *ctx, const uint8_t *bytes, size_t len);
	/* Its next message, at most 512 bytes; 0: none within *ms, which
	 * becomes what is left of it. */
	size_t (*receive)(void *ctx, uint8_t *bytes, int *ms);
	/* BEGIN, UPDATE, FINISH, START, HAS, LACKS; false: it failed. */
	bool (*act)(void *ctx, enum probe_op op, int n);
	/* The source port of flow n of its kernel. */
	unsigned (*port)(void *ctx, int n);
};

/* ---- messages ----------------------------------------------------------- */

static inline void probe_put(uint8_t *at, size_t n, uint32_t v)
{
	while (n--) {
		at[n] = (uint8_t)v;
		v >>= 8;
	}
}

static inline uint32_t probe_get(const uint8_t *at, size_t n)
{
	uint32_t v = 0;

	while (n--)
		v = v << 8 | *at++;
	return v;
}

/* Attributes of flow n of ours: addresses, status, protocol, ports. */
static inline size_t probe_attrs(uint8_t *at, int n)
{
	static const uint8_t flow[] = {
		0, 12, 0, 0, 10, 9, 0, 1,  10, 9, 0, 2, /* ipv4 */
		0, 8,  0, 5, 0,  0, 0, 8,  0,  5, 0, 2,
		6, 0,  0, 0,               /* status, */
		0, 8,  0, 3, 0,  0, 0, 80, /* tcp, ports */
		0, 5,  0, 4, 3,  0, 0, 0,  /* state */
	};

	memcpy(at, flow, sizeof(flow));
	probe_put(at + 32, 2, 2000 + (uint32_t)n);
	return sizeof(flow);
}

static inline void probe_say(const struct probe_peer *p,
			     const struct probe_step *s, uint32_t seq,
			     const uint32_t *heard)
{
	uint8_t m[128] = { (uint8_t)(0x10 | s->type), s->flags };
	size_t len = 8;

	if (s->type != CTL) {
		len += probe_attrs(m + len, s->n);
	} else if (s->flags & (ACK | NACK | RESYNC)) {
		probe_put(m + 8, 4, s->is_of_heard ? heard[s->from] : s->from);
		probe_put(m + 12, 4, s->is_of_heard ? heard[s->to] : s->to);
		len = 16;
	}
	probe_put(m + 2, 2, (uint32_t)len);
	probe_put(m + 4, 4, seq);
	p->send(p->ctx, m, len);
}

/* The source port among the attributes; 0: there is none. */
static inline unsigned probe_port_of(const uint8_t *m, size_t len)
{
	for (size_t at = 8; at + 8 <= len;) {
		size_t n = probe_get(m + at, 2);

		if (probe_get(m + at + 2, 2) == 3 /* NTA_PORT */)
			return probe_get(m + at + 4, 2);
		at += (n + 3) & ~(size_t)3;
	}
	return 0;
}

static inline bool probe_is_heard(const struct probe_peer *p,
				  const struct probe_step *s, const uint8_t *m,
				  size_t len)
{
	if ((m[0] & 15) != s->type || m[1] != s->flags)
		return false;
	if (s->type != CTL)
		return probe_port_of(m, len) == p->port(p->ctx, s->n);
	return !(s->flags & (ACK | NACK)) || (probe_get(m + 8, 4) == s->from &&
					      probe_get(m + 12, 4) == s->to);
}

/* A sign of life or an ACK that nobody waits for. */
static inline bool probe_is_noise(const struct probe_step *s, const uint8_t *m)
{
	uint8_t what = m[1] & (ACK | NACK | RESYNC | ALIVE);

	return (m[0] & 15) == CTL && (what == ALIVE || what == ACK) &&
	       (s->op == PROBE_QUIET || !(s->flags & what));
}

/* ---- holding one -------------------------------------------------------- */

/* Listens; true if what the step says is heard, or nothing in its time. */
static inline bool probe_hear(const struct probe_peer *p,
			      const struct probe_step *s, uint32_t *seq,
			      FILE *out)
{
	int ms = s->type == CTL ? s->n : 3000;
	uint8_t m[512];
	size_t len;

	while ((len = p->receive(p->ctx, m, &ms)) > 0) {
		if (probe_is_noise(s, m))
			continue;
		*seq = probe_get(m + 4, 4);
		if (s->op == PROBE_HEAR && probe_is_heard(p, s, m, len))
			return true;
		fprintf(out, "heard type %u flags 0x%02x", m[0] & 15, m[1]);
		if (len >= 16 && (m[0] & 15) == CTL)
			fprintf(out, " %u-%u", probe_get(m + 8, 4),
				probe_get(m + 12, 4));
		return false;
	}
	if (s->op == PROBE_QUIET)
		return true;
	fprintf(out, "heard nothing");
	return false;
}

static inline bool probe_step(const struct probe_peer *p,
			      const struct probe_step *s, uint32_t *heard,
			      int *n_heard, FILE *out)
{
	switch (s->op) {
	case PROBE_SAY:
		probe_say(p, s, s->seq, heard);
		return true;
	case PROBE_MANY:
		for (uint32_t i = 0; i < (uint32_t)s->n; i++)
			probe_say(p, s, s->seq + i, heard);
		return true;
	case PROBE_HEAR:
		return probe_hear(p, s, &heard[(*n_heard)++], out);
	case PROBE_QUIET:
		return probe_hear(p, s, &heard[PROBE_HEARD_MAX], out);
	default:
		if (p->act(p->ctx, s->op, s->n))
			return true;
		fprintf(out, "not so");
		return false;
	}
}

/* Holds one, and says how it went in one line on out. */
static inline bool probe_hold(const struct probe *d, const struct probe_peer *p,
			      FILE *out)
{
	uint32_t heard[PROBE_HEARD_MAX + 1] = { 0 };
	int n_heard = 0;

	for (int i = 0; d->steps[i].op != PROBE_END; i++)
		if (!probe_step(p, &d->steps[i], heard, &n_heard, out)) {
			fprintf(out, " at step %d: %s\n", i, d->rule);
			return false;
		}
	fprintf(out, "ok: %s\n", d->rule);
	return true;
}

#endif
