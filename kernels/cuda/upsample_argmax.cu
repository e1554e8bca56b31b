// Low-resolution logits to class ids at any size: bilinear upsampling and argmax in one pass. Full-resolution logits
// exist one at a time, in a register.
//
//   upsample_argmax_{f32,f16}                logits -> ids
//   upsample_argmax_confidence_{f32,f16}     logits -> ids and the winners' softmax probabilities
//   upsample_argmax_confidence_u8_{f32,f16}  the same, in 255ths, rounded: what a bundle's files give
//
//   logits      (N, classes, height, width), classes 1..256
//   ids         (N, output_height, output_width) uint8
//   confidence  (N, output_height, output_width) float or uint8
//
// Launch: block (32, 4), 4 rows a thread; grid (ceil(output_width / 32), ceil(output_height / 16), N).
// Byte floor: N * (classes * height * width * sizeof(T) + output_height * output_width * (1; with confidence 5 or 2)).
//
// A thread owns a column of 4 pixels. A warp's 32 columns share their rows, so "the source row changed" is the same
// answer in all lanes and the branch never diverges: upsampling by 8 interpolates horizontally once for 4 output rows,
// by 4 once for 2. A warp stores a full 32-byte sector of ids, and 128 or 32 bytes of confidence.
#include <type_traits>

#include "bilinear.cuh"
#include "half.cuh"
#include "winner.cuh"

namespace {

constexpr int kRows = 4;

struct Size {
    int height, width;
};

struct None {};  // no confidence is asked for

__device__ void store(None, int64_t, const Winner&) {}
__device__ void store(float* confidence, int64_t pixel, const Winner& winner) {
    confidence[pixel] = probability(winner);
}
__device__ void store(uint8_t* confidence, int64_t pixel, const Winner& winner) {
    confidence[pixel] = probability_in_255ths(winner);
}

template <class T, class Confidence>
__device__ void upsample_argmax(const T* logits, int classes, Size low, uint8_t* ids, Confidence confidence,
                                Size high) {
    constexpr bool kConfidence = !std::is_same<Confidence, None>::value;
    const int x = blockIdx.x * blockDim.x + threadIdx.x;
    const int top = (blockIdx.y * blockDim.y + threadIdx.y) * kRows;
    if (x >= high.width || top >= high.height) return;

    const Tap column = bilinear_tap(x, low.width, static_cast<float>(low.width) / static_cast<float>(high.width));
    const float scale = static_cast<float>(low.height) / static_cast<float>(high.height);
    Tap rows[kRows];
    for (int i = 0; i < kRows; ++i) rows[i] = bilinear_tap(min(top + i, high.height - 1), low.height, scale);

    Winner winners[kRows];
    const int64_t plane_size = static_cast<int64_t>(low.height) * low.width;
    const T* plane = logits + static_cast<int64_t>(blockIdx.z) * classes * plane_size;
    for (int id = 0; id < classes; ++id, plane += plane_size) {
        float above = 0.0f, below = 0.0f;
        for (int i = 0; i < kRows; ++i) {
            if (i == 0 || rows[i].first != rows[i - 1].first) {
                above = row_value(plane + static_cast<int64_t>(rows[i].first) * low.width, column);
                below = row_value(plane + static_cast<int64_t>(rows[i].second) * low.width, column);
            }
            const float logit = weighted(above, below, rows[i]);
            if (kConfidence) {
                see_with_probability(winners[i], logit, id);
            } else {
                see(winners[i], logit, id);
            }
        }
    }

    int64_t pixel = (static_cast<int64_t>(blockIdx.z) * high.height + top) * high.width + x;
    for (int i = 0; i < kRows && top + i < high.height; ++i, pixel += high.width) {
        ids[pixel] = static_cast<uint8_t>(winners[i].id);
        store(confidence, pixel, winners[i]);
    }
}

}  // namespace

#define UPSAMPLE_ARGMAX_CONFIDENCE(name, T, Confidence)                                                               \
    extern "C" __global__ void upsample_argmax_##name(const T* __restrict__ logits, int classes, int height,          \
                                                      int width, uint8_t* __restrict__ ids,                           \
                                                      Confidence* __restrict__ confidence, int output_height,         \
                                                      int output_width) {                                             \
        upsample_argmax(logits, classes, {height, width}, ids, confidence, {output_height, output_width});            \
    }

#define UPSAMPLE_ARGMAX(type, T)                                                                                      \
    extern "C" __global__ void upsample_argmax_##type(const T* __restrict__ logits, int classes, int height,          \
                                                      int width, uint8_t* __restrict__ ids, int output_height,        \
                                                      int output_width) {                                             \
        upsample_argmax(logits, classes, {height, width}, ids, None{}, {output_height, output_width});                \
    }                                                                                                                 \
    UPSAMPLE_ARGMAX_CONFIDENCE(confidence_##type, T, float)                                                           \
    UPSAMPLE_ARGMAX_CONFIDENCE(confidence_u8_##type, T, uint8_t)

UPSAMPLE_ARGMAX(f32, float)
UPSAMPLE_ARGMAX(f16, Half)
