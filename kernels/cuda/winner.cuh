// Argmax and softmax in one pass over the classes of a pixel.
//
// The first maximum wins, and a NaN is above everything, as in NumPy and torch. The winner's softmax probability is NaN
// where the winner is not finite, as torch's softmax gives it.
#pragma once

struct Winner {
    float logit = -INFINITY;
    float denominator = 0.0f;  // sum of exp(logit of class - logit of winner), over the classes seen
    int id = 0;
};

__host__ __device__ inline bool beats(float logit, const Winner& winner) {
    return !(logit <= winner.logit) && winner.logit == winner.logit;
}

__host__ __device__ inline void see(Winner& winner, float logit, int id) {
    if (beats(logit, winner)) {
        winner.logit = logit;
        winner.id = id;
    }
}

__host__ __device__ inline void see_with_probability(Winner& winner, float logit, int id) {
    const bool wins = beats(logit, winner);
    const float gap = wins ? winner.logit - logit : logit - winner.logit;
    // -inf adds nothing; beside a winner that is itself still -inf the gap would be NaN.
    const float ratio = logit == -INFINITY ? 0.0f : expf(gap);
    winner.denominator = wins ? winner.denominator * ratio + 1.0f : winner.denominator + ratio;
    winner.logit = wins ? logit : winner.logit;
    winner.id = wins ? id : winner.id;
}

__host__ __device__ inline float probability(const Winner& winner) {
    const float nan_unless_finite = winner.logit - winner.logit;
    return 1.0f / winner.denominator + nan_unless_finite;
}

// Rounded to even, as ONNX's Round; 0 where the probability is NaN.
__host__ __device__ inline uint8_t probability_in_255ths(const Winner& winner) {
    const float nan_unless_finite = winner.logit - winner.logit;
    return static_cast<uint8_t>(fmaxf(rintf(255.0f / winner.denominator + nan_unless_finite), 0.0f));
}
