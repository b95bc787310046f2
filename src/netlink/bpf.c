/* SPDX-License-Identifier: ISC */
#include "netlink/bpf.h"

enum { FAR = 255 - 1 }; /* a jump to the other place may come in between */

static void write_insn(struct bpf *b, uint16_t code, uint32_t jt, uint32_t jf,
		       uint32_t k)
{
	b->n++;
	if (b->n <= b->size)
		b->insns[b->size - b->n] = (struct sock_filter){
			.code = code,
			.jt = (uint8_t)jt,
			.jf = (uint8_t)jf,
			.k = k,
		};
}

void bpf_op(struct bpf *b, uint16_t code, uint32_t k)
{
	write_insn(b, code, 0, 0, k);
}

void bpf_go(struct bpf *b, uint32_t to)
{
	if (to != b->n)
		write_insn(b, BPF_JMP | BPF_JA, 0, 0, b->n - to);
}

static void bring_near(struct bpf *b, uint32_t *place)
{
	if (b->n - *place > FAR) {
		bpf_go(b, *place);
		*place = b->n;
	}
}

void bpf_if(struct bpf *b, uint16_t comparison, uint32_t k, uint32_t *yes,
	    uint32_t *no)
{
	bring_near(b, yes);
	bring_near(b, no);
	write_insn(b, BPF_JMP | BPF_K | comparison, b->n - *yes, b->n - *no, k);
}
