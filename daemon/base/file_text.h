// base/file_text.h: what a small file says, of those the kernel writes and whose reader cannot be helped when it fails.
#pragma once

#include <cstddef>
#include <string>

#include "base/unique_fd.h"

namespace aa {

// Up to `limit` bytes. A file that cannot be opened is empty; a read that fails ends the text, as the process behind a
// file of /proc may be gone at any moment (ESRCH).
std::string file_text(const std::string& path, std::size_t limit = std::string::npos);

// Opens the very file, whatever its name is.
std::string link_to(const UniqueFd& file);

// Where a symlink leads, by its own words; "" when it is none.
std::string link_text(const std::string& path);

}  // namespace aa
