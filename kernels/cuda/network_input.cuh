// Where and as what a resized pixel goes into the network's input.
#pragma once

#include <cstdint>

#include "half.cuh"
#include "resize.cuh"

struct Normalisation {
    float mean[3], std[3];  // units of 0..255
};

// The same two operations as the network's own normalisation in PyTorch.
__host__ __device__ inline float normalised(const Rgb& rgb, int c, const Normalisation& normalisation) {
    return (static_cast<float>(rgb.channels[c]) - normalisation.mean[c]) / normalisation.std[c];
}

template <class T>
struct Nchw {
    T* output;  // (3, height, width)
    int64_t plane_size;

    __host__ __device__ void store(int64_t pixel, const Rgb& rgb, const Normalisation& normalisation) const {
        for (int c = 0; c < 3; ++c) {
            output[c * plane_size + pixel] = static_cast<T>(normalised(rgb, c, normalisation));
        }
    }
};

template <class T>
struct Nhwc {
    T* output;  // (height, width, 3)
    int64_t plane_size;

    __host__ __device__ void store(int64_t pixel, const Rgb& rgb, const Normalisation& normalisation) const {
        for (int c = 0; c < 3; ++c) output[pixel * 3 + c] = static_cast<T>(normalised(rgb, c, normalisation));
    }
};

// Left as it is: graphs that normalise for themselves take this.
template <>
struct Nhwc<uint8_t> {
    uint8_t* output;
    int64_t plane_size;

    __host__ __device__ void store(int64_t pixel, const Rgb& rgb, const Normalisation&) const {
        for (int c = 0; c < 3; ++c) output[pixel * 3 + c] = rgb.channels[c];
    }
};
