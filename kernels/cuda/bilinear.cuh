// torch.nn.functional.interpolate(mode="bilinear", align_corners=False): half-pixel centres, edge clamped.
//
// Fused where torch's CPU build for AVX2 fuses, so that results agree with it to the last bit or two. Every operation
// is monotone in the logits: a class that is below another at all four corners is never above it in between, and
// equal corners give equal values. The argmax relies on both.
#pragma once

#include <cstdint>

struct Tap {
    int first, second;  // source indices; equal at the far edge
    float first_weight, second_weight;
};

__host__ __device__ inline Tap bilinear_tap(int target, int source_size, float scale) {
    const float position = fmaxf(fmaf(scale, static_cast<float>(target) + 0.5f, -0.5f), 0.0f);
    const int first = min(static_cast<int>(position), source_size - 1);
    const float weight = fminf(position - static_cast<float>(first), 1.0f);
    return {first, min(first + 1, source_size - 1), 1.0f - weight, weight};
}

__host__ __device__ inline float weighted(float first, float second, const Tap& tap) {
    return fmaf(first, tap.first_weight, second * tap.second_weight);
}

template <class T>
__host__ __device__ inline float row_value(const T* row, const Tap& column) {
    return weighted(static_cast<float>(row[column.first]), static_cast<float>(row[column.second]), column);
}
