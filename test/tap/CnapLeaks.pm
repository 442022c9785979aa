#
# CnapLeaks.pm: shared by the tests that try to learn about hidden rows
#
# An attacker has functions, operators, types and views of her own, in the schema own, and executes
# statements on the table app.secret, which has the columns id, workspace_id, note and amount. Her
# functions tell by a warning what they are called with.
#
package CnapLeaks;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use CnapModel;

our @EXPORT = qw($OWN_CODE @LEAKY_STATEMENTS);

our $OWN_CODE = q{
	CREATE FUNCTION own.tell(text) RETURNS boolean COST 0.0000001 LANGUAGE plpgsql
	AS $$ BEGIN RAISE WARNING 'told %', $1; RETURN true; END $$;
	CREATE FUNCTION own.tell(text, text) RETURNS boolean COST 0.0000001 LANGUAGE plpgsql
	AS $$ BEGIN RAISE WARNING 'told % %', $1, $2; RETURN true; END $$;
	CREATE FUNCTION own.tell_immutable(text) RETURNS boolean COST 0.0000001 IMMUTABLE PARALLEL SAFE LANGUAGE plpgsql
	AS $$ BEGIN RAISE WARNING 'told %', $1; RETURN true; END $$;
	CREATE FUNCTION own.compare(text, text) RETURNS int COST 0.0000001 IMMUTABLE LANGUAGE plpgsql
	AS $$ BEGIN RAISE WARNING 'told % %', $1, $2; RETURN 0; END $$;
	CREATE OPERATOR own.<<< (FUNCTION = own.tell, LEFTARG = text, RIGHTARG = text, RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
	CREATE OPERATOR own.=== (FUNCTION = own.tell, LEFTARG = text, RIGHTARG = text, RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
	CREATE OPERATOR own.~~~ (FUNCTION = own.tell, LEFTARG = text, RIGHTARG = text, RESTRICT = likesel);
	CREATE FUNCTION own.sum(text, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'told %', $2; RETURN $2; END $$;
	CREATE AGGREGATE own.all_of(text) (SFUNC = own.sum, STYPE = text, INITCOND = '');
	CREATE TYPE own.wrapped AS (note text);
	CREATE DOMAIN own.checked AS text CHECK (own.tell(VALUE));
	CREATE FUNCTION own.on_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'told %', OLD; RETURN NEW; END $$;
	CREATE TABLE own.t (note text, id int);
	INSERT INTO own.t SELECT 'probe ' || n, n FROM generate_series(1, 3) n;
	ANALYZE own.t;
	CREATE VIEW own.v AS SELECT * FROM app.secret WHERE own.tell(note);
	CREATE VIEW own.barrier WITH (security_barrier) AS SELECT * FROM app.secret WHERE own.tell(note);
	CREATE VIEW own.invoker WITH (security_invoker) AS SELECT * FROM app.secret WHERE own.tell(note)};

# Pairs of a name and a statement. KEY and VALUE stand for the column that a new row needs.
our @LEAKY_STATEMENTS = (
	'a function in WHERE' => 'SELECT id FROM app.secret WHERE own.tell(note)',
	'a function beside a constant' => q{SELECT id FROM app.secret WHERE own.tell(note) AND id < 50},
	'a function beside an index' => q{SELECT id FROM app.secret WHERE amount > 10 AND own.tell(note)},
	'a function beside the own workspace' => "SELECT id FROM app.secret WHERE own.tell(note) AND workspace_id = '$W1'",
	"a function beside somebody else's workspace" => "SELECT id FROM app.secret WHERE own.tell(note) AND workspace_id = '$W3'",
	'a function that pretends to be immutable' => 'SELECT id FROM app.secret WHERE own.tell_immutable(note)',
	'a function under OR' => 'SELECT id FROM app.secret WHERE own.tell(note) OR id = 777003',
	'a function under CASE' => 'SELECT id FROM app.secret WHERE CASE WHEN own.tell(note) THEN true ELSE false END',
	'a function under COALESCE' => 'SELECT id FROM app.secret WHERE coalesce(own.tell(note), true)',
	'an operator' => q{SELECT id FROM app.secret WHERE note OPERATOR(own.<<<) 'x'},
	'an operator with an estimator of equality' => q{SELECT id FROM app.secret WHERE note OPERATOR(own.===) 'x'},
	'an operator with an estimator of patterns' => q{SELECT id FROM app.secret WHERE note OPERATOR(own.~~~) 'x'},
	'an operator with ANY' => q{SELECT id FROM app.secret WHERE note OPERATOR(own.===) ANY (ARRAY['a', 'b'])},
	'an operator in a join' => 'SELECT s.id FROM app.secret s JOIN own.t ON s.note OPERATOR(own.===) t.note',
	'an operator in an outer join' => 'SELECT s.id FROM own.t LEFT JOIN app.secret s ON s.note OPERATOR(own.<<<) t.note',
	'an operator in a semi-join' => 'SELECT t.id FROM own.t WHERE EXISTS (SELECT FROM app.secret s WHERE s.note OPERATOR(own.===) t.note)',
	'an operator in an anti-join' => 'SELECT t.id FROM own.t WHERE NOT EXISTS (SELECT FROM app.secret s WHERE s.note OPERATOR(own.===) t.note)',
	'an error that tells' => q{SELECT id FROM app.secret WHERE note::int > 0},
	'a cast' => 'SELECT id FROM app.secret WHERE (note::own.checked) IS NOT NULL',
	'a division' => 'SELECT id FROM app.secret WHERE 1 / (id - 777003) IS NOT NULL',
	'a row type' => 'SELECT id FROM app.secret WHERE (ROW(note)::own.wrapped) IS NOT NULL AND own.tell(note)',
	'a whole row' => 'SELECT id FROM app.secret s WHERE own.tell(s::text)',
	'the select list' => 'SELECT own.tell(note) FROM app.secret',
	'ORDER BY' => 'SELECT id FROM app.secret ORDER BY own.tell(note)',
	'GROUP BY' => 'SELECT count(*) FROM app.secret GROUP BY own.tell(note)',
	'HAVING' => 'SELECT workspace_id FROM app.secret GROUP BY workspace_id HAVING bool_and(own.tell(note))',
	'a window' => 'SELECT count(*) OVER (PARTITION BY own.tell(note)) FROM app.secret',
	'DISTINCT ON' => 'SELECT DISTINCT ON (own.tell(note)) id FROM app.secret',
	'LIMIT' => 'SELECT id FROM app.secret WHERE own.tell(note) LIMIT 5',
	'an aggregate' => 'SELECT own.all_of(note) FROM app.secret',
	'an aggregate with a filter' => 'SELECT count(*) FILTER (WHERE own.tell(note)) FROM app.secret',
	'a subquery' => 'SELECT (SELECT bool_and(own.tell(note)) FROM app.secret)',
	'a lateral subquery' => 'SELECT x FROM app.secret s, LATERAL (SELECT own.tell(s.note) x) l',
	'a CTE' => 'WITH c AS (SELECT * FROM app.secret) SELECT id FROM c WHERE own.tell(note)',
	'a CTE that is not materialized' => 'WITH c AS NOT MATERIALIZED (SELECT * FROM app.secret) SELECT id FROM c WHERE own.tell(note)',
	'a set operation' => 'SELECT id FROM app.secret WHERE own.tell(note) EXCEPT SELECT 1',
	'a sample' => 'SELECT id FROM app.secret TABLESAMPLE SYSTEM (100) WHERE own.tell(note)',
	'the tuple id' => q{SELECT id FROM app.secret WHERE ctid = '(0,3)' AND own.tell(note)},
	'a range of tuple ids' => q{SELECT id FROM app.secret WHERE ctid > '(0,0)' AND own.tell(note)},
	'system columns' => 'SELECT id FROM app.secret WHERE own.tell(xmin::text || ctid::text || tableoid::regclass::text || note)',
	'FOR UPDATE' => 'SELECT id FROM app.secret WHERE own.tell(note) FOR UPDATE',
	'FOR KEY SHARE' => 'SELECT id FROM app.secret WHERE own.tell(note) FOR KEY SHARE SKIP LOCKED',
	'UPDATE' => 'UPDATE app.secret SET amount = amount WHERE own.tell(note) RETURNING id',
	'UPDATE without WHERE' => 'UPDATE app.secret SET amount = CASE WHEN own.tell(note) THEN amount END',
	'UPDATE with a join' => 'UPDATE app.secret s SET amount = s.amount FROM own.t WHERE s.note OPERATOR(own.===) t.note',
	'DELETE' => 'DELETE FROM app.secret WHERE own.tell(note) AND false',
	'DELETE with a join' => 'DELETE FROM app.secret s USING own.t WHERE s.note OPERATOR(own.===) t.note RETURNING s.id',
	'MERGE' => 'MERGE INTO app.secret s USING own.t ON s.note OPERATOR(own.===) t.note WHEN MATCHED AND own.tell(s.note) THEN DELETE',
	'INSERT from it' => 'INSERT INTO own.t SELECT note, id FROM app.secret WHERE own.tell(note)',
	'ON CONFLICT DO UPDATE' => "INSERT INTO app.secret (id, KEY, note, amount) VALUES (777000 + 3, VALUE, 'new', 1) ON CONFLICT (id) DO UPDATE SET note = secret.note || own.tell(secret.note) RETURNING note",
	'ON CONFLICT DO NOTHING' => "INSERT INTO app.secret (id, KEY, note, amount) VALUES (777000 + 3, VALUE, 'new', 1) ON CONFLICT DO NOTHING RETURNING own.tell(note)",
	'COPY of a query' => 'COPY (SELECT note FROM app.secret WHERE own.tell(note)) TO STDOUT',
	'COPY' => 'COPY app.secret TO STDOUT',
	'a view of her own' => 'SELECT id FROM own.v',
	'a view with a barrier' => 'SELECT id FROM own.barrier WHERE own.tell(note)',
	'a view of the invoker' => 'SELECT id FROM own.invoker',
	'a materialized view' => 'CREATE MATERIALIZED VIEW own.m AS SELECT * FROM app.secret WHERE own.tell(note)',
	'CREATE TABLE AS' => 'CREATE TABLE own.copy AS SELECT * FROM app.secret WHERE own.tell(note)',
	'a cursor' => 'DECLARE c CURSOR FOR SELECT note FROM app.secret WHERE own.tell(note); FETCH ALL FROM c',
	'a function of SQL' => q{CREATE FUNCTION own.f() RETURNS SETOF text LANGUAGE sql AS 'SELECT note FROM app.secret WHERE own.tell(note)'; SELECT own.f()},
	'a function as another role' => q{CREATE FUNCTION own.f() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS 'SELECT note FROM app.secret WHERE own.tell(note)'; SELECT own.f()},
	'query_to_xml' => q{SELECT query_to_xml('SELECT note FROM app.secret', true, false, '')},
	'table_to_xml' => q{SELECT table_to_xml('app.secret', true, false, '')},
	'database_to_xml' => q{SELECT schema_to_xml('app', true, false, '')},
	'row_security off' => 'SET LOCAL row_security = off; SELECT note FROM app.secret',
	'EXPLAIN ANALYZE' => 'EXPLAIN (ANALYZE, VERBOSE, COSTS off, TIMING off) SELECT id FROM app.secret WHERE own.tell(note)');

1;
