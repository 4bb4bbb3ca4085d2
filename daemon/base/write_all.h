// base/write_all.h: a text into a descriptor, whole.
#pragma once

#include <string_view>

namespace aa {

// False: errno says why not all of it was written. Waits where a descriptor that does not block has no room, as a
// terminal that the command made so.
bool write_all(int fd, std::string_view text);

}  // namespace aa
