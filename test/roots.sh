# shellcheck shell=bash
#
# roots.sh: bare Debian systems in directories, in which packages and tests are executed
#
# They are made below $CNAP_ROOTS, and removed when the test ends. What debootstrap has made, and the
# packages that were downloaded, are kept there for the next test.

# shellcheck source=test/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

ROOTS=${CNAP_ROOTS:-/var/tmp/cnap_org-roots}
VERSION=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" "$REPO/cnap_org.control")
made=()

say() {
	echo "==== $*"
}

remove_root() {
	local mounted
	for mounted in dev/shm dev proc var/cache/apt/archives; do
		umount -l "$1/$mounted" 2>/dev/null || :
	done
	rm -rf --one-file-system "$1"
}

remove_roots() {
	local root
	for root in "${made[@]}"; do
		remove_root "$root"
	done
}

# mount_in DIRECTORY: what programs expect to be mounted
mount_in() {
	mount -t proc proc "$1/proc"
	mount --bind /dev "$1/dev"
	mount -t tmpfs tmpfs "$1/dev/shm"
}

# new_root NAME SUITE [ARCHITECTURE]: makes a bare system of a suite of Debian in the directory $ROOTS/NAME
new_root() {
	local root=$ROOTS/$1 suite=$2 system=$2${3:+-$3}
	local base=$ROOTS/base-$system
	mkdir -p "$ROOTS"
	if [ ! -e "$base" ]; then
		command -v debootstrap >/dev/null || die "please install debootstrap"
		rm -rf --one-file-system "$base.new"
		debootstrap ${3:+"--arch=$3"} --variant=minbase "$suite" "$base.new" >"$ROOTS/debootstrap.log" ||
			{ tail -n 20 "$ROOTS/debootstrap.log" >&2; die "debootstrap has failed"; }
		mv "$base.new" "$base"
	fi
	[ ! -e "$root" ] || remove_root "$root"
	cp -a "$base" "$root"
	made+=("$root")
	mkdir -p "$ROOTS/archives-$system"
	mount_in "$root"
	mount --bind "$ROOTS/archives-$system" "$root/var/cache/apt/archives"
	# a mirror that stands still will do
	cat >"$root/etc/apt/apt.conf.d/test" <<-'END'
		APT::Get::Assume-Yes "true";
		APT::Install-Recommends "false";
		Acquire::Check-Valid-Until "false";
	END
	echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/test"
	# no service is started by its package's installation
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	in_root "$1" apt-get update -q >/dev/null
	in_root "$1" useradd -m builder
}

# in_root NAME COMMAND...: runs it there as root, with nothing of our environment
in_root() {
	local root=$ROOTS/$1
	shift
	chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
		DEBIAN_FRONTEND=noninteractive "$@" </dev/null
}

# in_root_as NAME USER COMMAND: runs a shell command there as a user, in the home directory
in_root_as() {
	chroot "$ROOTS/$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
		su "$2" -s /bin/sh -c "cd; umask 022; $3" </dev/null
}

# install_in NAME PACKAGE...: installs Debian packages there
install_in() {
	local name=$1 log=$ROOTS/$1.log
	shift
	in_root "$name" apt-get install -q "$@" >"$log" 2>&1 ||
		{ tail -n 20 "$log" >&2; die "$name: $* cannot be installed"; }
}

# guide PATTERN: the commands and settings in doc/install.md that match it. Whoever executes them is
# root already where they say sudo.
guide() {
	local found
	found=$(awk '/^```/ { inside = !inside; next } inside' "$REPO/doc/install.md" | grep -e "$1") ||
		die "doc/install.md does not show $1"
	printf '%s\n' "${found//sudo /}"
}

# default_major NAME: the version of PostgreSQL that the suite of Debian there has
default_major() {
	in_root "$1" apt-cache depends postgresql | sed -n 's/^ *Depends: postgresql-\([0-9]*\)$/\1/p'
}

# archive FORMAT FILE: the sources of the last commit
archive() {
	TZ=UTC git -C "$REPO" archive --format="$1" --prefix="cnap_org-$VERSION/" -o "$2" HEAD
}

# make_dist DIRECTORY: puts the archive there that "make dist" makes of the last commit
make_dist() {
	git clone -q "$REPO" "$1/checkout"
	(cd "$1/checkout" && eval "$(guide 'make dist')") >/dev/null
	mv "$1/checkout"/cnap_org-*.zip "$1"
	rm -rf "$1/checkout"
}

# build_deb NAME [BUILD DIRECTORY [COMMAND]]: builds Debian's packages of the last commit there, as the
# user builder; COMMAND comes first
build_deb() {
	local name=$1 directory=${2:-/home/builder} before=${3:-:} log=$ROOTS/$1.log
	local build=$ROOTS/$name$directory
	mkdir -p "$build"
	archive tar.gz "$build/cnap-org_$VERSION.orig.tar.gz"
	tar -C "$build" -x -f "$build/cnap-org_$VERSION.orig.tar.gz"
	mv "$build/cnap_org-$VERSION" "$build/cnap-org-$VERSION"
	in_root "$name" chown -R builder: "$directory"
	install_in "$name" dpkg-dev fakeroot
	in_root "$name" sh -c "cd '$directory/cnap-org-$VERSION' && $(guide build-dep)" >"$log" 2>&1 ||
		{ tail -n 20 "$log" >&2; die "what the build needs cannot be installed"; }
	in_root_as "$name" builder "$before; cd '$directory/cnap-org-$VERSION' && $(guide dpkg-buildpackage)" \
		>"$log" 2>&1 || { tail -n 40 "$log" >&2; die "Debian's package cannot be built"; }
	in_root "$name" find "$directory" -name '*.deb'
}

# play_first_session NAME MAJOR README: in the installed cluster main of PostgreSQL there, which is
# started
play_first_session() {
	cp "$REPO/test/packages/first_session.pl" "$ROOTS/$1/tmp/"
	in_root "$1" pg_ctlcluster "$2" main start
	in_root_as "$1" postgres "createdb trial && PGDATABASE=trial perl /tmp/first_session.pl '$3'" |
		tail -n 1
	in_root "$1" pg_ctlcluster "$2" main stop
}

clean_environment
trap remove_roots EXIT
