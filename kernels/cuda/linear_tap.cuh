// OpenCV's INTER_LINEAR for uint8: which two source pixels meet in a target pixel, with 11-bit weights.
//
// Read off OpenCV 5.0 (x86-64 wheel) and equal to it bit for bit. Positions are rounded to float after double
// arithmetic. At the edges columns and rows differ, and so can the last bit of a pixel: a column outside takes the edge
// pixel with the full weight, a row outside takes it twice, with the two weights it would have had.
#pragma once

#include <cstdint>

struct LinearTap {
    int first, second;  // source indices, both valid
    int first_weight, second_weight;  // units of 1/2048
};

// Source pixels a target pixel, rounded twice as OpenCV rounds it; no pair of sizes was found where it shows.
__host__ __device__ inline double resize_scale(int source, int target) {
    return 1.0 / (static_cast<double>(target) / static_cast<double>(source));
}

__host__ __device__ inline LinearTap linear_tap(int target_index, int source, int target, bool is_column) {
    const double position = (target_index + 0.5) * resize_scale(source, target) - 0.5;
    float fraction = static_cast<float>(position);
    int first = static_cast<int>(floorf(fraction));
    fraction -= static_cast<float>(first);
    if (is_column && (first < 0 || first >= source - 1)) fraction = 0.0f;
    const int second = min(max(first + 1, 0), source - 1);
    first = min(max(first, 0), source - 1);
    return {first, second, static_cast<int>(rintf((1.0f - fraction) * 2048.0f)),
            static_cast<int>(rintf(fraction * 2048.0f))};
}
