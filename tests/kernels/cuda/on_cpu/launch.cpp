#include "launch.h"

#include <cstring>
#include <tuple>
#include <type_traits>

#include "kernels/cuda/colorize.cu"
#include "kernels/cuda/preprocess.cu"
#include "kernels/cuda/upsample_argmax.cu"

namespace {

template <class Work>
void run_blocks(Work work, Index first_block, Index grid, Index block) {
    blockDim = block;
    for (blockIdx.z = first_block.z; blockIdx.z < grid.z; ++blockIdx.z)
        for (blockIdx.y = first_block.y; blockIdx.y < grid.y; ++blockIdx.y)
            for (blockIdx.x = first_block.x; blockIdx.x < grid.x; ++blockIdx.x)
                for (threadIdx.z = 0; threadIdx.z < block.z; ++threadIdx.z)
                    for (threadIdx.y = 0; threadIdx.y < block.y; ++threadIdx.y)
                        for (threadIdx.x = 0; threadIdx.x < block.x; ++threadIdx.x) work();
}

template <auto kKernel>
struct Binding;

template <class... Args, void (*kKernel)(Args...)>
struct Binding<kKernel> {
    static BoundKernel of(void** arguments) {
        BoundKernel bound;
        const auto values = copy(arguments, bound, std::index_sequence_for<Args...>());
        bound.run = [values](Index first_block, Index grid, Index block) {
            run_blocks([&values] { std::apply(kKernel, values); }, first_block, grid, block);
        };
        return bound;
    }

    template <std::size_t... kIndex>
    static std::tuple<Args...> copy(void** arguments, BoundKernel& bound, std::index_sequence<kIndex...>) {
        (note_pointer(*static_cast<Args*>(arguments[kIndex]), bound), ...);
        return {*static_cast<Args*>(arguments[kIndex])...};
    }

    template <class Arg>
    static void note_pointer(const Arg& value, BoundKernel& bound) {
        if constexpr (std::is_pointer_v<Arg>) bound.pointers.push_back(value);
    }
};

struct Kernel {
    const char* name;
    BoundKernel (*bind)(void** arguments);
};

#define KERNEL(name) {#name, Binding<name>::of}
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

const Kernel* find(const char* name) {
    for (const Kernel& kernel : kKernels) {
        if (std::strcmp(kernel.name, name) == 0) return &kernel;
    }
    return nullptr;
}

}  // namespace

bool is_kernel(const char* name) { return find(name) != nullptr; }
BoundKernel bind_kernel(const char* name, void** arguments) { return find(name)->bind(arguments); }

// Runs the blocks from `first_block` on; returns 0, or 1 if there is no such kernel.
extern "C" int launch(const char* name, Index first_block, Index grid, Index block, void** arguments) {
    if (!is_kernel(name)) return 1;
    bind_kernel(name, arguments).run(first_block, grid, block);
    return 0;
}
