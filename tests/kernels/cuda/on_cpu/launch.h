// cuLaunchKernel's contract on the CPU: a kernel's name, the grid, the block, and pointers to the arguments.
#pragma once

#include <functional>
#include <vector>

// All blocks from the first one on, to be run when it is called; the arguments are those of the time it was made.
struct BoundKernel {
    std::function<void(Index first_block, Index grid, Index block)> run;
    std::vector<const void*> pointers;  // among the arguments
};

bool is_kernel(const char* name);
BoundKernel bind_kernel(const char* name, void** arguments);
