"""query.py CLIENT PORT SQL: runs SQL through an unmodified client and prints {"columns": [...], "rows": [[...]]} as JSON."""

import decimal
import json
import sys


def plain(value):
    return float(value) if isinstance(value, decimal.Decimal) else value


def main():
    client, port, sql = sys.argv[1:]
    if client == "trino":
        import trino

        connection = trino.dbapi.connect(host="127.0.0.1", port=int(port), user="tester", catalog="hive", schema="default")
    else:
        from pyhive import presto

        connection = presto.connect(host="127.0.0.1", port=int(port), username="tester", catalog="hive", schema="default")
    cursor = connection.cursor()
    cursor.execute(sql)
    rows = [[plain(value) for value in row] for row in cursor.fetchall()]
    columns = [column[0] for column in cursor.description]
    json.dump({"columns": columns, "rows": rows}, sys.stdout, default=str)


main()
