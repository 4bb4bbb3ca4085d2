// control/access.h: who may call what, as one table.
//
// Comes in: a member's name and the caller's uid. Goes out: may it be called. Knows
// neither the bus nor what a member does. Whatever a caller may do is one row; a member without a row is refused.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string_view>
#include <vector>

namespace aa {

enum class Allowed : std::uint8_t {
  root,      // uid 0, and whom the configuration admits
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

// Who besides root the configuration lets in.
struct Admitted {
  std::set<std::uint32_t> uids;
  std::set<std::uint32_t> gids;
};

// Of the groups any counts. Members that change what is watched, or carry payload, are not for somebody who is watched.
bool may_call(const AccessRow& row, std::uint32_t uid, const std::vector<std::uint32_t>& gids,
              const Admitted& admitted);
bool is_for_unwatched(const AccessRow& row);

std::string_view name_of(Allowed allowed);  // "root" "everyone"

}  // namespace aa
