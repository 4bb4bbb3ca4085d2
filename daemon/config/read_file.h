// config/read_file.h: a regular file's bytes.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace aa {

// Or what is wrong with it; errno_value 0 where no system call refused. Never waits for a FIFO's writer.
Result<std::string> read_file(const std::string& path, std::size_t most_bytes);

}  // namespace aa
