// Colours as 32-bit words, 0x00BBGGRR: a pixel's colour is one load, and four of them pack into three words of RGB.
#pragma once

#include <cstdint>

struct Palette {
    const uint32_t* colours;
    int size;  // ids from here on have no colour
};

__host__ __device__ inline uint32_t colour_of(const Palette& palette, uint8_t id) {
    return id < palette.size ? palette.colours[id] : 0;
}

// OpenCV's addWeighted for uint8 (read off 5.0, equal bit for bit on CPUs with fused multiply-add): the colour's
// product is rounded, the image's is not.
__host__ __device__ inline uint32_t blend_channel(uint32_t image, uint32_t colour, float image_weight,
                                                  float colour_weight) {
    const float sum = fmaf(static_cast<float>(image), image_weight, static_cast<float>(colour) * colour_weight);
    return static_cast<uint32_t>(fminf(fmaxf(rintf(sum), 0.0f), 255.0f));
}

__host__ __device__ inline uint32_t blend(uint32_t image, uint32_t colour, float image_weight, float colour_weight) {
    uint32_t result = 0;
    for (int shift = 0; shift < 24; shift += 8) {
        result |= blend_channel(image >> shift & 255, colour >> shift & 255, image_weight, colour_weight) << shift;
    }
    return result;
}
