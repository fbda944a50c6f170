#pragma once
#include "dense.h"
#include "pool.h"
#include "softmax.h"

namespace limelight {
namespace {

/// keys [count, units] as columns [units, roundUp16(count)], each number times `scale`; zeros beyond the last event.
inline void transposeKeys(const float* keys, int count, int units, float scale, float* columns) {
  const int padded = roundUp16(count);
  const Vec factor = Vec::of(scale);
  for (int e = 0; e < padded; e += Vec::lanes) {
    for (int u = 0; u < units; u += Vec::lanes) {
      const int n = lesser(Vec::lanes, units - u);
      Vec block[Vec::lanes];
      for (int l = 0; l < Vec::lanes; l++) {
        block[l] = e + l < count ? Vec::load(keys + (e + l) * units + u, n) * factor : Vec::zero();
      }
      transpose(block);
      for (int l = 0; l < n; l++) block[l].store(columns + (u + l) * padded + e);
    }
  }
}

/// Rows that share their events, as a request's candidates do: two products, q · κᵀ and weights · k.
inline void attendShared(int rows, const Attention& a, const float* const* q, const float* keys, const float* events,
                         float* scratch, float* const* y) {
  const int count = eventsIn(events, a.length, a.size), padded = roundUp16(count);
  float* weights[Attention::rowsAtOnce];
  for (int i = 0; i < Attention::rowsAtOnce; i++) weights[i] = scratch + i * padded;
  float* beyond = scratch + Attention::rowsAtOnce * padded;
  for (int e = 0; e < padded; e++) beyond[e] = e < count || !a.softmax ? 0.0f : -__builtin_inff();
  float* columns = beyond + padded;
  transposeKeys(keys, count, a.units, 1.0f / __builtin_sqrtf(float(a.units)), columns);
  for (int first = 0; first < rows; first += Attention::rowsAtOnce) {
    const int some = lesser(Attention::rowsAtOnce, rows - first);
    const auto activation = a.softmax ? Activation::linear : Activation::sigmoid;
    dense(some, q + first, a.units, columns, beyond, nullptr, padded, activation, weights);
    if (a.softmax) softmax(some, weights, padded, weights);
    dense(some, weights, count, events, nullptr, nullptr, a.size, Activation::linear, y + first);
  }
}

inline void attend(int rows, const Attention& attention, const float* const* q, const float* const* keys,
                   const float* const* events, float* scratch, float* const* y) {
  for (int from = 0, to = 0; from < rows; from = to) {
    while (to < rows && keys[to] == keys[from] && events[to] == events[from]) to++;
    attendShared(to - from, attention, q + from, keys[from], events[from], scratch, y + from);
  }
}

}  // namespace
}  // namespace limelight
