// state/slot_table.h: which of the kernel's target rows are free, and whose a slot was.
//
// Comes in: rows taken, owned, freed. Goes out: a slot number for a new target, and the owner of a slot that a record
// carries. A slot is generation << 8 | row; row 0 is the self-test's. Private to this room.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "event/event.h"

namespace aa {

class SlotTable {
 public:
  static constexpr std::uint32_t kRows = 256;  // row 0 included
  static constexpr std::uint32_t kSelfTestRow = 0;

  struct Owner {
    std::uint32_t slot = 0;
    std::uint32_t key = 0;   // Targets' key
    TargetRef ref;           // outlives the target: records under way when it ended are still its own
    std::uint32_t heir = 0;  // key of the target its processes went to when it was released, 0 none
  };

  static std::uint32_t row_of(std::uint32_t slot) { return slot & 0xff; }

  // The longest unused row with its next generation; nullopt when every row is taken.
  std::optional<std::uint32_t> take();
  void own(Owner owner);
  void give_back(std::uint32_t slot);

  // The owner of a slot, also after it was given back, until its row had two more owners. O(1).
  const Owner* owner(std::uint32_t slot) const;
  void set_heir(std::uint32_t slot, std::uint32_t key);

 private:
  struct Row {
    std::uint32_t generation = 0;
    bool taken = false;
    std::vector<Owner> owners;  // the newest last, at most three
  };

  std::array<Row, kRows> rows_;
  std::uint32_t last_row_ = 0;
};

}  // namespace aa
