#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# manual.sh - the manual page names every command and every option that there is
set -u
page=$TESTS/../man/dunlin.1
wrong=0

complain() {
	echo "FAILED: $*"
	wrong=1
}

commands=$("$DUNLIN" --help | awk '/^Commands:/ { on = 1; next } on && /^  [a-z]/ { print $1 }')
[ "$(wc -w <<<"$commands")" -ge 5 ] || complain "dunlin --help names only: $commands"
for command in $commands; do
	grep -q "^\.It Cm $command\b" "$page" || complain "the manual page does not describe dunlin $command"
	options=$("$DUNLIN" "$command" --help | grep -oE '^ +(-., +)?--[a-z-]+' | grep -oE -- '--[a-z-]+')
	[ -n "$options" ] || complain "dunlin $command --help names no options"
	for option in $options; do
		[ "$option" != --usage ] || continue
		grep -qE -- "[, l] \\\\-${option#--}( |$)" "$page" || complain "the manual page lacks $option of dunlin $command"
	done
done
exit $wrong
