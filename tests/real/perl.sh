#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# perl.sh - Perl with hashes, regular expressions, children and pipes between them
# timeout: 240
. "$(dirname "$0")/lib.sh"
needs perl

prepare()
{
	cat > script.pl <<-'END'
		use strict;
		use warnings;
		$| = 1;
		my @readers;
		for my $child (1 .. 3) {
			pipe(my $reader, my $writer) or die;
			defined(my $pid = fork) or die;
			if (!$pid) {
				close $reader;
				my ($x, %seen) = ($child);
				for my $i (1 .. 900000) {
					$x = ($x * 1103515245 + 12345) % 2147483648;
					my $word = sprintf "%x", $x;
					$seen{$1}++ while $word =~ /([a-f]+)/g;
					print $writer "$i $word\n" if $i % 300 == 0;
				}
				print $writer "$_ $seen{$_}\n" for sort keys %seen;
				exit 0;
			}
			close $writer;
			push @readers, [$pid, $reader];
		}
		for my $entry (@readers) {
			my ($pid, $reader) = @$entry;
			my ($lines, $sum) = (0, 0);
			while (<$reader>) {
				$lines++;
				$sum = ($sum * 31 + unpack "%32C*", $_) % 1000000007;
			}
			waitpid $pid, 0;
			print "child: $lines lines, sum $sum, status $?\n";
		}
	END
}

program()
{
	exec perl script.pl
}

real
