// config/import_file.h: a file that the watched program itself may have written, read with its user's own rights.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace aa {

struct Reader {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;  // his other groups do not count
};

// The bytes of an absolute `path` below the folder `root` is open on: a regular file of at most 256 KiB. The kernel
// says whether the reader may get there and read it, so that no link, mount or hard link has us tell him what he must
// not know; links are followed with his rights, and end at `root`. As root nothing is followed, and the file must be
// root's or everybody's to read: the folder may be somebody else's. errno ENOENT: there is none. Never waits for a
// FIFO's writer, and never opens a device.
Result<std::string> read_import(int root, const std::string& path, const Reader& reader);

}  // namespace aa
