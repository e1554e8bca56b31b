// cuLaunchKernel's contract on the CPU: a kernel's name, the grid, the block, and pointers to the arguments.
#include <cstring>
#include <utility>

#include "kernels/cuda/colorize.cu"
#include "kernels/cuda/preprocess.cu"
#include "kernels/cuda/upsample_argmax.cu"

namespace {

template <auto kKernel>
struct Call;

template <class... Args, void (*kKernel)(Args...)>
struct Call<kKernel> {
    static void with(void** arguments) { expand(arguments, std::index_sequence_for<Args...>()); }

    template <std::size_t... kIndex>
    static void expand(void** arguments, std::index_sequence<kIndex...>) {
        kKernel(*static_cast<Args*>(arguments[kIndex])...);
    }
};

struct Kernel {
    const char* name;
    void (*call)(void** arguments);
};

#define KERNEL(name) {#name, Call<name>::with}
#define PREPROCESS_KERNELS(format) \
    KERNEL(preprocess_linear_##format), KERNEL(preprocess_area_##format), KERNEL(preprocess_box_##format)

const Kernel kKernels[] = {
    KERNEL(upsample_argmax_f32),
    KERNEL(upsample_argmax_f16),
    KERNEL(upsample_argmax_confidence_f32),
    KERNEL(upsample_argmax_confidence_f16),
    KERNEL(upsample_argmax_confidence_u8_f32),
    KERNEL(upsample_argmax_confidence_u8_f16),
    KERNEL(linear_taps),
    KERNEL(area_taps),
    PREPROCESS_KERNELS(nhwc_u8),
    PREPROCESS_KERNELS(nhwc_f32),
    PREPROCESS_KERNELS(nhwc_f16),
    PREPROCESS_KERNELS(nchw_f32),
    PREPROCESS_KERNELS(nchw_f16),
    KERNEL(colorize),
    KERNEL(overlay),
};

void run_block(const Kernel& kernel, void** arguments) {
    for (threadIdx.z = 0; threadIdx.z < blockDim.z; ++threadIdx.z)
        for (threadIdx.y = 0; threadIdx.y < blockDim.y; ++threadIdx.y)
            for (threadIdx.x = 0; threadIdx.x < blockDim.x; ++threadIdx.x) kernel.call(arguments);
}

}  // namespace

// Runs the blocks from `first_block` on; returns 0, or 1 if there is no such kernel.
extern "C" int launch(const char* name, Index first_block, Index grid, Index block, void** arguments) {
    for (const Kernel& kernel : kKernels) {
        if (std::strcmp(kernel.name, name) != 0) continue;
        blockDim = block;
        for (blockIdx.z = first_block.z; blockIdx.z < grid.z; ++blockIdx.z)
            for (blockIdx.y = first_block.y; blockIdx.y < grid.y; ++blockIdx.y)
                for (blockIdx.x = first_block.x; blockIdx.x < grid.x; ++blockIdx.x) run_block(kernel, arguments);
        return 0;
    }
    return 1;
}
