#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# lammps_mpi.sh - LAMMPS on two ranks, mpirun and all: pseudo-terminals, connections, shared memory
# timeout: 300
. "$(dirname "$0")/lib.sh"
needs lmp mpirun
refusals=3 # while the ranks are started and connect

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

prepare()
{
	sed 's/^run.*/run 2000/' /usr/share/lammps/examples/melt/in.melt > in.melt
	echo 'write_dump all custom final.dump id x y z vx vy vz modify sort id format float %.17g' >> in.melt
}

program()
{
	exec mpirun -n 2 --oversubscribe --mca mpi_yield_when_idle 1 lmp -in in.melt -log none
}

result()
{
	cat final.dump
}

real
