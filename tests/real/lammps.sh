#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# lammps.sh - LAMMPS alone, as Debian packages it: with MPI, which starts a daemon, sockets and shared memory
# timeout: 300
. "$(dirname "$0")/lib.sh"
needs lmp

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

prepare()
{
	sed 's/^run.*/run 2500/' /usr/share/lammps/examples/melt/in.melt > in.melt
	echo 'write_dump all custom final.dump id x y z vx vy vz modify sort id format float %.17g' >> in.melt
}

program()
{
	exec lmp -in in.melt -log none
}

result()
{
	cat final.dump
}

real
