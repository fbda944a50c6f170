#pragma once
#include "../kernels.h"

namespace limelight {
namespace {

/// Asks for the lines that are read after a product, an equal share with each of its blocks.
class Later {
 public:
  Later(const MatrixProduct& p, int blocks) : p_(p), share_((p.laterCount + blocks - 1) / blocks) {}

  void askForShare() {
    int end = next_ + share_;
    if (end > p_.laterCount) end = p_.laterCount;
    for (; next_ < end; next_++) __builtin_prefetch(p_.later[next_]);
  }

 private:
  const MatrixProduct& p_;
  int share_;
  int next_ = 0;
};

}  // namespace
}  // namespace limelight
