#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# sqlite.sh - SQLite writes transactions, with a rollback journal and with a write-ahead log
# timeout: 240
. "$(dirname "$0")/lib.sh"
needs sqlite3

prepare()
{
	local mode
	for mode in delete wal; do
		awk -v mode=$mode 'BEGIN {
			print "PRAGMA journal_mode=" mode "; PRAGMA synchronous=NORMAL;"
			print "CREATE TABLE t (id INTEGER PRIMARY KEY, x INTEGER, text TEXT); CREATE INDEX i ON t (x);"
			x = 1
			for (n = 0; n < 80; n++) {
				print "BEGIN;"
				for (i = 0; i < 500; i++) {
					x = (x * 16807) % 2147483647
					print "INSERT INTO t (x, text) VALUES (" x ", hex(" x ") || \"-" i "\");"
				}
				print "UPDATE t SET x = x + 1 WHERE id % 7 = " n % 7 "; DELETE FROM t WHERE id % 1000 = " n ";"
				print "COMMIT;"
			}
		}' > $mode.sql
	done
}

program()
{
	sqlite3 delete.db < delete.sql && exec sqlite3 wal.db < wal.sql
}

result()
{
	local mode
	for mode in delete wal; do
		sqlite3 $mode.db "PRAGMA integrity_check; SELECT count(*), sum(x), max(id) FROM t;" || return
		sqlite3 $mode.db .dump | sha256sum
	done
}

real
