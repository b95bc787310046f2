/* SPDX-License-Identifier: ISC */
#include "conf/helper_names.h"

#include <string.h>
#include <strings.h>

#include "base/util.h"
#include "conf/diag.h"

static const char *const names[] = {
	/* net/netfilter/nf_conntrack_*.c and net/ipv4/netfilter/: what they
	 * register as the name of a helper */
	"amanda", "ftp", "H.245", "irc", "netbios-ns", "pptp", "Q.931", "RAS",
	"sane", "sip", "snmp", "snmp_trap", "tftp",
	/* user-space helpers of the conntrack-tools, beside those above */
	"dhcpv6", "mdns", "rpc", "slp", "ssdp", "tns",
	/* modules that routers have beside those of the kernel */
	"mms", "rtsp"
};

static const struct {
	const char *name, *instead;
} sets[] = {
	{ "h323", "ras, q.931 and h.245" },
	{ "nfs", "rpc" },
	{ "sqlnet", "tns" },
};

/* True for '-' and digits, or a beginning of that. */
static bool is_port(const char *at, size_t len)
{
	if (len && at[0] != '-')
		return false;
	for (size_t i = 1; i < len; i++)
		if (at[i] < '0' || at[i] > '9')
			return false;
	return true;
}

static bool stands_for(const char *at, size_t len, const char *name)
{
	size_t name_len = strlen(name);

	if (len <= name_len)
		return len && !strncasecmp(at, name, len);
	return !strncasecmp(at, name, name_len) &&
	       is_port(at + name_len, len - name_len);
}

bool helper_name_is_known(const char *at, size_t len)
{
	for (size_t i = 0; i < N_ELEMENTS(names); i++)
		if (stands_for(at, len, names[i]))
			return true;
	return false;
}

const char *helper_name_instead(const char *at, size_t len)
{
	for (size_t i = 0; i < N_ELEMENTS(sets); i++)
		if (len == strlen(sets[i].name) &&
		    !strncasecmp(at, sets[i].name, len))
			return sets[i].instead;
	return NULL;
}

const char *helper_name_nearest(const char *at, size_t len)
{
	struct nearest near;

	nearest_init(&near, at, len);
	for (size_t i = 0; i < N_ELEMENTS(names); i++)
		nearest_try(&near, names[i]);
	for (size_t i = 0; i < N_ELEMENTS(sets); i++)
		nearest_try(&near, sets[i].name);
	return near.best;
}
