#!/usr/bin/env bash
# SPDX-License-Identifier: ISC
#
# boot.sh COMMAND...: runs a command as root under the stock kernel of this
# Debian, in an emulator, and exits with its status; 77 when the machine cannot
# do that, 124 when the time is up.
#
# The guest sees this machine's files, but what it writes stays in its memory.
# /tmp, /run and /var/log are empty there, but for the folder that this is called
# in. There is no network.
#
# B: build directory, it keeps the kernel. KERNEL: another package with a kernel,
# one that apt has, or its file (linux-image-amd64). LIMIT_S: how long the guest
# may run (600). MEMORY_MB: its memory (2048). ACCEL: kvm where the processor can
# do it, otherwise tcg.
set -u
here=$(cd "$(dirname "$0")" && pwd)
B=${B:-build}
KERNEL=${KERNEL:-linux-image-amd64}
case $KERNEL in
*.deb) KERNEL=$(realpath "$KERNEL") ;;
esac
LIMIT_S=${LIMIT_S:-600}
MEMORY_MB=${MEMORY_MB:-2048}
ACCEL=${ACCEL:-tcg,thread=multi,tb-size=1024}

cannot() { # REASON...
	echo "kernel: $*" >&2
	exit 77
}

# What the kernel needs until it sees the machine's files.
BOOT_MODULES="virtio_pci 9pnet_virtio 9p overlay"

# A package may depend on the one that has the kernel.
package_with_kernel() {
	local real

	real=$(apt-cache depends "$KERNEL" 2>/dev/null |
		sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
	echo "${real:-$KERNEL}"
}

# Package lists may be old, or there are none yet.
download() {
	case $KERNEL in
	*.deb)
		cp "$KERNEL" .
		return
		;;
	esac
	apt-get download -q "$(package_with_kernel)" || {
		apt-get update -q -o Acquire::Languages=none &&
			apt-get download -q "$(package_with_kernel)"
	}
}

# Unpacks the kernel: vmlinuz, root/lib/modules, and boot/ with modules in the
# order of loading.
prepare() (
	set -e
	rm -rf "$K.new"
	mkdir -p "$K.new/boot" "$K.new/root"
	cd "$K.new"
	download
	# of the drivers net and virtio, of file systems what 9p and overlay need
	dpkg-deb --fsys-tarfile ./*.deb | tar -x --wildcards \
		--exclude='*/kernel/drivers/[!nv]*' --exclude='*/kernel/sound' \
		--exclude='*/kernel/drivers/net/*/*' \
		--exclude='*/kernel/fs/[!9fno]*' './boot/vmlinuz-*' ./lib
	rm ./*.deb
	mv boot/vmlinuz-* vmlinuz
	mv lib root/lib
	release=$(ls root/lib/modules)
	# it warns of each symbol that was left out
	depmod -b root "$release" 2>/dev/null
	# shellcheck disable=SC2086 # words
	modprobe -d "$PWD/root" -S "$release" --show-depends -a $BOOT_MODULES |
		awk '$1 == "insmod" && !seen[$2]++ { print $2 }' |
		while read -r file; do
			n=$((${n:-100} + 1))
			cp "$file" "boot/$n-${file##*/}"
		done
	mv "$K.new" "$K"
)

# Sets up what is missing; one at a time.
ready() {
	local log=$K.log

	mkdir -p "$B/kernel" || exit 1
	exec 9>"$B/kernel/lock"
	flock 9
	# not `prepare ||`: there set -e would not hold
	[ -e "$K/vmlinuz" ] || {
		prepare >"$log" 2>&1
		[ -e "$K/vmlinuz" ] || {
			tail -n 5 "$log" >&2
			cannot "$KERNEL could not be had, see $log"
		}
	}
	exec 9>&-
}

# The root of the first seconds: busybox, modules, and what to run.
initramfs() {
	local root=$T/initramfs

	mkdir -p "$root/bin" "$root/boot" &&
		cp "$(command -v busybox)" "$root/bin/busybox" &&
		ln -s busybox "$root/bin/sh" &&
		cp "$K"/boot/* "$root/boot/" &&
		cp "$here/init" "$here/guest" "$root/" &&
		cp "$T/command" "$T/folder" "$root/" &&
		(cd "$root" && find . | busybox cpio -o -H newc) \
			>"$T/initrd" 2>/dev/null
}

share() { # TAG PATH [OPTION]: a directory for the guest
	echo "-virtfs local,path=$2,mount_tag=$1,security_model=none,$3"
}

[ $# -gt 0 ] || {
	sed -n '4,17s/^# \{0,1\}//p' "$0" >&2
	exit 2
}
[ "$(id -u)" -eq 0 ] || cannot "root is needed"
grep -q '^ID=debian$' /etc/os-release 2>/dev/null || cannot "for Debian only"
[ "$(uname -m)" = x86_64 ] || cannot "for x86-64 only"
CC='' sh "$here/../need.sh" qemu-system-x86_64:qemu-system-x86 \
	busybox:busybox-static modprobe:kmod flock:util-linux || exit 77
! LC_ALL=C ldd "$(command -v busybox)" 2>/dev/null | grep -q '=>' ||
	cannot "busybox is not static (Debian: busybox-static)"

T=$(mktemp -d /tmp/ctkernel.XXXXXX) || exit 1
qemu='' tail=''
trap 'kill $qemu $tail 2>/dev/null; wait; rm -rf "$T"' EXIT
trap 'exit 143' INT TERM HUP
B=$(mkdir -p "$B" && cd "$B" && pwd) K=$B/kernel/${KERNEL##*/}
ready
mkdir "$T/out"
: >"$T/out/stdout"
echo "$PWD" >"$T/folder"
{
	printf 'cd %q && exec' "$PWD"
	printf ' %q' "$@"
} >"$T/command"
initramfs || exit 1

# SMAP and SMEP cost an emulator much; the tests are not about them
# shellcheck disable=SC2046 # words
timeout --foreground -k 5 "$LIMIT_S" qemu-system-x86_64 \
	-accel "$ACCEL" -cpu max,-smap,-smep,-la57 -smp 2 -m "$MEMORY_MB" \
	-nodefaults -display none -no-reboot \
	-kernel "$K/vmlinuz" -initrd "$T/initrd" \
	-append "console=ttyS0 loglevel=4 panic=-1 mitigations=off quiet" \
	-serial "file:$T/console" \
	$(share host / readonly=on,multidevs=remap) \
	$(share kernel "$K/root" readonly=on) \
	$(share out "$T/out" writeout=immediate) \
	</dev/null >"$T/qemu" 2>&1 &
qemu=$!
tail -n +1 -f "$T/out/stdout" &
tail=$!
wait $qemu
status=$?
# what was written last
sleep 0.2
kill $tail
if [ -s "$T/out/status" ]; then
	exit "$(<"$T/out/status")"
fi
cat "$T/qemu" "$T/console" | tail -n 15 >&2
if [ $status -eq 124 ] || [ $status -eq 137 ]; then
	echo "kernel: the guest was stopped after $LIMIT_S s" >&2
	exit 124
fi
echo "kernel: the guest has died, exit status $status of the emulator" >&2
exit 1
