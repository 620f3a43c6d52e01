#pragma once
#define OMPI_SKIP_MPICXX 1
#include <mpi.h>

// Values that mpi.h defines by macros with casts, which Swift does not import.

static inline MPI_Comm seed_mpi_world(void) { return MPI_COMM_WORLD; }
static inline MPI_Datatype seed_mpi_byte(void) { return MPI_BYTE; }
static inline MPI_Datatype seed_mpi_float(void) { return MPI_FLOAT; }
static inline void *seed_mpi_in_place(void) { return MPI_IN_PLACE; }
static inline MPI_Request seed_mpi_no_request(void) { return MPI_REQUEST_NULL; }
static inline MPI_Errhandler seed_mpi_errors_return(void) { return MPI_ERRORS_RETURN; }
static inline int seed_mpi_test(MPI_Request *request, int *done) { return MPI_Test(request, done, MPI_STATUS_IGNORE); }
