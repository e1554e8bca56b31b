// Pictures to the network's input: resized as train/data/resize.py does it with OpenCV, bit for bit, then normalised.
//
//   linear_taps, area_taps          the tables of one axis; once for each pair of sizes
//   preprocess_{linear,area,box}_{nhwc_u8,nhwc_f32,nhwc_f16,nchw_f32,nchw_f16}
//
//   image    (N, height, width, 3) uint8 RGB
//   rows     output_height taps (linear_tap.cuh, area_tap.cuh); columns: output_width taps; box needs none
//   output   (N, output_height, output_width, 3) or (N, 3, output_height, output_width)
//   normalisation  mean and std in units of 0..255, 24 bytes by value; nhwc_u8 ignores it
//
// `launch.resize_mode` says which of the three a pair of sizes needs.
// Launch: taps: block (128, 1), grid (ceil(target / 128), 1, 1). preprocess: block (32, 8), a pixel a thread,
// grid (ceil(output_width / 32), ceil(output_height / 8), N).
// Byte floor: area and box read the image once, linear the lesser of the image and 4 pixels an output pixel; the output
// is written once.
//
// The tables hold what takes fp64, of which edge GPUs have 1/64 of their fp32 rate: in the pixel kernels it would cost
// more than the memory traffic. Neighbouring threads read neighbouring cells of a row, so a cache line that a warp
// fetches for its first channel serves the rest from L1; the three stores of a pixel fill whole lines between them.
#include "network_input.cuh"
#include "resize.cuh"

extern "C" __global__ void linear_taps(LinearTap* __restrict__ taps, int source, int target, int is_column) {
    const int index = blockIdx.x * blockDim.x + threadIdx.x;
    if (index < target) taps[index] = linear_tap(index, source, target, is_column != 0);
}

extern "C" __global__ void area_taps(AreaTap* __restrict__ taps, int source, int target) {
    const int index = blockIdx.x * blockDim.x + threadIdx.x;
    if (index < target) taps[index] = area_tap(index, source, target);
}

namespace {

__device__ Image my_image(const uint8_t* images, int height, int width) {
    return {images + static_cast<int64_t>(blockIdx.z) * height * width * 3, height, width};
}

template <class Layout, class T>
__device__ Layout my_output(T* outputs, int height, int width) {
    const int64_t plane_size = static_cast<int64_t>(height) * width;
    return {outputs + static_cast<int64_t>(blockIdx.z) * plane_size * 3, plane_size};
}

template <class Pixel, class Store>
__device__ void for_my_pixel(int height, int width, Pixel pixel, Store store, const Normalisation& normalisation) {
    const int x = blockIdx.x * blockDim.x + threadIdx.x;
    const int y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= width || y >= height) return;
    store.store(static_cast<int64_t>(y) * width + x, pixel(y, x), normalisation);
}

struct Linear {
    Image image;
    const LinearTap *rows, *columns;
    __device__ Rgb operator()(int y, int x) const { return linear_pixel(image, rows[y], columns[x]); }
};

struct Area {
    Image image;
    const AreaTap *rows, *columns;
    __device__ Rgb operator()(int y, int x) const { return area_pixel(image, rows[y], columns[x]); }
};

struct Box {
    Image image;
    int factor_y, factor_x;
    __device__ Rgb operator()(int y, int x) const { return box_pixel(image, y, x, factor_y, factor_x); }
};

}  // namespace

#define PREPROCESS_BY_TABLE(mode, Mode, format, T, Layout)                                                            \
    extern "C" __global__ void preprocess_##mode##_##format(                                                          \
        const uint8_t* __restrict__ image, int height, int width, const Mode##Tap* __restrict__ rows,                 \
        const Mode##Tap* __restrict__ columns, T* __restrict__ output, int output_height, int output_width,           \
        Normalisation normalisation) {                                                                                \
        for_my_pixel(output_height, output_width, Mode{my_image(image, height, width), rows, columns},                \
                     my_output<Layout<T>>(output, output_height, output_width), normalisation);                       \
    }

#define PREPROCESS(format, T, Layout)                                                                                 \
    PREPROCESS_BY_TABLE(linear, Linear, format, T, Layout)                                                            \
    PREPROCESS_BY_TABLE(area, Area, format, T, Layout)                                                                \
    extern "C" __global__ void preprocess_box_##format(const uint8_t* __restrict__ image, int height, int width,      \
                                                       T* __restrict__ output, int output_height, int output_width,   \
                                                       Normalisation normalisation) {                                 \
        const Box box{my_image(image, height, width), height / output_height, width / output_width};                  \
        for_my_pixel(output_height, output_width, box, my_output<Layout<T>>(output, output_height, output_width),     \
                     normalisation);                                                                                  \
    }

PREPROCESS(nhwc_u8, uint8_t, Nhwc)
PREPROCESS(nhwc_f32, float, Nhwc)
PREPROCESS(nhwc_f16, Half, Nhwc)
PREPROCESS(nchw_f32, float, Nchw)
PREPROCESS(nchw_f16, Half, Nchw)
