// One pixel of a resized RGB image, with the roundings of cv2.resize.
#pragma once

#include "area_tap.cuh"
#include "linear_tap.cuh"

struct Image {
    const uint8_t* pixels;  // (height, width, 3)
    int height, width;
};

struct Rgb {
    uint8_t channels[3];
};

__host__ __device__ inline const uint8_t* pixel_at(const Image& image, int y, int x) {
    return image.pixels + (static_cast<int64_t>(y) * image.width + x) * 3;
}

__host__ __device__ inline uint8_t to_uint8(float value) {  // to the nearest, ties to even
    return static_cast<uint8_t>(fminf(fmaxf(rintf(value), 0.0f), 255.0f));
}

// INTER_LINEAR. The 22 bits of weight are dropped in three steps, the first two of them by truncation.
__host__ __device__ inline Rgb linear_pixel(const Image& image, const LinearTap& row, const LinearTap& column) {
    const uint8_t* corners[2][2] = {
        {pixel_at(image, row.first, column.first), pixel_at(image, row.first, column.second)},
        {pixel_at(image, row.second, column.first), pixel_at(image, row.second, column.second)}};
    Rgb result;
    for (int c = 0; c < 3; ++c) {
        const int above = corners[0][0][c] * column.first_weight + corners[0][1][c] * column.second_weight;
        const int below = corners[1][0][c] * column.first_weight + corners[1][1][c] * column.second_weight;
        const int sum = ((row.first_weight * (above >> 4)) >> 16) + ((row.second_weight * (below >> 4)) >> 16);
        result.channels[c] = static_cast<uint8_t>((sum + 2) >> 2);
    }
    return result;
}

// INTER_AREA. The order of the float additions is OpenCV's: along each row, then over the rows.
__host__ __device__ inline Rgb area_pixel(const Image& image, const AreaTap& row, const AreaTap& column) {
    float sum[3] = {};
    for (int j = 0; j < row.count; ++j) {
        const uint8_t* pixel = pixel_at(image, row.first + j, column.first);
        float along_row[3] = {};
        for (int i = 0; i < column.count; ++i, pixel += 3) {
            const float share = weight(column, i);
            for (int c = 0; c < 3; ++c) along_row[c] += static_cast<float>(pixel[c]) * share;
        }
        const float share = weight(row, j);
        for (int c = 0; c < 3; ++c) sum[c] += along_row[c] * share;
    }
    return {{to_uint8(sum[0]), to_uint8(sum[1]), to_uint8(sum[2])}};
}

// INTER_AREA where both factors are whole: integer sums. OpenCV rounds halves up for 2 x 2, to even for all others.
__host__ __device__ inline Rgb box_pixel(const Image& image, int y, int x, int factor_y, int factor_x) {
    int sum[3] = {};
    for (int j = 0; j < factor_y; ++j) {
        const uint8_t* pixel = pixel_at(image, y * factor_y + j, x * factor_x);
        for (int i = 0; i < factor_x; ++i, pixel += 3) {
            for (int c = 0; c < 3; ++c) sum[c] += pixel[c];
        }
    }
    Rgb result;
    const bool two_by_two = factor_y == 2 && factor_x == 2;
    const float share = 1.0f / static_cast<float>(factor_y * factor_x);
    for (int c = 0; c < 3; ++c) {
        result.channels[c] = two_by_two ? static_cast<uint8_t>((sum[c] + 2) >> 2)
                                        : to_uint8(static_cast<float>(sum[c]) * share);
    }
    return result;
}
