// base/trusted_open.h: a path opened so that nobody else decides where it leads.
//
// Comes in: a path. Goes out: a descriptor. Links are followed that are root's or ours, in folders that nobody else can
// write to; any other is refused by name, errno_value 0. Walked part by part: what is put into the way meanwhile is not
// followed either.
#pragma once

#include <sys/stat.h>

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace aa {

inline constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;
bool is_ours(const struct stat& status);  // root's, or of whoever runs this

Result<UniqueFd> open_trusted_file(const std::string& path);    // a regular file, to read
Result<UniqueFd> open_trusted_folder(const std::string& path);  // O_PATH, for openat(2) and its like

}  // namespace aa
