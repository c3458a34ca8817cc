"""Readers of others on exported blocks: DuckDB, pyarrow and pandas read what `spanloom block export` writes, and find
what was sent.

Starts `spanloom serve` on an empty folder, sends what `made.py` makes, seals it, exports it while the process runs, and
compares every row that the readers find with what was sent. Run it by `cargo xtask export`.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "clients"))

import duckdb
import pandas
import pyarrow.parquet

from made import Made
from server import Server, until

TRACES = 300


def export(binary, data_dir, *words):
    command = [binary, "block", "export", "--data-dir", str(data_dir), *map(str, words)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def same(found, expected, what):
    if found != expected:
        raise RuntimeError(f"{what}: found {found!r}, expected {expected!r}")


def triples(pairs, types):
    """Attributes as they were made: a map as a list of pairs, with its types."""
    same(len(pairs), len(types), "types of attributes")
    return [(key, text, kind) for (key, text), kind in zip(pairs, types)]


def compare(found, made):
    """Rows as pyarrow has them, with those that were made."""
    same(len(found), len(made.rows), "rows")
    for row in found:
        expected = made.rows[row["trace_id"], row["span_id"]]
        what = f"span {row['span_id']} of trace {row['trace_id']}"
        for name, value in expected.items():
            if name.endswith("attributes"):
                types = row[name.removesuffix("s") + "_types"]
                same(triples(row[name], types), value, f"{name} of {what}")
            elif name in ("events", "links"):
                same(len(row[name]), len(value), f"{name} of {what}")
                for item, wanted in zip(row[name], value):
                    attributes = triples(item["attributes"], item["attribute_types"])
                    same(
                        {**{key: item[key] for key in wanted}, "attributes": attributes},
                        wanted,
                        f"{name} of {what}",
                    )
            else:
                same(row[name], value, f"{name} of {what}")


def by_pyarrow(path, made):
    table = pyarrow.parquet.read_table(path)
    about = table.schema.metadata
    same(about[b"spanloom.tenant"], b"single-tenant", "the file's tenant")
    # Beside the integers, points in time are timestamps of nanoseconds.
    for name in ("start_time", "end_time"):
        same(str(table.schema.field(name).type), "timestamp[ns, tz=UTC]", f"the type of {name}")
        as_integers = table[name].cast("int64").to_pylist()
        same(as_integers, table[name + "_unix_nano"].to_pylist(), name)
    compare(table.drop_columns(["start_time", "end_time"]).to_pylist(), made)


def by_pandas(path, made):
    frame = pandas.read_parquet(path)
    same(str(frame["start_time"].dtype), "datetime64[ns, UTC]", "the type of start_time")
    starts = frame["start_time"].astype("int64").tolist()
    same(starts, [made.rows[ids]["start_time_unix_nano"] for ids in zip(frame["trace_id"], frame["span_id"])], "starts")
    expected = collections.defaultdict(int)
    for row in made.rows.values():
        expected[row["service_name"]] += row["duration_ns"]
    same(frame.groupby("service_name")["duration_ns"].sum().to_dict(), dict(expected), "durations by service")
    statuses = frame["span_attributes"].map(lambda pairs: dict(reversed(pairs)).get("http.status_code"))
    same(statuses.notna().sum(), sum(first(row, "http.status_code") is not None for row in made.rows.values()), "codes")


def first(row, key):
    return next((text for name, text, _ in row["span_attributes"] if name == key), None)


def by_duckdb(path, made):
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("CREATE VIEW spans AS SELECT * FROM read_parquet(?)".replace("?", f"'{path}'"))

    def ask(sql):
        return connection.execute(sql).fetchall()

    rows = made.rows.values()
    counted = collections.Counter((row["service_name"], row["kind"], row["status_code"]) for row in rows)
    found = ask("SELECT service_name, kind, status_code, count(*) FROM spans GROUP BY ALL")
    same({tuple(row[:3]): row[3] for row in found}, dict(counted), "spans by service, kind and status")
    same(ask("SELECT sum(duration_ns)::BIGINT FROM spans"), [(sum(row["duration_ns"] for row in rows),)], "durations")
    # Of a key that comes twice the first value counts, as in searches.
    codes = collections.Counter(first(row, "http.status_code") for row in rows)
    found = ask("SELECT span_attributes['http.status_code'], count(*) FROM spans GROUP BY ALL")
    same(dict(found), dict(codes), "spans by an attribute")
    numbers = ask(
        """SELECT count(*) FROM spans
           WHERE list_contains(list_zip(map_keys(span_attributes), map_values(span_attributes), span_attribute_types),
                               ROW('http.status_code', '200', 'int'))"""
    )
    wanted = ("http.status_code", "200", "int")
    same(numbers, [(sum(wanted in row["span_attributes"] for row in rows),)], "spans with the integer 200")
    same(
        ask("SELECT count(*), count(DISTINCT time_unix_nano) FROM (SELECT unnest(events, recursive := true) FROM spans)")[0][0],
        sum(len(row["events"]) for row in rows),
        "events",
    )
    linked = ask("SELECT link.trace_id, link.span_id FROM (SELECT unnest(links) AS link FROM spans)")
    expected = [(link["trace_id"], link["span_id"]) for row in rows for link in row["links"]]
    same(sorted(linked), sorted(expected), "links")
    # DuckDB before 2 keeps such timestamps to the microsecond.
    unit = 1000 if duckdb.__version__.startswith("1.") else 1
    wrong = ask(f"SELECT count(*) FROM spans WHERE epoch_ns(start_time) // {unit} <> start_time_unix_nano // {unit}")
    same(wrong, [(0,)], "starts that are not as their integers are")
    one = next(iter(made.rows))[0]
    same(
        ask(f"SELECT count(*) FROM spans WHERE trace_id = '{one}'"),
        [(sum(ids[0] == one for ids in made.rows),)],
        "spans of one trace",
    )
    roots = ask("SELECT count(*) FROM spans WHERE parent_span_id IS NULL")
    same(roots, [(sum(row["parent_span_id"] is None for row in rows),)], "roots")


def by_lines(path, made):
    """OTLP JSON has the spans as they were sent, a trace on each line."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    same(len(lines), len(made.requests), "lines")
    for line, request in zip(lines, made.requests):
        same(plain(line), plain(request), "a trace")


def by_examples(folder, made):
    """What `docs/EXPORT.md` shows can be run as it stands there, and finds something of what is there."""
    page = (pathlib.Path(__file__).resolve().parents[4] / "docs" / "EXPORT.md").read_text()
    sql, python = (re.search(f"```{name}\n(.*?)```", page, re.DOTALL).group(1) for name in ("sql", "python"))
    before = os.getcwd()
    os.chdir(folder)
    try:
        connection = duckdb.connect()
        statements = [statement for statement in sql.split(";") if statement.strip()]
        for number, statement in enumerate(statements):
            connection.execute(f"CREATE TABLE answer_{number} AS {statement}")
        same(connection.execute("SELECT count(*) > 0 FROM answer_0").fetchall(), [(True,)], "slowest operations")
        names = {}
        exec(python, names)
        same(len(names["spans"]), len(made.rows), "rows of the example")
    finally:
        os.chdir(before)


def plain(value):
    """Without what is empty: whoever writes may leave it out. Numbers as numbers, which is how 1.0 is 1 in JSON."""
    if isinstance(value, dict):
        told = {key: plain(one) for key, one in value.items()}
        of_value = any(key.endswith("Value") for key in told)
        return told if of_value else {key: one for key, one in told.items() if one not in ("", 0, [], {}, None)}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value


def run(binary, folder, checks):
    data_dir = folder / "data"
    made = Made(TRACES)
    server = Server(binary, str(data_dir), str(folder / "log.txt"))
    try:
        server.start()
        for request in made.requests:
            body = json.dumps(request).encode()
            status, _, answer = server.post("/v1/traces", "otlp-http", body, {"Content-Type": "application/json"})
            if status != 200 or json.loads(answer or b"{}").get("partialSuccess"):
                raise RuntimeError(f"a request is answered {status}: {answer[:200]!r}")
        server.request("POST", "/flush", "query")
        blocks = until("block", lambda: sorted((data_dir / "blocks").glob("*/*.block")))
        spans = len(made.rows)
        parquet, lines = folder / "spans.parquet", folder / "traces.jsonl"
        said = export(binary, data_dir, "-o", parquet)
        same(f"{TRACES} traces, {spans} spans" in said, True, said)
        export(binary, data_dir, "-o", lines, "--format", "otlp-json")
        export(binary, data_dir, "-o", f"{folder}/spans/")
        same(len(list((folder / "spans").glob("*.parquet"))), len(blocks), "files")
    except Exception:
        server.print_log()
        raise
    finally:
        server.kill()
    for name, read, path in [
        (f"pyarrow {pyarrow.__version__}", by_pyarrow, parquet),
        (f"pandas {pandas.__version__}", by_pandas, parquet),
        (f"DuckDB {duckdb.__version__}", by_duckdb, parquet),
        (f"DuckDB {duckdb.__version__}, a folder", by_duckdb, folder / "spans" / "*.parquet"),
        ("OTLP JSON lines", by_lines, lines),
        ("the examples of docs/EXPORT.md", by_examples, folder),
    ]:
        checks(name, lambda: read(path, made))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--spanloom", required=True)
    parser.add_argument("--result", required=True, type=pathlib.Path)
    arguments = parser.parse_args()
    counts = [0, 0]

    def checks(name, check):
        try:
            check()
        except Exception as problem:  # whatever it is, the check failed and the next one runs
            counts[1] += 1
            print(f"FAILED {name}: {problem}", flush=True)
        else:
            counts[0] += 1
            print(f"ok     {name}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        run(arguments.spanloom, pathlib.Path(folder), checks)
    arguments.result.write_text(f"{counts[0]} {counts[1]}\n")
    sys.exit(1 if counts[1] else 0)


if __name__ == "__main__":
    main()
