// config/nearest.h: what somebody who misspelt a name may have meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace aa {

// How many letters to add, drop or change. O(a × b), for names of a few letters.
std::size_t distance(std::string_view a, std::string_view b);

// Of `known`, which is not empty. A name's first 64 bytes are enough to find what was meant.
std::string nearest(std::string_view given, const std::vector<std::string>& known);

}  // namespace aa
