/* SPDX-License-Identifier: ISC */
/* args.h - reads the command line by two tables: its own, of options, and that
 * of the requests (ctl_rows.h); touches nothing. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/util.h"

enum role {
	ROLE_DAEMON,
	ROLE_CLIENT,
	ROLE_CHECK, /* check the configuration */
	ROLE_PRINT, /* check it and print it back */
	ROLE_USAGE,
	ROLE_VERSION,
};

struct request {
	enum role role;
	bool is_background;  /* ROLE_DAEMON: detach */
	int code;            /* ROLE_CLIENT: enum ctl_code */
	const char *config;  /* path, borrowed from argv; NULL: the default */
	const char *warning; /* to be shown and gone on; NULL: none */
};

enum args_fault {
	ARGS_OK,
	ARGS_UNKNOWN_OPTION,
	ARGS_BAD_COMBINATION,
	ARGS_NO_CONFIG_NAME,
	ARGS_UNKNOWN_PARAMETER, /* the only one without the usage text */
	ARGS_N_FAULTS
};

struct args_error {
	enum args_fault fault;
	const char *word; /* of argv */
	char letter;      /* of the option that the word followed */
};

/* Reads argv[1] to argv[argc - 1]. *out is written on ARGS_OK, *err
 * otherwise. */
enum args_fault args_parse(int argc, char *const *argv, struct request *out,
			   struct args_error *err);

/* The text of an error, without a newline. */
void args_error_text(const struct args_error *err, struct wr *out);

enum args_action {
	ARGS_BACKGROUND,
	ARGS_CONFIG,
	ARGS_CHECK,
	ARGS_VERSION,
	ARGS_USAGE,
	ARGS_XML,
};

struct args_row {
	char letter;
	enum args_action action;
	const char *argument; /* that must follow, for -h; NULL: none */
	const char *help;
};

/* The options that ask the daemon for nothing by themselves, in the order of
 * -h; all others are those of ctl_rows(). */
const struct args_row *args_rows(size_t *n);

#endif
