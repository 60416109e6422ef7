#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# raxml.sh - RAxML with two threads looks for the best tree of 25 species
# timeout: 240
. "$(dirname "$0")/lib.sh"
raxml=raxmlHPC-PTHREADS-SSE3
grep -qw avx /proc/cpuinfo && raxml=raxmlHPC-PTHREADS-AVX
needs "$raxml"
data=/usr/share/doc/examl/testData/49.gz
if [ ! -f "$data" ]; then # where documentation is not installed, straight from the package
	(cd "$FOLDER" && apt-get download -qq examl && dpkg-deb -x examl_*.deb .) > /dev/null 2>&1
	data=$FOLDER$data
	[ -f "$data" ] || {
		echo "skipped: the data of package examl is not there"
		exit 77
	}
fi
export raxml

prepare()
{
	# Its threads wait for one another by spinning: with all 49 species it takes minutes where others run too.
	gzip -dc "$data" | awk 'NR == 1 { print 25, $2; next } NR <= 26' > 25.phy
}

program()
{
	exec "$raxml" -T 2 -m GTRGAMMA -p 12345 -s 25.phy -n test
}

result()
{
	cat RAxML_bestTree.test RAxML_parsimonyTree.test
	sed -n '/^Final GAMMA-based Score/p' RAxML_info.test
}

real
