// event/reader_budget.h: what all readers of streams together may take, however many connections there are.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

namespace aa {

// How many more there may be.
struct ReaderBudget {
  std::size_t decoders = 1024;     // of some 40 KiB
  std::size_t wide_decoders = 32;  // of at most 8 MiB
  std::size_t tables = 1024;       // of HTTP/2 header fields, as large as senders make them, up to 64 KiB
  std::size_t streams = 65'536;    // of HTTP/2, of some 600 bytes
};
using Budget = std::shared_ptr<ReaderBudget>;

// One of them, given back at its end.
class BudgetShare {
 public:
  BudgetShare(Budget budget, std::size_t ReaderBudget::*kind) : budget_(std::move(budget)), kind_(kind) {
    if (budget_.get()->*kind_ == 0)
      budget_.reset();
    else
      --(budget_.get()->*kind_);
  }
  ~BudgetShare() {
    if (budget_) ++(budget_.get()->*kind_);
  }
  BudgetShare(BudgetShare&&) = default;
  BudgetShare& operator=(BudgetShare&&) = delete;
  BudgetShare(const BudgetShare&) = delete;
  BudgetShare& operator=(const BudgetShare&) = delete;

  // False: there was none left.
  explicit operator bool() const { return budget_ != nullptr; }

 private:
  Budget budget_;
  std::size_t ReaderBudget::*kind_;
};

}  // namespace aa
