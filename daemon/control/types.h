// control/types.h: the shapes of the D-Bus contract as C++ types.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "control/bus_compat.h"

namespace aa {

using Dict = std::map<std::string, sdbus::Variant>;  // a{sv}

// (sstuutssasi): id, parent id, start ns, pid, uid, exec ns, exe, cwd, argv, exit
using ProcessRow = sdbus::Struct<std::string, std::string, std::uint64_t, std::uint32_t, std::uint32_t, std::uint64_t,
                                 std::string, std::string, std::vector<std::string>, std::int32_t>;

// (ssussta{sv}): id, name, root pid, source, state, live processes, more
using TargetRow = sdbus::Struct<std::string, std::string, std::uint32_t, std::string, std::string, std::uint64_t, Dict>;

// (sss): family, state, reason
using FamilyRow = sdbus::Struct<std::string, std::string, std::string>;

// (sssis): family, program, state, errno, reason
using ProbeRow = sdbus::Struct<std::string, std::string, std::string, std::int32_t, std::string>;

// (ss), (ssa{sv}): pattern, verdict, options; (sssa{sv}): pattern, verdict, layer, options
using PatternRow = sdbus::Struct<std::string, std::string>;
using NewRuleRow = sdbus::Struct<std::string, std::string, Dict>;
using RuleRow = sdbus::Struct<std::string, std::string, std::string, Dict>;

}  // namespace aa
