#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# install.sh - what `make install` installs works from there: command, library, header, manual page
set -eu

fail() {
	echo "FAILED: $*"
	exit 1
}

prefix=$(meson introspect "$BUILD" --buildoptions | sed 's/},/},\n/g' |
	sed -n 's/.*"name": "prefix", "value": "\([^"]*\)".*/\1/p')
DESTDIR=$FOLDER/root meson install -C "$BUILD" --no-rebuild --quiet
root=$FOLDER/root$prefix

"$root/bin/dunlin" --version | grep -q '^dunlin [0-9]' || fail "the installed command does not tell its version"
man=$(find "$root" -name dunlin.1)
[ -s "$man" ] || fail "no manual page"

# Only what the export map names leaves the library.
library=$(find "$root" -name 'libdunlin.so.*.*')
nm -D --defined-only "$library" | awk '$2 == "T" { sub(/@.*/, "", $3); print $3 }' | sort >"$FOLDER/exported"
sed -n 's/^\t\(dn_[a-z_]*\);$/\1/p' "$TESTS/../src/libdunlin.map" | sort >"$FOLDER/wanted"
diff "$FOLDER/wanted" "$FOLDER/exported" || fail "the library exports other symbols than its map says"
# And every public function is declared in the header.
while read -r name; do
	grep -qw "$name" "$root/include/dunlin.h" || fail "$name is exported and not in dunlin.h"
done <"$FOLDER/wanted"

cat >"$FOLDER/user.c" <<'END'
#include <dunlin.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
	struct dn_error err = { 0 };
	int r = dn_verify("/nonexistent/image", NULL, &err);

	if (r >= 0 || err.outcome != DN_OUTCOME_FAILED || !strstr(err.text, "/nonexistent/image"))
		return 1;
	printf("%s\n", dn_version());
	return 0;
}
END
gcc -Wall -Wextra -Werror -std=c11 -I"$root/include" "$FOLDER/user.c" -o "$FOLDER/user" -L"$(dirname "$library")" -ldunlin
LD_LIBRARY_PATH=$(dirname "$library") "$FOLDER/user" >"$FOLDER/said" 2>&1 || fail "a program that uses the library fails"
[ "dunlin $(cat "$FOLDER/said")" = "$("$root/bin/dunlin" --version)" ] || fail "library and command differ in version, or print"
