// config/patient_read.h: reads and follows what a configuration names, of which some may lie on a file system that does
// not answer (a dead network mount).
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace aa {

class PatientRead {
 public:
  explicit PatientRead(std::chrono::milliseconds patience = std::chrono::seconds(2)) : patience_(patience) {}

  // As read_file, or that it does not answer, errno_value 0. It is read on a thread, which is left behind where it
  // hangs. What lies in the same folder is not tried again by this object, and after three such folders nothing is.
  Result<std::string> read(const std::string& path, std::size_t most_bytes);

  // Where a path ends, all links followed, in the same way. Error: nothing is there.
  Result<std::string> end_of_links(const std::string& path);

 private:
  Result<std::string> answer(const std::string& path, std::function<Result<std::string>()> ask);

  std::chrono::milliseconds patience_;
  std::vector<std::string> silent_;  // folders
};

}  // namespace aa
