#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# openmp_c.sh - a C program with OpenMP: heat in a plate, and a sieve
# timeout: 240
. "$(dirname "$0")/lib.sh"
needs gcc

prepare()
{
	cat > program.c <<-'END'
		#include <stdio.h>
		#include <stdlib.h>

		#define N 700
		static double a[N][N], b[N][N];

		int main(void)
		{
			double sum = 0;
			long primes = 0;
			char *composite = calloc(1, 20000000);

			for (int i = 0; i < N; i++)
				a[i][0] = a[0][i] = i;
			for (int step = 0; step < 4000; step++) {
		#pragma omp parallel for schedule(static)
				for (int i = 1; i < N - 1; i++)
					for (int j = 1; j < N - 1; j++)
						b[i][j] = 0.25 * (a[i - 1][j] + a[i + 1][j] + a[i][j - 1] + a[i][j + 1]);
		#pragma omp parallel for schedule(dynamic, 16)
				for (int i = 1; i < N - 1; i++)
					for (int j = 1; j < N - 1; j++)
						a[i][j] = b[i][j];
				if (step % 500 == 0)
					printf("%d %.17g\n", step, a[N / 2][N / 4]);
			}
			for (int i = 0; i < N; i++)
				for (int j = 0; j < N; j++)
					sum += a[i][j];
			for (long p = 2; p * p < 20000000; p++)
				if (!composite[p])
		#pragma omp parallel for
					for (long q = p * p; q < 20000000; q += p)
						composite[q] = 1;
		#pragma omp parallel for reduction(+ : primes)
			for (long p = 2; p < 20000000; p++)
				primes += !composite[p];
			printf("%.17g %ld\n", sum, primes);
			return 0;
		}
	END
	gcc -O2 -fopenmp -o program program.c
}

# Waiting threads sleep: spinning takes very long where other programs need the processors too.
export OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive

program()
{
	exec ./program
}

real
