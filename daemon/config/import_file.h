// config/import_file.h: a file that the watched program itself may have written, read without following it anywhere.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace aa {

// The bytes of an absolute `path` below the folder `root` is open on: a regular file of at most 256 KiB, reached
// through no symbolic link, that belongs to `uid` or that everybody may read; else a link, a mount or a hard link could
// have us tell what that user must not know. errno ENOENT: there is none. Never waits for a FIFO's writer.
Result<std::string> read_import(int root, const std::string& path, std::uint32_t uid);

}  // namespace aa
