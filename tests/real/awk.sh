#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# awk.sh - awk, both of Debian's, with arrays, a command to read from and one to write to
# timeout: 240
. "$(dirname "$0")/lib.sh"
needs mawk gawk sort

prepare()
{
	cat > script.awk <<-'END'
		BEGIN {
			x = 7
			for (i = 0; i < 400000; i++) {
				x = (x * 16807) % 2147483647
				word = substr("abcdefghijklmnopqrstuvwxyz", 1 + x % 20, 1 + x % 5)
				count[word]++
				if (i % 1000 == 0)
					line[i / 1000] = line[i / 1000] word " " i
				gsub(/[aeiou]/, "-", word)
				dashes += word ~ /^-/
			}
			while (("seq 1 50000" | getline number) > 0)
				sum += number
			print "sum", sum, "dashes", dashes
			for (word in count)
				print word, count[word] | "sort"
			close("sort")
			for (i = 0; i < 400; i++)
				print line[i]
		}
	END
}

program()
{
	mawk -f script.awk && exec gawk -f script.awk
}

real
