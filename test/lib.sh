# shellcheck shell=bash
#
# lib.sh: shared by the scripts in this directory
#
# Everything happens below one directory, $WORK:
#
#   tree/       a private PostgreSQL: its programs copied, all else symbolic links. PostgreSQL
#               finds its directories from the place of its programs, so "make install" with the
#               pg_config of this tree leaves the real installation alone.
#   src/        a copy of the checkout; what is built and written by tests stays in here
#   data/, log  a cluster, which listens on a Unix socket in $WORK and nowhere else
#   tmp/        what tests want to have in /tmp, their own clusters' sockets among it
#
# PostgreSQL refuses to run as root. Root therefore does all of this as another user ($RUN_AS).

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
RUN_AS=
WORK=

die() {
	echo "$(basename "$0"): $*" >&2
	exit 1
}

# Unset variables that the caller may have set for another server or another make, but not those
# that say how long tests wait.
clean_environment() {
	local var
	for var in "${!PG@}"; do
		case $var in
			PG_CONFIG | PG_TEST_EXTRA | PG_TEST_TIMEOUT_DEFAULT | PGISOLATIONTIMEOUT) ;;
			*) unset "$var" ;;
		esac
	done
	unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES TMPDIR PERL5LIB PERL5OPT
	# PostgreSQL's modules for TAP tests unset LC_ALL
	export LC_ALL=C.UTF-8 LANG=C.UTF-8
}

# ---- what must be installed ----

# Sets PG_CONFIG to the program of a PostgreSQL with its server and headers, or fails.
find_server() {
	local program bindir
	program=$(command -v "${PG_CONFIG:-pg_config}") || return 1
	bindir=$("$program" --bindir 2>/dev/null) || return 1
	# Debian's pg_config in PATH is a script that finds the newest version; that of a private tree
	# stands for the one it was copied from
	program=$bindir/pg_config
	[ ! -L "$program.origin" ] || program=$(readlink "$program.origin")
	bindir=$(dirname "$program")
	[ -x "$program" ] && [ -x "$bindir/postgres" ] && [ -x "$bindir/initdb" ] &&
		[ -f "$("$program" --pgxs)" ] &&
		[ -f "$("$program" --includedir-server)/postgres.h" ] || return 1
	PG_CONFIG=$program
}

have_server() {
	find_server
}

have_compiler() {
	echo '#include <stdio.h>' | ${CC:-gcc} -xc -E - >/dev/null 2>&1 &&
		command -v make >/dev/null
}

# Prints the directory of the extension pgTAP. It is plain SQL, so that of another PostgreSQL
# version can be used.
pgtap_dir() {
	local control
	for control in "$("$PG_CONFIG" --sharedir)" /usr/share/postgresql/*; do
		control=$control/extension/pgtap.control
		if [ -f "$control" ]; then
			dirname "$control"
			return
		fi
	done
	return 1
}

have_pgtap() {
	find_server && pgtap_dir >/dev/null
}

have_pg_prove() {
	command -v pg_prove >/dev/null
}

have_prove() {
	command -v prove >/dev/null
}

have_tap() {
	have_prove && perl -MTest::More -MIPC::Run -e 1 2>/dev/null
}

have_pgbouncer() {
	PATH=$PATH:/usr/sbin:/usr/local/sbin command -v pgbouncer >/dev/null
}

have_pgpool() {
	PATH=$PATH:/usr/sbin:/usr/local/sbin command -v pgpool >/dev/null
}

# The npm packages of the tests require Node.js 18 or newer.
have_npm() {
	command -v npm >/dev/null &&
		node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null
}

have_curl() {
	command -v curl >/dev/null
}

have_chromium() {
	command -v chromium >/dev/null
}

have_pg_bsd_indent() {
	command -v pg_bsd_indent >/dev/null
}

have_perltidy() {
	command -v perltidy >/dev/null
}

have_perlcritic() {
	command -v perlcritic >/dev/null
}

have_shellcheck() {
	command -v shellcheck >/dev/null
}

have_git() {
	command -v git >/dev/null
}

have_lcov() {
	command -v lcov >/dev/null
}

# Debian's own Python, whatever else is in PATH
have_schema_tools() {
	/usr/bin/python3 -c 'import alembic, django, psycopg2' 2>/dev/null
}

have_python_clients() {
	/usr/bin/python3 -c 'import asyncpg, django, psycopg, psycopg2, psycopg_pool, sqlalchemy' 2>/dev/null
}

have_ruby_clients() {
	/usr/bin/ruby -e 'require "active_record"; require "pg"' 2>/dev/null
}

# JDBC's tests connect by Unix sockets, as Java can since version 16.
have_java_clients() {
	local jar
	for jar in postgresql HikariCP slf4j-api slf4j-nop; do
		[ -e "/usr/share/java/$jar.jar" ] || return 1
	done
	[ "$(javac -version 2>&1 | sed 's/^javac \([0-9]*\).*/\1/')" -ge 16 ] 2>/dev/null
}

have_apt() {
	command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null
}

# The major version of the server found, or else of the distribution's
server_major() {
	if find_server; then
		"$PG_CONFIG" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/'
	else
		apt-cache depends postgresql 2>/dev/null |
			sed -n 's/^ *Depends: postgresql-\([0-9]*\)$/\1/p'
	fi
}

# Prints the Debian packages that contain the named things.
packages_for() {
	local thing major
	major=$(server_major)
	for thing; do
		case $thing in
			server) echo "postgresql-${major:-NN} postgresql-server-dev-${major:-NN}" ;;
			compiler) echo gcc libc6-dev make ;;
			pgtap)
				if [ -n "$(apt-cache search --names-only "^postgresql-$major-pgtap$")" ]; then
					echo "postgresql-$major-pgtap"
				else
					echo pgtap
				fi
				;;
			pg_prove) echo libtap-parser-sourcehandler-pgtap-perl ;;
			prove) echo perl ;;
			tap) echo perl libipc-run-perl ;;
			pgbouncer) echo pgbouncer ;;
			pgpool) echo pgpool2 ;;
			npm) echo nodejs npm ca-certificates ;;
			schema_tools) echo python3-alembic python3-django python3-psycopg2 ;;
			python_clients)
				echo python3-asyncpg python3-django python3-psycopg python3-psycopg-pool
				echo python3-psycopg2 python3-sqlalchemy
				;;
			ruby_clients) echo ruby ruby-activerecord ruby-pg ;;
			java_clients)
				echo default-jdk-headless libhikaricp-java libpostgresql-jdbc-java libslf4j-java
				;;
			apt) echo apt dpkg ;;
			pg_bsd_indent) echo pg-bsd-indent ;;
			perlcritic) echo libperl-critic-perl ;;
			curl | chromium | perltidy | shellcheck | git | lcov) echo "$thing" ;;
		esac
	done
}

# Runs a command as root, with the environment that apt-get needs.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		env DEBIAN_FRONTEND=noninteractive "$@"
	else
		sudo -n env DEBIAN_FRONTEND=noninteractive "$@"
	fi
}

# Installs packages, but keeps the server's package from creating and starting a cluster, and the
# poolers' from starting one, now and at boot.
apt_install() {
	as_root sh -eu -s -- "$@" <<-'END'
		dir=/etc/postgresql-common/createcluster.d
		conf=$dir/cnap_org.conf
		policy=/usr/sbin/policy-rc.d
		[ ! -e $policy ] || policy=
		trap 'rm -f $conf $policy; rmdir $dir 2>/dev/null || :' EXIT
		mkdir -p $dir
		echo 'create_main_cluster = false' >$conf
		[ -z "$policy" ] || printf '#!/bin/sh\nexit 101\n' >$policy
		[ -z "$policy" ] || chmod 755 $policy
		apt-get install -y -q --no-install-recommends "$@" </dev/null
		for package; do
			case $package in pgbouncer | pgpool2) update-rc.d "$package" disable ;; esac
		done
	END
}

# need THING...: makes sure that these are installed: server, compiler, pgtap, pg_prove, prove,
# tap, pgbouncer, pgpool, npm, schema_tools, python_clients, ruby_clients, java_clients, curl, chromium, apt, pg_bsd_indent, perltidy, perlcritic, shellcheck, git, lcov
need() {
	local thing missing=() packages
	if ! find_server && [ -n "${PG_CONFIG-}" ]; then
		die "$PG_CONFIG: no PostgreSQL with server and headers"
	fi
	for thing; do
		"have_$thing" || missing+=("$thing")
	done
	if [ ${#missing[@]} -gt 0 ]; then
		if ! command -v apt-get >/dev/null; then
			die "please install: ${missing[*]}"
		fi
		if ! as_root true 2>/dev/null; then
			die "please install: $(packages_for "${missing[@]}" | xargs)"
		fi
		echo "Installing what is missing: ${missing[*]}"
		as_root apt-get update -q </dev/null
		read -ra packages < <(packages_for "${missing[@]}" | xargs)
		apt_install "${packages[@]}"
		for thing in "${missing[@]}"; do
			"have_$thing" || die "after the installation, $thing is still missing, or too old"
		done
	fi
	if [ "$(server_major)" -lt 15 ]; then
		die "PostgreSQL 15 or newer is needed, this is $("$PG_CONFIG" --version)"
	fi
}

# Installs the npm packages with which the sources are checked, in the checkout.
install_tools() {
	local dir=$REPO/test/tools
	if [ ! "$dir/node_modules" -nt "$dir/package-lock.json" ]; then
		npm ci --prefix "$dir" --ignore-scripts --no-audit --no-fund --no-update-notifier \
			--loglevel=error
		touch "$dir/node_modules"
	fi
}

# ---- the private tree ----

# Decides which user does the work.
choose_user() {
	if [ "$(id -u)" = 0 ]; then
		RUN_AS=postgres
		id "$RUN_AS" >/dev/null 2>&1 || RUN_AS=nobody
	fi
}

# as_user COMMAND...: runs it in $WORK as the user who does the work
as_user() {
	local become=()
	[ -z "$RUN_AS" ] ||
		become=(setpriv --reuid "$RUN_AS" --regid "$(id -gn "$RUN_AS")" --init-groups)
	(cd "$WORK" && exec "${become[@]}" env HOME="$WORK" TMPDIR="$WORK/tmp" \
		USER="${RUN_AS:-$(id -un)}" "$@")
}

make_private_tree() {
	local tree=$WORK/tree bindir extension dir program
	bindir=$("$PG_CONFIG" --bindir)
	as_user mkdir -p "$tree$bindir" "$WORK/tmp"
	for program in "$bindir"/{postgres,initdb,psql,pgbench,pg_*,{create,drop}{db,user},{cluster,reindex,vacuum}db}; do
		[ ! -x "$program" ] || as_user cp -L "$program" "$tree$bindir"
	done
	for dir in sharedir pkglibdir includedir-server; do
		dir=$("$PG_CONFIG" "--$dir")
		as_user mkdir -p "$tree$dir"
		as_user cp -rs "$dir/." "$tree$dir"
		# except for the files of an installed cnap_org
		as_user find "$tree$dir" -depth -name 'cnap_org*' -exec rm -rf {} +
	done
	extension=$("$PG_CONFIG" --sharedir)/extension
	if [ ! -f "$extension/pgtap.control" ] && dir=$(pgtap_dir); then
		as_user cp -s "$dir"/pgtap* "$tree$extension"
	fi
	as_user ln -s "$PG_CONFIG" "$tree$bindir/pg_config.origin"
	as_user ln -s "$tree$bindir/pg_config" "$WORK/pg_config"
	use_private_tree
}

use_private_tree() {
	PG_CONFIG=$(readlink "$WORK/pg_config")
	BINDIR=$(dirname "$PG_CONFIG")
	export PG_CONFIG PGHOST=$WORK PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
	export TEMP_CONFIG=$WORK/settings.conf
}

# Brings $WORK/src up to date with the checkout, keeping what has been built.
copy_source() {
	as_user mkdir -p "$WORK/src" &&
		as_user find "$WORK/src" -type f ! -name '*.o' ! -name '*.bc' ! -name '*.so' \
			! -path '*/node_modules/*' -delete
	tar -C "$REPO" -c --exclude=./.git --exclude='*.o' --exclude='*.bc' --exclude='*.so' \
		--exclude='./cnap_org--*[0-9].sql' --exclude=./results --exclude=./output_iso \
		--exclude=./tmp_check --exclude=node_modules . |
		as_user tar -C "$WORK/src" -x
}

# private_make ARGUMENT...: make in the copy, for the private tree. CC and COPT (more options) select
# how C is compiled.
private_make() {
	as_user make --no-print-directory -C "$WORK/src" "PG_CONFIG=$PG_CONFIG" "WERROR=${WERROR-1}" \
		${CC:+"CC=$CC"} "$@"
}

build() {
	copy_source &&
		private_make -s -j "$(nproc)" all &&
		private_make -s install &&
		set_for_install
}

# INSTALL_SETTING, as in "name = value", is for CREATE EXTENSION alone.
set_for_install() {
	[ -z "${INSTALL_SETTING-}" ] ||
		as_user sed -i "1i SET LOCAL $INSTALL_SETTING;" "$("$PG_CONFIG" --sharedir)"/extension/cnap_org--*[0-9].sql
}

# ---- the cluster ----

# The settings are in a separate file, which the clusters of the TAP tests read as well.
write_settings() {
	tr ';' '\n' <<<"${SETTINGS-}" | as_user tee "$WORK/settings.conf" >/dev/null
}

# Autovacuum would take locks, and change the statistics at unpredictable times.
start_cluster() {
	write_settings
	as_user "$BINDIR/initdb" -D "$WORK/data" -U "$PGUSER" --auth=trust --no-sync \
		--encoding=UTF8 --locale=C.UTF-8 >"$WORK/initdb.log" 2>&1 ||
		{ cat "$WORK/initdb.log" >&2; die "initdb failed"; }
	as_user tee -a "$WORK/data/postgresql.conf" >/dev/null <<-END
		listen_addresses = ''
		unix_socket_directories = '$WORK'
		port = $PGPORT
		fsync = off
		autovacuum = off
		max_prepared_transactions = 20
		include '$WORK/settings.conf'
	END
	as_user "$BINDIR/pg_ctl" -s -w -D "$WORK/data" -l "$WORK/log" start </dev/null ||
		{ tail -n 20 "$WORK/log" >&2; die "the cluster does not start"; }
}

# Stops every cluster below $WORK: ours, and those that an interrupted test has left behind.
stop_clusters() {
	local pid_file
	while IFS= read -r pid_file; do
		[ -f "$pid_file" ] || continue
		as_user "$BINDIR/pg_ctl" -s -w -m immediate -D "$(dirname "$pid_file")" stop || :
	done < <(find "$WORK" -name postmaster.pid 2>/dev/null)
}

remove_work() {
	[ -z "${BINDIR:-}" ] || stop_clusters
	rm -rf "$WORK"
}
