"""Clients of Python, with the functions of doc/clients.md: executed by ../python.js

The functions are in the module recipes. The first argument is a JSON object: the connection's
parameters, the users, and the ids that each of them must see. Prints a JSON object with what was
seen, by client.
"""

import asyncio
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import recipes

POOL = 3
SELECT = "SELECT id FROM app.item ORDER BY id"
WHO = "SELECT cnap_current_user() IS NULL AND NOT EXISTS (SELECT FROM app.item), pg_sleep(0.02)::text"
world = json.loads(sys.argv[1])
users = list(world["expected"])


def kind(error):
    """of an error: that of the database, that of the program, or another"""
    text = str(error)
    for one in ("division by zero", "of the program", "canceling statement"):
        if one in text:
            return one
    return text


class Client:
    """what threads share"""

    def ids(self, user):
        with self.as_user(user) as handle:
            return [row[0] for row in self.query(handle, SELECT)]

    def fail(self, n):
        try:
            with self.as_user(users[n]) as handle:
                if n % 4 != 0:
                    self.query(handle, SELECT)
                if n % 2 == 0:
                    self.query(handle, "SELECT 1 / 0")
                raise RuntimeError("of the program")
        except Exception as error:
            return kind(error)

    def sleep(self):
        try:
            with self.as_user(users[0]) as handle:
                self.query(handle, "SELECT pg_sleep(300)::text")
        except Exception as error:
            return kind(error)

    def void(self):
        with self.as_user(world["owner"]) as handle:
            text = f"SELECT cnap_update_workspace('{world['workspace']}', name => 'new')"
            return [list(row) for row in self.query(handle, text)]

    def run(self):
        with ThreadPoolExecutor(world.get("threads", POOL * 4)) as threads:
            def crowd():
                return list(threads.map(self.ids, users + users))

            def left():
                return list(threads.map(lambda _: self.outside(WHO)[0][0], range(4 * POOL)))

            seen = {"crowd": crowd(), "errors": list(threads.map(self.fail, range(len(users)))), "left": left()}
            seen |= {"cancelled": threads.submit(self.sleep).result(), "left again": left()}
            seen |= {"crowd again": crowd(), "void": threads.submit(self.void).result()}
            return seen


class Psycopg(Client):
    def __init__(self):
        from psycopg_pool import ConnectionPool

        self.pool = ConnectionPool(
            kwargs=world["connection"], min_size=1, max_size=POOL, timeout=120
        )

    def as_user(self, user):
        return recipes.as_user_of_psycopg(self.pool, user)

    def query(self, handle, text):
        return handle.execute(text).fetchall()

    def outside(self, text):
        with self.pool.connection() as connection:
            return connection.execute(text).fetchall()


class SqlAlchemy(Client):
    def __init__(self):
        import psycopg2
        import sqlalchemy

        self.text = sqlalchemy.text
        self.engine = sqlalchemy.create_engine(
            "postgresql://",
            creator=lambda: psycopg2.connect(**world["connection"]),
            pool_size=POOL,
            max_overflow=0,
            pool_timeout=120,
        )

    def as_user(self, user):
        return recipes.as_user_of_sqlalchemy(self.engine, user)

    def query(self, handle, text):
        return handle.execute(self.text(text)).fetchall()

    def outside(self, text):
        with self.engine.connect() as connection:
            return connection.execute(self.text(text)).fetchall()


class Django(Client):
    """keeps a connection for each thread"""

    def __init__(self):
        import django.conf
        import django.db.transaction

        options = world["connection"]
        django.conf.settings.configure(
            DATABASES={
                "default": {
                    "ENGINE": "django.db.backends.postgresql",
                    "NAME": options["dbname"],
                    "USER": options["user"],
                    "HOST": options["host"],
                    "PORT": options["port"],
                    "CONN_MAX_AGE": None,
                }
            }
        )
        world["threads"] = POOL
        self.connection = django.db.connection
        recipes.connection = django.db.connection
        recipes.transaction = django.db.transaction

    def as_user(self, user):
        return recipes.as_user_of_django(user)

    def query(self, _, text):
        return self.outside(text)

    def outside(self, text):
        with self.connection.cursor() as cursor:
            cursor.execute(text)
            return cursor.fetchall()

    def run(self):
        seen = super().run()
        try:
            with self.as_user(users[0]), self.as_user(users[1]):
                seen["nested"] = "possible"
        except RuntimeError:
            seen["nested"] = "refused"
        return seen


class Asyncpg:
    async def go(self):
        import asyncpg

        options = world["connection"]
        pool = await asyncpg.create_pool(
            host=options["host"],
            port=options["port"],
            user=options["user"],
            database=options["dbname"],
            min_size=1,
            max_size=POOL,
        )
        as_user = recipes.as_user_of_asyncpg

        async def ids(user):
            async with as_user(pool, user) as handle:
                return [row[0] for row in await handle.fetch(SELECT)]

        async def fail(n):
            try:
                async with as_user(pool, users[n]) as handle:
                    if n % 4 != 0:
                        await handle.fetch(SELECT)
                    if n % 2 == 0:
                        await handle.fetch("SELECT 1 / 0")
                    raise RuntimeError("of the program")
            except Exception as error:
                return kind(error)

        async def sleep():
            try:
                async with as_user(pool, users[0]) as handle:
                    await handle.fetch("SELECT pg_sleep(300)::text")
            except Exception as error:
                return kind(error)

        async def left():
            return await asyncio.gather(*(pool.fetchval(WHO) for _ in range(4 * POOL)))

        async def crowd():
            return await asyncio.gather(*(ids(user) for user in users + users))

        seen = {
            "crowd": await crowd(),
            "errors": await asyncio.gather(*(fail(n) for n in range(len(users)))),
            "left": await left(),
            "cancelled": await sleep(),
            "left again": await left(),
            "crowd again": await crowd(),
        }
        async with as_user(pool, world["owner"]) as handle:
            text = f"SELECT cnap_update_workspace('{world['workspace']}', name => 'new')"
            seen["void"] = [list(row) for row in await handle.fetch(text)]
        await pool.close()
        return seen

    def run(self):
        return asyncio.run(self.go())


CLIENTS = {"psycopg": Psycopg, "asyncpg": Asyncpg, "SQLAlchemy": SqlAlchemy, "Django": Django}

if __name__ == "__main__":
    print(json.dumps(CLIENTS[sys.argv[2]]().run()))
