// config/read_file.h: a regular file's bytes, when nobody but root or ourselves could have written them.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace aa {

// Or what is wrong with it; errno_value 0 where no system call refused: no regular file, too large, writable by others
// or of another owner, or behind a symbolic link in a folder that others can write to. Never waits for a FIFO's writer.
Result<std::string> read_file(const std::string& path, std::size_t most_bytes);

// The rest of an open file, or why not: what read(2) refuses, or `too_large`.
Result<std::string> read_all(int fd, std::size_t most_bytes, const std::string& too_large);

// What is wrong with a folder whose files are to be believed; errno ENOENT when it is not there.
Status check_folder(const std::string& path);

}  // namespace aa
