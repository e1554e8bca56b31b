// CUDA's qualifiers and built-in variables for g++: a kernel becomes a function of the thread it is told to be.
// Exact for kernels without shared memory, barriers and warp operations.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#define __global__
#define __host__
#define __device__

using std::max;
using std::min;

struct Index {
    unsigned x, y, z;
};

inline Index blockIdx, blockDim, threadIdx;
