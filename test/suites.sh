# shellcheck shell=bash
#
# suites.sh: what test/run and test/job know about the suites
#
# A job is one test file of one suite, written SUITE/NAME, as in tap/cache.

# shellcheck disable=SC2034
SUITES=(regress pgtap isolation tap clients schemas examples)

# The jobs that take longest, which are begun first: at the end there must be short ones, with
# which all clusters get done at the same time.
LONGEST=(
	schemas/zabbix
	schemas/davical
	tap/upgrade
	tap/differential
	tap/attack_leaks
	tap/lint
	schemas/roundcube
	schemas/tt_rss
	tap/cache
	tap/attack_privileges
	tap/attack_tokens
	tap/pg_upgrade
	tap/dump_restore
	regress/plans
	examples/rest_owners
	examples/rest_page
	tap/revocation_stress
	regress/lint
)

# suite_files SUITE: the pattern of its test files
suite_files() {
	case $1 in
		regress) echo 'sql/*.sql' ;;
		isolation) echo 'test/isolation/specs/*.spec' ;;
		pgtap) echo 'test/pgtap/*.sql' ;;
		tap) echo 'test/tap/*.pl' ;;
		clients) echo 'test/clients/*.js' ;;
		schemas) echo 'test/schemas/*.pl' ;;
		rounds) echo 'test/rounds/*.pl' ;;
		citus) echo 'test/citus/*.pl' ;;
		examples) echo 'test/examples/*.js' ;;
		*) die "there is no suite $1" ;;
	esac
}

# needed_by SUITE: prints what must be installed for it, besides a server and a compiler
needed_by() {
	case $1 in
		pgtap) echo pgtap pg_prove ;;
		tap | rounds | citus) echo tap ;;
		clients) echo prove pgbouncer pgpool npm schema_tools python_clients ruby_clients java_clients ;;
		schemas) echo prove apt ;;
		examples) echo prove npm curl chromium ;;
	esac
}

# has_servers SUITE: do its tests make clusters of their own, as those of PostgreSQL's TAP tests do?
has_servers() {
	case $1 in
		tap | rounds | citus) ;;
		*) return 1 ;;
	esac
}

# lacking_for SUITE: prints what it would need that we do not install, if that is missing
lacking_for() {
	case $1 in
		citus) [ -f "$("$PG_CONFIG" --sharedir)/extension/citus.control" ] || echo Citus ;;
	esac
}

# jobs_of SUITE: prints its jobs
jobs_of() {
	local pattern file
	pattern=$(suite_files "$1") || exit 1
	for file in "$REPO"/$pattern; do
		[ -e "$file" ] || continue
		file=${file##*/}
		echo "$1/${file%.*}"
	done
}

# list_jobs WHAT...: prints the jobs of suites, and single jobs, the longest ones first
list_jobs() {
	local what job all
	for job in "${LONGEST[@]}"; do
		jobs_of "${job%%/*}" | grep -Fx "$job" >/dev/null || die "there is no test $job"
	done
	all=$(
		for what; do
			case $what in
				*/*) jobs_of "${what%%/*}" | grep -Fx "$what" || die "there is no test $what" ;;
				*) jobs_of "$what" ;;
			esac
		done
	) || exit 1
	printf '%s\n' "${LONGEST[@]}" | grep -Fx "$all" || :
	printf '%s\n' "$all" | grep -vFx "$(printf '%s\n' "${LONGEST[@]}")" || :
}

# modules_of SUITE: prints the directories with npm packages that it uses
modules_of() {
	case $1 in
		clients) echo test/clients/node_modules ;;
		examples) echo examples/rest/node_modules test/examples/node_modules ;;
	esac
}

# make_job JOB: runs it by the Makefile's rule for the suite
make_job() {
	local suite=${1%%/*} name=${1#*/}
	case $suite in
		regress) private_make -s installcheck "REGRESS=$name" ISOLATION= TAP_TESTS= ;;
		isolation) private_make -s installcheck REGRESS= "ISOLATION=$name" TAP_TESTS= ;;
		tap | rounds | citus)
			private_make -s installcheck REGRESS= ISOLATION= "PROVE_TESTS=test/$suite/$name.pl"
			;;
		pgtap) private_make -s pgtap "PGTAP_TESTS=test/pgtap/$name.sql" ;;
		clients) private_make -s clients "CLIENTS_TESTS=test/clients/$name.js" ;;
		schemas) private_make -s schemas "SCHEMAS_TESTS=test/schemas/$name.pl" ;;
		examples) private_make -s examples "EXAMPLES_TESTS=test/examples/$name.js" ;;
	esac
}
