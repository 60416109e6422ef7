#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# bash.sh - a shell script with pipelines, background jobs, subshells, process substitution and traps
# timeout: 240
. "$(dirname "$0")/lib.sh"
needs bash awk sort

prepare()
{
	cat > script <<-'END'
		set -u
		trap 'echo "signal came"' USR1
		trap 'echo "the end"' EXIT
		count() { seq "$1" "$2" | awk '{ s += $1 * NR % 97 } END { print s }'; }
		# Background jobs, each a pipeline that takes its time.
		for job in 1 2 3 4; do
			(
				for i in $(seq 20); do
					count $((job * i)) $((job * i + 500))
					sleep 0.02
				done | sort -n | sed "s/^/job $job: /" > "out.$job"
			) &
		done
		# In the meantime the foreground works on a here-document and a process substitution.
		total=0
		while read -r number; do
			total=$((total + number))
			read -r other < <(count "$number" $((number + 100)))
			total=$((total + other))
		done < <(for i in $(seq 40); do echo "$i"; sleep 0.02; done)
		echo "total $total"
		coproc upper { while read -r line; do echo "${line^^}"; done; }
		for word in now is the time; do
			echo "$word" >&"${upper[1]}"
			read -r answer <&"${upper[0]}"
			echo "$answer"
		done
		exec {write}>&"${upper[1]}"-
		kill -USR1 $$
		tr a-z A-Z <<< "a here-string"
		wait %1 %2 %3 %4
		echo "jobs ended with $?"
		cat out.[1-4]
		exec {write}>&-
		seq 100000 | sort -rn | head -n 3 | tail -n 1
	END
}

program()
{
	exec bash script
}

real
