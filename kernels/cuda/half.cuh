// fp16 storage. On both sides static_cast converts exactly to float, and to the nearest (ties to even) from it.
#pragma once

#ifdef __CUDACC__
#include <cuda_fp16.h>
using Half = __half;
#else
using Half = _Float16;  // g++ 12 or clang 15, and newer
#endif
