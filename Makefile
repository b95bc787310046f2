# SPDX-License-Identifier: ISC
#
# GNU make; no configure step. Everything is built below $(B), nothing is ever
# installed on this machine but by `make install`. See CONTRIBUTING.md.
#
#   make CC=clang                          another compiler
#   make CROSS_COMPILE=aarch64-linux-gnu-  a cross compiler
#   make KERNEL_HEADERS=/path/include      <linux/...> from there
#   make musl MUSL_LTO=                    for a linker without plugins
#   make install DESTDIR=/tmp/root PREFIX=/usr

VERSION := $(shell cat VERSION)
NAME := conntrackd-library-free
B ?= build

PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/$(NAME)
SYSCONFDIR ?= /etc
RUNSTATEDIR ?= /run
LOCKDIR ?= /var/lock

# ---- compilers and flags ---------------------------------------------------

ifeq ($(origin CC),default)
CC := $(if $(CROSS_COMPILE),$(CROSS_COMPILE)gcc,cc)
endif
ifeq ($(origin AR),default)
AR := $(CROSS_COMPILE)ar
endif
STRIP ?= $(CROSS_COMPILE)strip
READELF ?= $(CROSS_COMPILE)readelf
CLANG ?= clang
MUSL_CC ?= $(if $(findstring musl,$(shell $(CC) -dumpmachine)),$(CC),musl-gcc)
MUSL_LTO ?= -flto=auto -flto-partition=none
# for size; compilers before gcc 12 do not know the smallest
MUSL_OPT ?= $(shell $(MUSL_CC) -Oz -E -x c /dev/null >/dev/null 2>&1 && echo -Oz || echo -Os)

CFLAGS ?= -O2
WERROR ?=

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion \
	-Wcast-qual -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wvla -Wundef -Wformat=2 -Wwrite-strings
# files beyond 2 GB and 64-bit inode numbers, on 32-bit machines too
STD := -std=c11 $(WARN) -D_FILE_OFFSET_BITS=64 -Isrc
PATHS := -DSYSCONFDIR='"$(SYSCONFDIR)"' -DRUNSTATEDIR='"$(RUNSTATEDIR)"' \
	-DLOCKDIR='"$(LOCKDIR)"'
# of these files only
FLAGS_src/cli/usage.c := -DVERSION='"$(VERSION)"'
FLAGS_tests/unit/test_args.c := $(FLAGS_src/cli/usage.c)
# _FORTIFY_SOURCE is an error without optimisation on some libcs
FORTIFY := $(if $(filter -O1 -O2 -O3 -Os -Oz,$(CFLAGS)),-U_FORTIFY_SOURCE \
	-D_FORTIFY_SOURCE=2)
HARDEN := -fPIE -fstack-protector-strong $(FORTIFY)
HARDEN_LD := -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack
SAN := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all
KERNEL_INC := $(addprefix -idirafter ,$(KERNEL_HEADERS))
# musl has no kernel headers of its own: those of this machine, after its own
MUSL_ARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
MUSL_HEADERS ?= $(or $(KERNEL_HEADERS),/usr/include \
	$(if $(MUSL_ARCH),/usr/include/$(MUSL_ARCH)))
MUSL_INC := $(if $(filter musl-gcc %/musl-gcc,$(MUSL_CC))$(KERNEL_HEADERS),\
	$(addprefix -idirafter ,$(MUSL_HEADERS)))

# ---- files -----------------------------------------------------------------

SRCS := $(wildcard src/*.c src/*/*.c)
LIB_SRCS := $(filter-out src/main.c,$(SRCS))
UNIT_SRCS := $(wildcard tests/unit/test_*.c)
UNIT_HELP := $(filter-out $(UNIT_SRCS),$(wildcard tests/unit/*.c))
FUZZ_SRCS := $(wildcard tests/fuzz/fuzz_*.c)
TOOL_SRCS := $(wildcard tests/tools/*.c)
PRELOAD_SRCS := $(wildcard tests/tools/preload/*.c)

UNITS := $(patsubst tests/unit/%.c,%,$(UNIT_SRCS))
FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,%,$(FUZZ_SRCS))
TOOLS := $(patsubst tests/tools/%.c,$(B)/tools/%,$(TOOL_SRCS)) \
	$(patsubst tests/tools/preload/%.c,$(B)/tools/%.so,$(PRELOAD_SRCS))

# one short line per step; V=1 shows the commands
Q := $(if $(V),,@)
say = $(if $(V),,@echo '  $(1)	$@')

.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all musl tools check check-unit check-integration check-full check-s390x \
	check-i386 check-kernel soak asan fuzz lint objects plain format bench demo install dist clean \
	FORCE

all: $(B)/conntrackd
musl: $(B)/musl/conntrackd
tools: $(TOOLS)

# A file that changes when the flags of a variant change. $(1): name, $(2): text
define flags_file
$(B)/$(1).flags: FORCE
	@mkdir -p $$(@D)
	@printf '%s\n' '$(subst ','\'',$(2))' | cmp -s - $$@ || \
		printf '%s\n' '$(subst ','\'',$(2))' > $$@
endef

# One way of compiling all of src/. $(1): name, $(2): compiler, $(3): flags
define variant
$(call flags_file,$(1),$(2) $(3) $(VERSION))
$(B)/$(1)/%.o: src/%.c $(B)/$(1).flags
	@mkdir -p $$(@D)
	$$(call say,CC)
	$$(Q)$(2) $(3) $$(FLAGS_$$<) -MMD -MP -c -o $$@ $$<
$(B)/$(1)/libconntrackd.a: $(LIB_SRCS:src/%.c=$(B)/$(1)/%.o)
	@rm -f $$@
	$$(call say,AR)
	$$(Q)$$(AR) rcs $$@ $$^
-include $(SRCS:src/%.c=$(B)/$(1)/%.d)
endef

RELEASE_FLAGS = $(STD) $(WERROR) $(PATHS) $(CPPFLAGS) $(CFLAGS) $(HARDEN) $(KERNEL_INC)
MUSL_FLAGS = $(STD) $(WERROR) $(PATHS) $(CPPFLAGS) $(MUSL_OPT) -g \
	-ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables \
	-fno-unwind-tables -fno-pie -fstack-protector-strong $(MUSL_LTO) \
	$(MUSL_INC)
SAN_FLAGS = $(STD) $(WERROR) $(PATHS) $(SAN) $(KERNEL_INC)
FUZZ_FLAGS = $(STD) $(PATHS) $(SAN) -fsanitize=fuzzer-no-link $(KERNEL_INC)

$(eval $(call variant,obj,$(CC),$(RELEASE_FLAGS)))
$(eval $(call variant,musl/obj,$(MUSL_CC),$(MUSL_FLAGS)))
$(eval $(call variant,san,$(CC),$(SAN_FLAGS)))
$(eval $(call variant,fuzz/obj,$(CLANG),$(FUZZ_FLAGS)))

$(B)/conntrackd: $(SRCS:src/%.c=$(B)/obj/%.o)
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS) $(HARDEN) $(HARDEN_LD) $(LDFLAGS) -o $@ $^

# static, at a fixed address, and so small that a router's flash takes it: `strip`
# is part of it, and code and constants lie in one segment
$(B)/musl/conntrackd: $(SRCS:src/%.c=$(B)/musl/obj/%.o)
	$(call say,LD)
	$(Q)$(MUSL_CC) $(MUSL_FLAGS) -static -no-pie -Wl,--gc-sections \
		-Wl,-z,relro,-z,now,-z,noexecstack,-z,noseparate-code \
		$(LDFLAGS) -o $@ $^
	$(Q)$(STRIP) $@

$(B)/asan/conntrackd: $(SRCS:src/%.c=$(B)/san/%.o)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(SAN) -o $@ $^

# ---- tests -----------------------------------------------------------------

TEST_FLAGS = $(SAN_FLAGS) -Itests/unit -Itests
# every allocation of the code under test can be made to fail: alloc_fail.h
WRAP := -Wl,--wrap=calloc -Wl,--wrap=realloc
HELP_OBJS := $(UNIT_HELP:tests/unit/%.c=$(B)/unit/obj/%.o)

$(eval $(call flags_file,unit,$(CC) $(TEST_FLAGS)))
$(B)/unit/obj/%.o: tests/unit/%.c $(B)/unit.flags
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(TEST_FLAGS) $(FLAGS_$<) -MMD -MP -c -o $@ $<
$(B)/unit/%: $(B)/unit/obj/%.o $(HELP_OBJS) $(B)/san/libconntrackd.a
	$(call say,LD)
	$(Q)$(CC) $(SAN) $(WRAP) -o $@ $^ -lcmocka
-include $(wildcard $(B)/unit/obj/*.d)

# with gcc a fuzz target is linked to a main that replays its corpus
$(B)/fuzz/replay/%.o: tests/fuzz/%.c $(B)/unit.flags
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(TEST_FLAGS) -Itests/fuzz -MMD -MP -c -o $@ $<
$(B)/fuzz/replay_%: $(B)/fuzz/replay/fuzz_%.o $(B)/fuzz/replay/replay.o \
		$(B)/san/libconntrackd.a
	$(call say,LD)
	$(Q)$(CC) $(SAN) -o $@ $^
-include $(wildcard $(B)/fuzz/replay/*.d)

$(B)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(B)/fuzz/obj/libconntrackd.a
	$(call say,LD)
	$(Q)$(CLANG) $(STD) $(PATHS) -Itests/fuzz -Itests $(SAN) -fsanitize=fuzzer -o $@ $^

$(B)/tools/%.so: tests/tools/preload/%.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(STD) $(WERROR) -O2 -g -fPIC -shared $(KERNEL_INC) -MMD -MP \
		-o $@ $<
$(B)/tools/%: tests/tools/%.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(STD) $(WERROR) -O2 -g $(KERNEL_INC) -MMD -MP -o $@ $<
-include $(wildcard $(B)/tools/*.d)

# the soak runs long: without sanitizers, with the simulator of the unit tests
SOAK_SRCS := $(wildcard tests/soak/*.c tests/unit/sim*.c)
SOAK_FLAGS = $(STD) $(WERROR) $(PATHS) -O2 -g -Itests/unit -Itests/soak $(KERNEL_INC)
$(eval $(call variant,soak/obj,$(CC),$(SOAK_FLAGS)))
$(B)/soak/tests/%.o: tests/%.c $(B)/soak/obj.flags
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(SOAK_FLAGS) -MMD -MP -c -o $@ $<
$(B)/soak/soak: $(SOAK_SRCS:tests/%.c=$(B)/soak/tests/%.o) \
		$(B)/soak/obj/libconntrackd.a
	$(call say,LD)
	$(Q)$(CC) -O2 -g -o $@ $^
-include $(SOAK_SRCS:tests/%.c=$(B)/soak/tests/%.d)

NEED := sh tests/need.sh
# as many jobs as processors, unless the user has said how many
JOBS = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc 2>/dev/null || echo 1))
SUB_MAKE = $(MAKE) --no-print-directory $(JOBS)

check-unit:
	@$(NEED) $(CC):gcc header:cmocka.h:libcmocka-dev
	@$(SUB_MAKE) $(UNITS:%=$(B)/unit/%) \
		$(FUZZERS:%=$(B)/fuzz/replay_%)
	@sh tests/run-unit.sh $(UNITS:%=$(B)/unit/%) -- $(FUZZERS:%=$(B)/fuzz/replay_%)

# BATS: files to run, FILTER: names of tests, TIMES: how often, BATS_JOBS: how
# many files at a time, BUSY: processors that are kept busy beside them;
# CONNTRACKD, REFERENCE: the daemons under test
ALL_BATS := $(wildcard tests/integration/*.bats)
# the longest first
LONG_BATS := $(patsubst %,tests/integration/%.bats,mixed faults everyday \
	commands notrack nocache inject failover tcp control)
BATS ?= $(LONG_BATS) $(filter-out $(LONG_BATS),$(ALL_BATS))
# most of their time is waiting
BATS_JOBS ?= 3
CONNTRACKD ?= $(B)/conntrackd
# what the tests run
TESTED = $(if $(filter $(B)/%,$(CONNTRACKD)),$(CONNTRACKD)) tools \
	$(if $(shell command -v $(MUSL_CC) 2>/dev/null),musl)
check-integration:
	@$(NEED) bats nft:nftables ip:iproute2 conntrack readelf:binutils
	@$(SUB_MAKE) $(TESTED)
	@B="$(abspath $(B))" CONNTRACKD="$(abspath $(CONNTRACKD))" \
		REFERENCE="$(REFERENCE)" FILTER="$(FILTER)" TIMES="$(TIMES)" \
		BATS_JOBS="$(BATS_JOBS)" BUSY="$(BUSY)" \
		bash tests/run-bats.sh $(BATS)

# The demonstration and tests under the stock kernel of this Debian, in an
# emulator: with FULL all of them, or those of BATS
check-kernel:
	@$(SUB_MAKE) $(TESTED)
	@B="$(abspath $(B))" CONNTRACKD="$(abspath $(CONNTRACKD))" \
		REFERENCE="$(REFERENCE)" FILTER="$(FILTER)" \
		bash tests/kernel/run.sh $(if $(filter-out file,$(origin BATS)),$(BATS))

# unit tests first: what they find makes the rest pointless
check:
	@$(MAKE) --no-print-directory check-unit
	@$(MAKE) --no-print-directory soak $(if $(FULL),,SEEDS=250)
	@$(MAKE) --no-print-directory check-integration

check-full:
	@$(MAKE) --no-print-directory check FULL=1
	@$(MAKE) --no-print-directory check-i386 check-s390x
	@$(MAKE) --no-print-directory check-kernel FULL=1

# The same unit tests, static and without sanitizers, for another byte order
# and another word size. $(1): target, $(2): compiler prefix, $(3): how to run
define cross
CROSS_FLAGS_$(1) = $(STD) $(PATHS) -O1 -g -Itests/unit/cross -Itests/unit -Itests
$(call variant,$(1)/obj,$(2)gcc,$(STD) $(PATHS) -O1 -g)
$(B)/$(1)/unit/%: tests/unit/%.c $(UNIT_HELP) $(B)/$(1)/obj/libconntrackd.a
	@mkdir -p $$(@D)
	$$(call say,LD)
	$$(Q)$(2)gcc $$(CROSS_FLAGS_$(1)) $$(FLAGS_$$<) $(WRAP) -static -o $$@ $$^
check-$(1):
	@$(NEED) $(2)gcc:gcc-$(2:%-=%) $(3)
	@$(SUB_MAKE) AR=$(2)ar $(UNITS:%=$(B)/$(1)/unit/%)
	@RUN="$(firstword $(subst :, ,$(3)))" sh tests/run-unit.sh $(UNITS:%=$(B)/$(1)/unit/%) --
endef
$(eval $(call cross,s390x,s390x-linux-gnu-,qemu-s390x:qemu-user))
$(eval $(call cross,i386,i686-linux-gnu-,qemu-i386:qemu-user))

# FIRST: the first seed, SEEDS: how many of each KIND; a line for each that fails
FIRST ?= 1
KIND ?= own reference idle notrack:own notrack:idle alarm:own
soak:
	@$(SUB_MAKE) $(B)/soak/soak
	@sh tests/soak/run.sh $(B)/soak/soak $(FIRST) "$(SEEDS)" "$(KIND)"

asan:
	@$(MAKE) --no-print-directory check-unit
	@$(SUB_MAKE) $(B)/asan/conntrackd
	@$(MAKE) --no-print-directory check-integration CONNTRACKD=$(B)/asan/conntrackd

FUZZ_S ?= 60
fuzz:
	@$(NEED) $(CLANG)
	@$(SUB_MAKE) $(FUZZERS:%=$(B)/fuzz/fuzz_%)
	@sh tests/fuzz/run.sh $(B) $(FUZZ_S) $(FUZZERS)

lint:
	@$(NEED) gcc clang clang-format clang-tidy cppcheck shellcheck nm:binutils
	@B="$(B)" FLAGS='$(STD)' bash tests/lint/run.sh

# for lint: everything compiled, nothing linked or run; objects of src/ alone
objects: $(SRCS:src/%.c=$(B)/obj/%.o) $(TOOLS) \
	$(SOAK_SRCS:tests/%.c=$(B)/soak/tests/%.o) \
	$(UNIT_SRCS:tests/unit/%.c=$(B)/unit/obj/%.o) $(HELP_OBJS) \
	$(FUZZ_SRCS:tests/fuzz/%.c=$(B)/fuzz/replay/%.o)
plain: $(SRCS:src/%.c=$(B)/obj/%.o)

format:
	@$(NEED) clang-format
	clang-format -i $(wildcard src/*.[ch] src/*/*.[ch] tests/*/*.[ch] tests/*/*/*.[ch])

# DAEMON: build/conntrackd, another binary, or none
DAEMON ?= $(B)/conntrackd
demo:
	@$(NEED) ip:iproute2 nft:nftables
	@$(SUB_MAKE) $(if $(filter $(B)/%,$(DAEMON)),$(DAEMON)) \
		$(B)/tools/stream $(B)/tools/ctload
	@B="$(abspath $(B))" DAEMON="$(if $(filter none,$(DAEMON)),none,$(abspath $(DAEMON)))" \
		sh tests/demo.sh

bench:
	@$(NEED) ip:iproute2 nft:nftables
	@$(SUB_MAKE) $(if $(filter $(B)/%,$(CONNTRACKD)),$(CONNTRACKD)) tools
	@B="$(abspath $(B))" CONNTRACKD="$(abspath $(CONNTRACKD))" \
		REFERENCE="$(REFERENCE)" bash tests/bench/run.sh

# ---- install, release ------------------------------------------------------

install: $(B)/conntrackd
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(MANDIR)/man8 \
		$(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(DOCDIR)
	install -m 755 $(B)/conntrackd $(DESTDIR)$(SBINDIR)/conntrackd
	$(if $(wildcard man/*.8),install -m 644 $(wildcard man/*.8) $(DESTDIR)$(MANDIR)/man8/)
	$(if $(wildcard man/*.5),install -m 644 $(wildcard man/*.5) $(DESTDIR)$(MANDIR)/man5/)
	install -m 644 README.md CHANGELOG.md LICENSE $(DESTDIR)$(DOCDIR)/

dist:
	@mkdir -p $(B)
	git archive --format=tar.gz --prefix=$(NAME)-$(VERSION)/ \
		-o $(B)/$(NAME)-$(VERSION).tar.gz v$(VERSION)

clean:
	rm -rf $(B)
