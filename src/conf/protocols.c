/* SPDX-License-Identifier: ISC */
#include "conf/protocols.h"

#include <string.h>
#include <strings.h>

#include "base/util.h"
#include "conf/diag.h"

/* IANA's numbers; the first row of a number is the name to write. */
/* clang-format off */
static const struct row {
	const char *name;
	int number;
} rows[] = {
	{ "IP", 0 }, { "HOPOPT", 0 },
	{ "ICMP", 1 },
	{ "IGMP", 2 },
	{ "GGP", 3 },
	{ "IPENCAP", 4 }, { "IP-ENCAP", 4 }, { "IPv4", 4 },
	{ "ST", 5 },
	{ "TCP", 6 },
	{ "CBT", 7 },
	{ "EGP", 8 },
	{ "IGP", 9 },
	{ "BBN-RCC", 10 }, { "BBN-RCC-MON", 10 },
	{ "NVP", 11 }, { "NVP-II", 11 },
	{ "PUP", 12 },
	{ "ARGUS", 13 },
	{ "EMCON", 14 },
	{ "XNET", 15 },
	{ "CHAOS", 16 },
	{ "UDP", 17 },
	{ "MUX", 18 },
	{ "DCN", 19 }, { "DCN-MEAS", 19 },
	{ "HMP", 20 },
	{ "PRM", 21 },
	{ "XNS-IDP", 22 },
	{ "TRUNK-1", 23 },
	{ "TRUNK-2", 24 },
	{ "LEAF-1", 25 },
	{ "LEAF-2", 26 },
	{ "RDP", 27 },
	{ "IRTP", 28 },
	{ "ISO-TP4", 29 },
	{ "NETBLT", 30 },
	{ "MFE-NSP", 31 },
	{ "MERIT-INP", 32 },
	{ "DCCP", 33 },
	{ "3PC", 34 },
	{ "IDPR", 35 },
	{ "XTP", 36 },
	{ "DDP", 37 },
	{ "IDPR-CMTP", 38 },
	{ "TP++", 39 },
	{ "IL", 40 },
	{ "IPv6", 41 },
	{ "SDRP", 42 },
	{ "IPv6-Route", 43 },
	{ "IPv6-Frag", 44 },
	{ "IDRP", 45 },
	{ "RSVP", 46 },
	{ "GRE", 47 },
	{ "DSR", 48 },
	{ "BNA", 49 },
	{ "ESP", 50 }, { "IPSEC-ESP", 50 }, { "IPv6-Crypt", 50 },
	{ "AH", 51 }, { "IPSEC-AH", 51 }, { "IPv6-Auth", 51 },
	{ "I-NLSP", 52 },
	{ "SWIPE", 53 },
	{ "NARP", 54 },
	{ "MOBILE", 55 },
	{ "TLSP", 56 },
	{ "SKIP", 57 },
	{ "IPv6-ICMP", 58 },
	{ "IPv6-NoNxt", 59 },
	{ "IPv6-Opts", 60 },
	{ "CFTP", 62 },
	{ "SAT-EXPAK", 64 },
	{ "KRYPTOLAN", 65 },
	{ "RVD", 66 },
	{ "IPPC", 67 },
	{ "SAT-MON", 69 },
	{ "VISA", 70 },
	{ "IPCV", 71 },
	{ "CPNX", 72 },
	{ "RSPF", 73 }, { "CPHB", 73 },
	{ "WSN", 74 },
	{ "PVP", 75 },
	{ "BR-SAT-MON", 76 },
	{ "SUN-ND", 77 },
	{ "WB-MON", 78 },
	{ "WB-EXPAK", 79 },
	{ "ISO-IP", 80 },
	{ "VMTP", 81 },
	{ "SECURE-VMTP", 82 },
	{ "VINES", 83 },
	{ "TTP", 84 }, { "IPTM", 84 },
	{ "NSFNET-IGP", 85 },
	{ "DGP", 86 },
	{ "TCF", 87 },
	{ "EIGRP", 88 },
	{ "OSPF", 89 }, { "OSPFIGP", 89 },
	{ "SPRITE-RPC", 90 },
	{ "LARP", 91 },
	{ "MTP", 92 },
	{ "AX.25", 93 },
	{ "IPIP", 94 },
	{ "MICP", 95 },
	{ "SCC-SP", 96 },
	{ "ETHERIP", 97 },
	{ "ENCAP", 98 },
	{ "GMTP", 100 },
	{ "IFMP", 101 },
	{ "PNNI", 102 },
	{ "PIM", 103 },
	{ "ARIS", 104 },
	{ "SCPS", 105 },
	{ "QNX", 106 },
	{ "A-N", 107 },
	{ "IPCOMP", 108 },
	{ "SNP", 109 },
	{ "COMPAQ-PEER", 110 },
	{ "IPX-IN-IP", 111 },
	{ "VRRP", 112 }, { "CARP", 112 },
	{ "PGM", 113 },
	{ "L2TP", 115 },
	{ "DDX", 116 },
	{ "IATP", 117 },
	{ "STP", 118 },
	{ "SRP", 119 },
	{ "UTI", 120 },
	{ "SMP", 121 },
	{ "SM", 122 },
	{ "PTP", 123 },
	{ "ISIS", 124 },
	{ "FIRE", 125 },
	{ "CRTP", 126 },
	{ "CRUDP", 127 },
	{ "SSCOPMCE", 128 },
	{ "IPLT", 129 },
	{ "SPS", 130 },
	{ "PIPE", 131 },
	{ "SCTP", 132 },
	{ "FC", 133 },
	{ "RSVP-E2E-IGNORE", 134 },
	{ "Mobility-Header", 135 },
	{ "UDPLite", 136 },
	{ "MPLS-in-IP", 137 },
	{ "MANET", 138 },
	{ "HIP", 139 },
	{ "Shim6", 140 },
	{ "WESP", 141 },
	{ "ROHC", 142 },
	{ "Ethernet", 143 },
	{ "AGGFRAG", 144 },
	{ "NSH", 145 },
};

/* Not in common databases, but there is no doubt about them. */
static const struct row odd_rows[] = {
	{ "ICMPv6", 58 },
	{ "ICMP6", 58 },
	{ "ICMP-v6", 58 },
};
/* clang-format on */

static int find(const struct row *table, size_t n, const char *name, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(table[i].name) == len &&
		    !strncasecmp(table[i].name, name, len))
			return table[i].number;
	return -1;
}

int protocols_number(const char *name, size_t len, const char **use)
{
	int number = find(rows, N_ELEMENTS(rows), name, len);

	*use = NULL;
	if (number < 0) {
		number = find(odd_rows, N_ELEMENTS(odd_rows), name, len);
		if (number >= 0)
			*use = protocols_name((unsigned int)number);
	}
	return number;
}

const char *protocols_nearest(const char *name, size_t len)
{
	struct nearest near;

	nearest_init(&near, name, len);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		nearest_try(&near, rows[i].name);
	return near.best;
}

const char *protocols_name(unsigned int number)
{
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		if ((unsigned int)rows[i].number == number)
			return rows[i].name;
	return NULL;
}
