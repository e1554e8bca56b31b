// Class ids to colours, with the arithmetic of train/data/palette.py.
//
//   colorize  ids -> RGB; ids without a colour are black
//   overlay   ids blended over an image; ids without a colour keep it
//
//   ids      `pixels` uint8, 4-byte aligned, as are image and rgb
//   colours  `size` words 0x00BBGGRR
//   image, rgb  (pixels, 3) uint8; rgb may not be image
//   image_weight, colour_weight  float(1 - alpha) and float(alpha), of the double alpha
//
// Launch: block (256, 1), 4 pixels a thread; grid (ceil(pixels / 1024), 1, 1).
// Byte floor: 4 bytes a pixel (colorize), 7 (overlay). Four pixels are one word of ids and three words of RGB, so all
// traffic but the last 1..3 pixels' is whole words; the palette is 1 KiB at most and stays in L1.
#include "palette.cuh"

namespace {

constexpr int kPixels = 4;

struct Quad {
    uint32_t colours[kPixels];
};

__device__ Quad load_quad(const uint8_t* rgb, int64_t pixel) {
    const uint32_t* words = reinterpret_cast<const uint32_t*>(rgb + pixel * 3);
    const uint32_t a = words[0], b = words[1], c = words[2];
    return {{a & 0xffffff, a >> 24 | (b & 0xffff) << 8, b >> 16 | (c & 0xff) << 16, c >> 8}};
}

__device__ void store_quad(uint8_t* rgb, int64_t pixel, const Quad& quad) {
    uint32_t* words = reinterpret_cast<uint32_t*>(rgb + pixel * 3);
    words[0] = quad.colours[0] | quad.colours[1] << 24;
    words[1] = quad.colours[1] >> 8 | quad.colours[2] << 16;
    words[2] = quad.colours[2] >> 16 | quad.colours[3] << 8;
}

__device__ uint32_t load_pixel(const uint8_t* rgb, int64_t pixel) {
    rgb += pixel * 3;
    return rgb[0] | rgb[1] << 8 | rgb[2] << 16;
}

__device__ void store_pixel(uint8_t* rgb, int64_t pixel, uint32_t colour) {
    for (int c = 0; c < 3; ++c) rgb[pixel * 3 + c] = static_cast<uint8_t>(colour >> 8 * c);
}

__device__ int64_t my_first_pixel() {
    return (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * kPixels;
}

struct Overlay {
    Palette palette;
    float image_weight, colour_weight;
    __device__ uint32_t operator()(uint8_t id, uint32_t image) const {
        return id < palette.size ? blend(image, palette.colours[id], image_weight, colour_weight) : image;
    }
};

}  // namespace

extern "C" __global__ void colorize(const uint8_t* __restrict__ ids, const uint32_t* __restrict__ colours, int size,
                                    uint8_t* __restrict__ rgb, int64_t pixels) {
    const Palette palette{colours, size};
    const int64_t first = my_first_pixel();
    if (first + kPixels <= pixels) {
        const uint32_t word = *reinterpret_cast<const uint32_t*>(ids + first);
        Quad quad;
        for (int i = 0; i < kPixels; ++i) quad.colours[i] = colour_of(palette, static_cast<uint8_t>(word >> 8 * i));
        store_quad(rgb, first, quad);
    } else {
        for (int64_t pixel = first; pixel < pixels; ++pixel) store_pixel(rgb, pixel, colour_of(palette, ids[pixel]));
    }
}

extern "C" __global__ void overlay(const uint8_t* __restrict__ ids, const uint32_t* __restrict__ colours, int size,
                                   const uint8_t* __restrict__ image, uint8_t* __restrict__ rgb, int64_t pixels,
                                   float image_weight, float colour_weight) {
    const Overlay over{{colours, size}, image_weight, colour_weight};
    const int64_t first = my_first_pixel();
    if (first + kPixels <= pixels) {
        const uint32_t word = *reinterpret_cast<const uint32_t*>(ids + first);
        Quad quad = load_quad(image, first);
        for (int i = 0; i < kPixels; ++i) {
            quad.colours[i] = over(static_cast<uint8_t>(word >> 8 * i), quad.colours[i]);
        }
        store_quad(rgb, first, quad);
    } else {
        for (int64_t pixel = first; pixel < pixels; ++pixel) {
            store_pixel(rgb, pixel, over(ids[pixel], load_pixel(image, pixel)));
        }
    }
}
