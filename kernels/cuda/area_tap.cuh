// OpenCV's INTER_AREA: the run of source pixels under a target pixel, and the share of each.
//
// Read off OpenCV 5.0 (x86-64 wheel) and equal to it bit for bit: shares are computed in double and rounded to float,
// and a pixel that is covered by less than 1/1000 is left out.
#pragma once

#include "linear_tap.cuh"

struct AreaTap {
    int first, count;  // source indices first .. first + count - 1
    float first_weight, inner_weight, last_weight;
};

__host__ __device__ inline AreaTap area_tap(int target_index, int source, int target) {
    constexpr double kNegligible = 1e-3;
    const double scale = resize_scale(source, target);
    const double begin = target_index * scale;
    const double end = begin + scale;
    const double extent = fmin(scale, source - begin);
    const int whole_end = min(static_cast<int>(floor(end)), source - 1);
    const int whole_begin = min(static_cast<int>(ceil(begin)), whole_end);
    const bool has_head = whole_begin - begin > kNegligible;
    const bool has_tail = end - whole_end > kNegligible;

    const float inner = static_cast<float>(1.0 / extent);
    const float head = has_head ? static_cast<float>((whole_begin - begin) / extent) : inner;
    const float tail = has_tail ? static_cast<float>(fmin(fmin(end - whole_end, 1.0), extent) / extent) : inner;
    const int count = whole_end - whole_begin + has_head + has_tail;
    const bool only_tail = has_tail && count == 1;
    return {whole_begin - has_head, count, only_tail ? tail : head, inner, tail};
}

__host__ __device__ inline float weight(const AreaTap& tap, int index) {
    if (index == 0) return tap.first_weight;
    return index == tap.count - 1 ? tap.last_weight : tap.inner_weight;
}
