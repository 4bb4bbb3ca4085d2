// control/access.h: who may call what, as one table.
//
// Comes in: a member's name and the caller's uid. Goes out: may it be called. Knows
// neither the bus nor what a member does. Whatever a caller may do is one row; a member without a row is refused.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace aa {

enum class Allowed : std::uint8_t {
  root,      // uid 0 only
  everyone,  // nothing about a process or a path in it
};

struct AccessRow {
  std::string_view interface;  // "Manager"
  std::string_view member;     // "StartMonitoring"
  Allowed allowed = Allowed::root;
  std::string_view action;  // the polkit action that will let others in; "" where nobody need ask
};

std::span<const AccessRow> access_table();

// The row of a method; nullptr when the table has none.
const AccessRow* find_access(std::string_view member);

bool may_call(const AccessRow& row, std::uint32_t uid);

std::string_view name_of(Allowed allowed);  // "root" "everyone"

}  // namespace aa
