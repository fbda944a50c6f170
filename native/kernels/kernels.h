#pragma once
#include <cstddef>
#include <cstdint>

// The kernels of the native engine: one table of functions an instruction set, chosen once at run time (isa.h).
// Nothing here allocates, checks its arguments or knows of models; `engine/` does.

namespace limelight {

enum class Activation : uint8_t { linear, relu, sigmoid, doubleSigmoid };  // doubleSigmoid is 2σ(x)

/// How the numbers of a matrix product's operands are stored.
enum class Format : uint8_t {
  f32,
  bf16,
  /// Two bf16 numbers a value, high and low part: products as hi·hi + hi·lo + lo·hi.
  split,
  /// Unsigned bytes: x ≈ (q − zero) / inverseScale, with a scale a column; weights are signed bytes.
  u8,
};

// The left operand (activations) lies in tiles of 16 rows by 64 bytes, row tiles outermost:
//   number (row, k) of a value of `kTiles` tiles is in tile (row / 16) · kTiles + k / tileNumbers(format),
//   at byte (row % 16) · 64 + (k % tileNumbers) · bytes a number.
// A `split` tile is two tiles, 2,048 bytes: the high parts, then the low parts. Columns beyond the value's width hold 0
// (u8: any number; their weights are 0). Rows beyond the last may hold anything finite.
constexpr int tileRows = 16;
constexpr int tileRowBytes = 64;
constexpr int tileNumbers(Format format) { return format == Format::f32 ? 16 : format == Format::u8 ? 64 : 32; }
constexpr size_t tileBytes(Format format) { return format == Format::split ? 2048 : 1024; }
constexpr int tilesFor(Format format, int width) { return (width + tileNumbers(format) - 1) / tileNumbers(format); }
constexpr int roundUp16(int n) { return (n + 15) & ~15; }

/// Where a kernel writes columns of tiles: a value's tiles, from column `column` (a multiple of 16) on.
struct TileTarget {
  std::byte* tiles = nullptr;
  Format format = Format::f32;
  int kTiles = 0;  // of the whole value: the distance between row tiles
  int column = 0;
  const float* inverseScales = nullptr;  // u8 only, [width written]: q = clamp(round(x · inverseScale) + zero, 0, 255)
  int zero = 0;                          // u8 only: 0 for values never negative, else 128
};

/// One left operand times one right operand.
struct MatrixTerm {
  const std::byte* a = nullptr;  // tiles of the first row tile
  const std::byte* b = nullptr;  // as `packWeights` lays it out
  int kTiles = 0;
  Format format = Format::f32;
};

/// y = act(scale ∘ Σ_{u8 terms} A·B + Σ_{other terms} A·B + bias + added), for 16 · rowTiles rows.
struct MatrixProduct {
  static constexpr int maxTerms = 8;
  MatrixTerm terms[maxTerms];
  int termCount = 0;
  int columns = 0;               // a multiple of 16
  const float* bias = nullptr;   // [columns] or none; the u8 terms' zero points are already in it
  const float* scale = nullptr;  // [columns], of the u8 terms' integer sums; with one u8 term at most
  const float* const* added = nullptr;  // [rows] pointers to [columns] numbers each, or none
  const uint16_t* const* addedBf16 = nullptr;  // the same of bf16 numbers, which are added too
  Activation activation = Activation::linear;
  int rows = 0;      // rows written to `out`; tiles are written in whole row tiles
  float* out = nullptr;  // [rows, outStride] or none
  int outStride = 0;
  TileTarget tiles[2];  // of which `tileTargets` are used
  int tileTargets = 0;
  /// What will be read after this product, asked for on the way, a little with each block: where its first cache line is plus
  /// how many follow, 63 at most.
  const uintptr_t* later = nullptr;
  int laterCount = 0;
};

struct MatrixKernels {
  /// Whether products of a format run here at all; f32 always does.
  bool (*supports)(Format format);
  /// Bytes of a packed right operand of `k` × `n`.
  size_t (*packedBytes)(Format format, int k, int n);
  /// Packs w [k, n] (row stride `stride` numbers) for products. u8: `rowScale[k]` multiplies each row first (1 / the input's
  /// inverse scale), each column is then scaled to ±127 and `columnScale[n]` set so that integer sums · columnScale are
  /// right; `columnSum[n]` is Σ_k of the packed integers · columnScale, for the zero point.
  void (*packWeights)(Format format, const float* w, int k, int n, size_t stride, const float* rowScale, std::byte* out,
                      float* columnScale, float* columnSum);
  /// The same for f32, bf16 and split only, made for speed: once a request.
  void (*packRows)(Format format, const float* w, int k, int n, size_t stride, std::byte* out);
  void (*product)(const MatrixProduct& product);
  /// Called once a thread before `product` (tile configuration) and after.
  void (*begin)();
  void (*end)();
  /// Does `rounds` rounds of a format's multiply-adds on registers alone and returns how many multiply-adds these were: the
  /// peak that `product` is held against (rates.h).
  uint64_t (*multiplyAdds)(Format format, uint64_t rounds);
};

/// A table of embeddings, row-major.
struct Table {
  const float* values;
  int size;
};

/// y = Σ_i a_i·k_i over the events k_i that are there, 0 without any; a = softmax(s) or σ(s), s_i = ⟨q, κ_i⟩ / √units.
struct Attention {
  static constexpr int rowsAtOnce = 32;
  int length, units, size;  // q [units], κ [length, units], k [length, size]
  bool softmax;             // else sigmoid
  /// Numbers of scratch memory.
  size_t scratch() const { return size_t(rowsAtOnce + 1 + units) * roundUp16(length); }
};

// Rows are given as arrays of pointers, so that a value may be one row for all, a block of rows, or lie in cached records.
struct RowKernels {
  // --- gathers. `to[i] + offset` is where row i's numbers go; ids are known to lie inside the table.
  void (*gather)(int rows, const int32_t* ids, Table table, float* const* to, int offset);
  /// The same to columns of tiles; for tables of whole vectors of 16.
  void (*gatherToTiles)(int rows, const int32_t* ids, Table table, const TileTarget& tiles);
  /// Lists: ids[offsets[i] .. offsets[i + 1]), none is row 0; mean or sum.
  void (*gatherLists)(int rows, const int32_t* offsets, const int32_t* ids, bool mean, Table table, float* const* to,
                      int offset);
  /// Lists whose items stay apart: item e of row i goes to `to[i] + offset + e · stride`, zeros beyond the last up to `length`.
  void (*gatherSequence)(int rows, const int32_t* offsets, const int32_t* ids, Table table, int length, int stride,
                         float* const* to, int offset);
  // --- fields
  /// y_f = mean_d x_fd
  void (*means)(int rows, const float* const* x, const int* sizes, int fields, float* const* y);
  /// y_fd = g_f · x_fd, to rows (`out`, or none) and to tiles (or none). x is f32, or bf16 if `xIsBf16`.
  void (*gate)(int rows, const void* const* x, bool xIsBf16, const float* const* gates, const int* sizes, int fields,
               float* const* out, const TileTarget* tiles);
  /// y_ij = ⟨x_i, x_j⟩, i < j, in the order 01, 02, …, 12, …
  void (*inner)(int rows, const float* const* x, int fields, int size, float* const* y);
  /// y = ½·Σ_d ((Σ_f x_fd)² − Σ_f x_fd²)
  void (*fm)(int rows, const float* const* x, int fields, int size, float* const* y);
  // --- products in f32, rows by rows
  /// y = act(x·W + b + added), W [k, n] with row stride `n`; for small matrices and for few rows. b, added may be none.
  void (*dense)(int rows, const float* const* x, int k, const float* w, const float* b, const float* const* added, int n,
                Activation activation, float* const* y);
  /// y_f = x_f · W_f for each field of one row: y [fields, n]; W [Σ sizes, n].
  void (*projectFields)(const float* x, const int* sizes, int fields, const float* w, int n, float* y);
  /// y (+)= Σ_f g_f · p_f, p [fields, n] of the same row.
  void (*gatedSum)(int rows, const float* const* gates, const float* const* p, int fields, int n, bool accumulate,
                   float* const* y);
  // --- sequences: [length, size], of which the events that are there come first; their last number is 1, that of others 0
  /// κ_i = k_i · W of the events that are there, W [size, n].
  void (*projectSequence)(int rows, const float* const* x, int length, int size, const float* w, int n, float* const* y);
  void (*attend)(int rows, const Attention& attention, const float* const* q, const float* const* keys,
                 const float* const* events, float* scratch, float* const* y);
  /// y = Σ_i k_i / n over the n events that are there, 0 without any.
  void (*poolMean)(int rows, const float* const* x, int length, int size, float* const* y);
  // --- numbers by numbers
  void (*add)(int rows, const float* const* a, const float* const* b, int n, float* const* y);
  /// The same of b in bf16.
  void (*addWidened)(int rows, const float* const* a, const uint16_t* const* b, int n, float* const* y);
  /// y = a ∘ b, to rows (`out`, or none) and to tiles (or none). b is f32, or bf16 if `bIsBf16`.
  void (*multiply)(int rows, const float* const* a, const void* const* b, bool bIsBf16, int n, float* const* out,
                   const TileTarget* tiles);
  /// y = a ∘ b + c
  void (*multiplyAdd)(int rows, const float* const* a, const float* const* b, const float* const* c, int n, float* const* y);
  void (*sum)(int rows, const float* const* x, int n, float* y);  // y[i] += Σ x_i
  void (*softmax)(int rows, const float* const* x, int n, float* const* y);
  void (*copy)(int rows, const float* const* x, int n, float* const* y);
  /// f32 rows to bf16 rows, to nearest, ties to even.
  void (*narrow)(int rows, const float* const* x, int n, uint16_t* const* y);
  /// bf16 rows to f32 rows.
  void (*widen)(int rows, const uint16_t* const* x, int n, float* const* y);
  /// f32 rows to tiles; columns beyond n up to the end of their tile become 0.
  void (*toTiles)(int rows, const float* const* x, int n, const TileTarget& tiles);
  /// p[i] *= σ(x_i[0])
  void (*timesSigmoid)(int rows, const float* const* x, float* p);
  // --- ids
  /// Whether all ids lie in [0, tableRows).
  bool (*idsInside)(const int32_t* ids, size_t count, int32_t tableRows);
  /// h[2i], h[2i + 1] take in a[i] and b[i]: two independent 64-bit mixes a row.
  void (*hashIds)(int rows, const int32_t* a, const int32_t* b, uint64_t salt, uint64_t* h);
  /// The same of lists, ids[offsets[i] .. offsets[i + 1]).
  void (*hashLists)(int rows, const int32_t* offsets, const int32_t* ids, uint64_t salt, uint64_t* h);
};

/// All kernels of one instruction set.
struct Kernels {
  const char* name;  // amx, avx512, avx2, neon, scalar
  MatrixKernels matrix;
  RowKernels rows;
};

}  // namespace limelight
