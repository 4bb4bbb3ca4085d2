// state/slot_table.cpp: rows are given out in turn, so that a freed one rests as long as possible.
#include "state/slot_table.h"

#include <utility>

namespace aa {
namespace {

constexpr std::size_t kOwnersKept = 3;  // the present one and two before it
constexpr std::uint32_t kGenerations = 1u << 24;

}  // namespace

std::optional<std::uint32_t> SlotTable::take() {
  for (std::uint32_t step = 0; step < kRows - 1; ++step) {
    const std::uint32_t number = 1 + (last_row_ + step) % (kRows - 1);
    Row& row = rows_[number];
    if (row.taken) continue;
    row.taken = true;
    row.generation = (row.generation + 1) % kGenerations;
    last_row_ = number;
    return row.generation << 8 | number;
  }
  return std::nullopt;
}

void SlotTable::own(Owner owner) {
  Row& row = rows_[row_of(owner.slot)];
  row.owners.push_back(std::move(owner));
  if (row.owners.size() > kOwnersKept) row.owners.erase(row.owners.begin());
}

void SlotTable::give_back(std::uint32_t slot) {
  Row& row = rows_[row_of(slot)];
  if (row.generation == slot >> 8) row.taken = false;
}

const SlotTable::Owner* SlotTable::owner(std::uint32_t slot) const {
  for (const Owner& owner : rows_[row_of(slot)].owners) {
    if (owner.slot == slot) return &owner;
  }
  return nullptr;
}

void SlotTable::set_heir(std::uint32_t slot, std::uint32_t key) {
  for (Owner& owner : rows_[row_of(slot)].owners) {
    if (owner.slot == slot) owner.heir = key;
  }
}

}  // namespace aa
