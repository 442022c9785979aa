# Makefile of cnap_org
#
# make, make install, make installcheck ...  build against the pg_config in PATH,
#                                            or PG_CONFIG=/path/to/pg_config
# make test, make demo, make format, make lint, make coverage
#                                            set up all they need by themselves
#
# WERROR=1 turns compiler warnings into errors.

EXTENSION = cnap_org
MODULE_big = cnap_org

# Empty, or the source tree's path where the build is outside of it.
SOURCE := $(if $(VPATH),$(VPATH)/,$(filter-out ./,$(dir $(firstword $(MAKEFILE_LIST)))))
EXTVERSION = $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" $(SOURCE)cnap_org.control)

INCLUDED = $(wildcard $(SOURCE)src/*/*.h)
OBJS = $(patsubst $(SOURCE)%.c,%.o,$(sort $(wildcard $(SOURCE)src/*.c $(SOURCE)src/*/*.c)))

# The install script is joined from its pieces, in the order of their names.
SQL_SCRIPT = $(EXTENSION)--$(EXTVERSION).sql
SQL_PIECES = $(sort $(wildcard $(SOURCE)src/sql/*.sql))

# src/sql/update/VERSION.sql leads to that version from the one before. From each released version
# there is one script to the present version, and to no other one.
UPDATE_DIR = $(SOURCE)src/sql/update
FIRST_VERSION = 1.0.0
VERSIONS := $(FIRST_VERSION) $(shell ls '$(UPDATE_DIR)' | sed -n 's/^\([0-9].*\)\.sql$$/\1/p' | sort -V)
UPDATE_SCRIPTS = $(patsubst %,$(EXTENSION)--%--$(EXTVERSION).sql,$(filter-out $(EXTVERSION),$(VERSIONS)))

DATA_built = $(SQL_SCRIPT) $(UPDATE_SCRIPTS)

# PostgreSQL's headers are not clean under -Wextra, so are taken for those of the system. What is built
# does not depend on where that is done.
PG_CPPFLAGS = -I$(SOURCE)src -DCNAP_VERSION='"$(EXTVERSION)"' -isystem $(includedir_server) \
	'-ffile-prefix-map=$(CURDIR)=.' '-ffile-prefix-map=$(abspath $(or $(SOURCE),.))=.'
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers \
	-Wmissing-noreturn $(if $(WERROR),-Werror)

REGRESS = $(patsubst $(SOURCE)sql/%.sql,%,$(sort $(wildcard $(SOURCE)sql/*.sql)))

ISOLATION_DIR = $(SOURCE)test/isolation
ISOLATION = $(patsubst $(ISOLATION_DIR)/specs/%.spec,%,$(sort $(wildcard $(ISOLATION_DIR)/specs/*.spec)))
ISOLATION_OPTS = --inputdir=$(ISOLATION_DIR) --load-extension=$(EXTENSION)

# PGXS runs prove inside the source tree.
PROVE_TESTS = $(patsubst $(SOURCE)%,%,$(sort $(wildcard $(SOURCE)test/tap/*.pl)))
TAP_TESTS = $(if $(PROVE_TESTS),1)

PGTAP_DB = contrib_regression_pgtap
PGTAP_TESTS = $(sort $(wildcard $(SOURCE)test/pgtap/*.sql))
PG_PROVE = pg_prove

CLIENTS_DIR = $(SOURCE)test/clients
CLIENTS_TESTS = $(sort $(wildcard $(CLIENTS_DIR)/*.js))

EXAMPLES_DIR = $(SOURCE)test/examples
EXAMPLES_TESTS = $(sort $(wildcard $(EXAMPLES_DIR)/*.js))

SCHEMAS_TESTS = $(sort $(wildcard $(SOURCE)test/schemas/*.pl))

EXTRA_CLEAN = $(EXTENSION)-*.zip

# These bring what they need themselves, so must work where no pg_config exists yet.
SETUP_GOALS = test demo demo-stop bench bench-peers bench-fleet dist format typedefs lint coverage

ifneq (,$(filter-out $(SETUP_GOALS),$(or $(MAKECMDGOALS),all)))
PG_CONFIG = pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)

# Bitcode for the JIT is left out where its compiler is not installed.
CLANG_USED := $(shell sed -n 's/^CLANG *= *//p' '$(dir $(PGXS))../Makefile.global')
ifeq (,$(shell command -v $(or $(CLANG_USED),clang)))
override with_llvm = no
endif

include $(PGXS)

$(if $(SOURCE),$(shell mkdir -p $(sort $(dir $(OBJS)))))
$(OBJS) $(OBJS:.o=.bc): $(INCLUDED)
src/cnap_org.o src/core/version.o: $(SOURCE)cnap_org.control

$(SQL_SCRIPT): $(SQL_PIECES)
	cat $^ > $@

# The steps that follow that version, between what each update begins and ends with
define update_script
$(EXTENSION)--$(1)--$(EXTVERSION).sql: $(patsubst %,$(UPDATE_DIR)/%.sql,begin \
		$(shell printf '%s\n' $(VERSIONS) | awk 'found; $$0 == "$(1)" { found = 1 }') end) \
		$(filter %/90_privileges.sql %/92_set_privileges.sql %/95_made.sql,$(SQL_PIECES))
	cat $$^ > $$@
endef
$(foreach version,$(filter-out $(EXTVERSION),$(VERSIONS)),$(eval $(call update_script,$(version))))

$(if $(filter $(EXTVERSION),$(lastword $(VERSIONS))),,$(error $(lastword $(VERSIONS)) is the last version \
	that $(UPDATE_DIR) leads to, and cnap_org.control says $(EXTVERSION)))

# The pgTAP tests against a running server, in a database of their own, with roles that they drop
.PHONY: pgtap
pgtap:
	'$(bindir)/psql' -X -q -v ON_ERROR_STOP=1 -d postgres \
		-c 'SET client_min_messages = warning' \
		-c 'DROP DATABASE IF EXISTS $(PGTAP_DB)' \
		-c 'CREATE DATABASE $(PGTAP_DB) TEMPLATE template0'
	'$(bindir)/psql' -X -q -v ON_ERROR_STOP=1 -d $(PGTAP_DB) \
		-c 'CREATE EXTENSION pgtap' -c 'CREATE EXTENSION $(EXTENSION)' \
		-f $(SOURCE)test/pgtap/include/roles.sql
	$(PG_PROVE) --psql-bin '$(bindir)/psql' --dbname $(PGTAP_DB) $(PGTAP_TESTS); status=$$?; \
	'$(bindir)/psql' -X -q -v ON_ERROR_STOP=1 -d $(PGTAP_DB) \
		-f $(SOURCE)test/pgtap/include/drop_roles.sql && exit $$status

# The tests of real clients against a running server, in databases of their own
.PHONY: clients
clients: $(CLIENTS_DIR)/node_modules
	prove --exec node $(CLIENTS_TESTS)

# The tests of other people's schemas against a running server, in databases of their own
.PHONY: schemas
schemas:
	PATH='$(bindir)':"$$PATH" prove -j $(shell nproc) $(SCHEMAS_TESTS)

# The tests of the examples against a running server, in databases of their own
.PHONY: examples
examples: $(SOURCE)examples/rest/node_modules $(EXAMPLES_DIR)/node_modules
	prove --exec node $(EXAMPLES_TESTS)

# npm install --package-lock-only --omit-lockfile-registry-resolved makes the lock file.
%/node_modules: %/package.json %/package-lock.json
	npm ci --prefix $* --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
	touch $@
endif

.DELETE_ON_ERROR:

.PHONY: $(SETUP_GOALS)

# SUITES="regress pgtap isolation tap clients schemas examples" selects some of the suites.
test:
	$(SOURCE)test/run $(SUITES)

demo:
	$(SOURCE)test/demo

demo-stop:
	$(SOURCE)test/demo stop

bench:
	$(SOURCE)test/bench/run

bench-peers:
	BENCH=peers $(SOURCE)test/bench/run

bench-fleet:
	$(SOURCE)test/bench/fleet

format:
	$(SOURCE)test/format

typedefs:
	$(SOURCE)test/tools/typedefs >$(SOURCE)test/tools/typedefs.list.new
	mv $(SOURCE)test/tools/typedefs.list.new $(SOURCE)test/tools/typedefs.list

lint:
	$(SOURCE)test/lint

coverage:
	$(SOURCE)test/coverage $(SUITES)

# The archive for PGXN; zip knows no time zones
dist:
	TZ=UTC git archive --format=zip --prefix=$(EXTENSION)-$(EXTVERSION)/ \
		-o $(EXTENSION)-$(EXTVERSION).zip HEAD
