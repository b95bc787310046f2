/* SPDX-License-Identifier: ISC */
#include "netlink/iflink.h"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>

_Static_assert(IFNAMSIZ == IFLINK_NAME_SIZE, "as long as the kernel's");
_Static_assert(sizeof(struct ifinfomsg) == 16, "read field by field");

static bool decode_name(struct rd body, char out[IFLINK_NAME_SIZE])
{
	if (body.left == 0 || body.left > IFLINK_NAME_SIZE ||
	    body.at[body.left - 1] != 0)
		return false;
	return rd_bytes(&body, out, body.left);
}

static bool decode_header(struct rd *body, struct iflink *out)
{
	uint8_t family;
	uint32_t flags;

	if (!rd_u8(body, &family) || family != 0 || /* AF_UNSPEC */
	    !rd_skip(body, 3) || !rd_u32(body, &out->index) ||
	    !rd_u32(body, &flags) || !rd_skip(body, 4))
		return false;
	out->is_up = flags & IFF_UP;
	out->is_running = out->is_up && flags & IFF_RUNNING;
	return true;
}

bool iflink_decode(const struct nlmsg *msg, struct iflink *out)
{
	struct rd body = msg->body;
	struct nlmsg_attr attr;
	enum nlmsg_step step;
	bool has_name = false;

	out->mtu = 0;
	out->is_gone = msg->type == RTM_DELLINK;
	if ((msg->type != RTM_NEWLINK && msg->type != RTM_DELLINK) ||
	    !decode_header(&body, out))
		return false;
	while ((step = nlmsg_attr_next(&body, &attr)) == NLMSG_STEP_ITEM) {
		if (attr.type == IFLA_IFNAME)
			has_name = decode_name(attr.body, out->name);
		else if (attr.type == IFLA_MTU &&
			 !rd_u32(&attr.body, &out->mtu))
			return false;
	}
	return step == NLMSG_STEP_END && has_name;
}

static bool is_name(struct rd body, const char *name)
{
	const size_t size = strlen(name) + 1;

	return body.left == size && memcmp(body.at, name, size) == 0;
}

static bool has_alternative(struct rd names, const char *name)
{
	struct nlmsg_attr attr;

	while (nlmsg_attr_next(&names, &attr) == NLMSG_STEP_ITEM)
		if (attr.type == IFLA_ALT_IFNAME && is_name(attr.body, name))
			return true;
	return false;
}

bool iflink_has_name(const struct nlmsg *msg, const char *name)
{
	struct rd body = msg->body;
	struct nlmsg_attr attr;

	if (!rd_skip(&body, sizeof(struct ifinfomsg)))
		return false;
	while (nlmsg_attr_next(&body, &attr) == NLMSG_STEP_ITEM)
		if ((attr.type == IFLA_IFNAME && is_name(attr.body, name)) ||
		    (attr.type == IFLA_PROP_LIST &&
		     has_alternative(attr.body, name)))
			return true;
	return false;
}

void iflink_encode_dump(uint32_t seq, struct wr *w)
{
	const uint32_t skip = RTEXT_FILTER_SKIP_STATS;
	size_t msg =
		nlmsg_begin(w, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, seq);

	wr_zeros(w, sizeof(struct ifinfomsg));
	nlmsg_put(w, IFLA_EXT_MASK, &skip, sizeof(skip));
	nlmsg_end(w, msg);
}
