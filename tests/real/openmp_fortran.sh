#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# openmp_fortran.sh - a Fortran program with OpenMP: bodies that attract each other
# timeout: 240
. "$(dirname "$0")/lib.sh"
needs gfortran

prepare()
{
	cat > program.f90 <<-'END'
		program bodies
		  use iso_fortran_env, only: real64
		  implicit none
		  integer, parameter :: n = 1200, steps = 240
		  real(real64) :: x(3, n), v(3, n), f(3, n), d(3), r
		  integer :: i, j, step
		  do i = 1, n
		    x(:, i) = [sin(i * 1.1d0), cos(i * 1.7d0), sin(i * 0.3d0 + 1)]
		    v(:, i) = 0
		  end do
		  open (unit=10, file='energies', status='replace')
		  do step = 1, steps
		    !$omp parallel do private(j, d, r) schedule(dynamic, 10)
		    do i = 1, n
		      f(:, i) = 0
		      do j = 1, n
		        if (j == i) cycle
		        d = x(:, j) - x(:, i)
		        r = sqrt(sum(d * d) + 1.0d-2)
		        f(:, i) = f(:, i) + d / r**3
		      end do
		    end do
		    !$omp end parallel do
		    v = v + 1.0d-5 * f
		    x = x + 1.0d-2 * v
		    write (10, '(i5, es25.17)') step, sum(v * v)
		    print '(i5, es25.17)', step, sum(x)
		  end do
		  close (10)
		end program
	END
	gfortran -O2 -fopenmp -o program program.f90
}

export OMP_NUM_THREADS=2

program()
{
	exec ./program
}

result()
{
	cat stdout energies
}

real
