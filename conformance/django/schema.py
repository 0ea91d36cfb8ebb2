"""The schema of Django's tables in this database: a line for each column, constraint and index.

What differs between two databases of the same schema is left out: where a sequence stands, and the
numbers of columns that there were once.
"""

import re

from django.db import connection

TABLES = sorted(name for name in connection.introspection.table_names() if not name.startswith("donjon_"))


def ask(sql, *values):
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()


def sqlite(table):
    yield from ask(f"SELECT * FROM pragma_table_info('{table}')")
    yield from sorted(row[2:] for row in ask(f"SELECT * FROM pragma_foreign_key_list('{table}')"))
    for _, name, unique, origin, partial in sorted(ask(f"PRAGMA index_list('{table}')"), key=lambda row: row[1]):
        yield name, unique, origin, partial, ask(f"SELECT * FROM pragma_index_xinfo('{name}')")
    (sql,) = ask("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = %s", table)
    yield "AUTOINCREMENT" in sql[0], sql[0].count("DEFERRABLE INITIALLY DEFERRED")


def postgresql(table):
    yield from ask(
        "SELECT row_number() OVER (ORDER BY ordinal_position), column_name, data_type, character_maximum_length, datetime_precision,"
        " is_nullable, column_default, is_identity, identity_generation, identity_start, identity_maximum,"
        " collation_name, pg_get_serial_sequence(quote_ident(table_name), column_name)"
        " FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s ORDER BY 1",
        table,
    )
    yield from ask(
        "SELECT conname, pg_get_constraintdef(oid), condeferrable, condeferred, convalidated"
        " FROM pg_constraint WHERE conrelid = %s::regclass ORDER BY 1",
        table,
    )
    yield from ask("SELECT indexdef FROM pg_indexes WHERE tablename = %s ORDER BY 1", table)


def mysql(table):
    ((_, sql),) = ask(f"SHOW CREATE TABLE `{table}`")
    for line in re.sub(r" AUTO_INCREMENT=\d+", "", sql).splitlines():
        yield (line,)


for table in TABLES:
    for row in globals()[connection.vendor](table):
        print(table, *row)
